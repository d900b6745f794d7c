//! The only seam between the engine and its front ends: a long computation reports [`Event`]s to an
//! [`Observer`], which answers with a [`Verdict`]. Pausing is an observer that does not answer yet.
//!
//! Events are cheap to clone and serialise to one JSON line each (`--progress json`,
//! `events.jsonl` of a run folder).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::score::number;
pub use super::score::{Score, Split};
use super::sensitivity::{Landscape, LayerSensitivity};

/// The answer to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// Finish the current step, save the state, and return [`Outcome::Stopped`].
    Stop,
}

/// How a long computation ended when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything asked for is done.
    Done,
    /// The observer asked to stop; what was finished is kept and can be resumed.
    Stopped,
}

/// The part of a computation that is counted by [`Event::Progress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Reading and checking inputs.
    Load,
    /// The primal forward pass of an analysis.
    Primal,
    /// Gradients of single images, from which the layers' blocks are made; counted in pieces of the
    /// sample.
    Rows,
    /// Per-layer eigenvalues; counted in layers.
    Eigenvalue,
    /// Per-layer traces; counted in layers.
    Trace,
    /// Per-layer measured loss changes; counted in layers.
    LossChange,
    /// Re-measuring layers in float64.
    Verify,
    /// A layer's spectrum; counted in Hessian products.
    Spectrum,
    /// The loss along a layer's top eigenvector; counted in points.
    Landscape,
    /// Estimating activation ranges.
    Calibrate,
    /// Repairs without training; counted in layers, or in images.
    Boost,
    /// Evaluation; counted in images.
    Evaluate,
    /// Fine-tuning; counted in steps.
    Tune,
    /// Writing and reading back an exported file.
    Export,
}

/// What a long computation reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// `done` of `total` units of `phase` are finished.
    Progress {
        /// What is counted.
        phase: Phase,
        /// Units finished.
        done: u64,
        /// Units in all.
        total: u64,
    },
    /// One more iteration on a layer's largest eigenvalue.
    Eigenvalue {
        /// The layer's name.
        layer: Arc<str>,
        /// Hessian products so far.
        iteration: usize,
        /// The estimate of lambda.
        #[serde(deserialize_with = "number")]
        value: f64,
        /// Relative residual `norm(Hv - lambda v) / |lambda|`.
        #[serde(deserialize_with = "number")]
        residual: f64,
    },
    /// Everything asked about a layer is measured.
    Layer {
        /// Its measurements.
        measured: Box<LayerSensitivity>,
    },
    /// One more point of a loss landscape.
    Landscape {
        /// The points so far.
        measured: Box<Landscape>,
    },
    /// Fine-tuning enters a stage.
    Stage {
        /// 0-based index.
        index: usize,
        /// Stages in all.
        total: usize,
        /// Layers that are quantized from this stage on.
        layers: Vec<Arc<str>>,
    },
    /// A training step is done.
    Step {
        /// Steps since the start of the run.
        step: u64,
        /// Steps in the run.
        total: u64,
        /// 0-based epoch.
        epoch: usize,
        /// 0-based stage.
        stage: usize,
        /// Mean loss of the batch.
        #[serde(deserialize_with = "number")]
        loss: f64,
        /// Top-1 accuracy of the batch, 0 to 1.
        #[serde(deserialize_with = "number")]
        accuracy: f64,
        /// Learning rate of the step.
        #[serde(deserialize_with = "number")]
        learning_rate: f64,
        /// Images in the batch.
        images: usize,
    },
    /// A set of images was evaluated.
    Evaluated {
        /// Which images.
        split: Split,
        /// What was evaluated: `float`, `post-training`, `epoch 3`, `final`, ...
        label: String,
        /// Steps of training behind it.
        step: u64,
        /// The result.
        score: Score,
    },
    /// The state on disk is now that of `step`.
    Checkpoint {
        /// Steps since the start of the run.
        step: u64,
    },
    /// Something the user should know; not an error.
    Warning {
        /// One sentence.
        message: String,
    },
    /// The computation ended.
    Finished {
        /// How.
        outcome: Outcome,
    },
}

/// Receives the events of a computation; closures implement it.
pub trait Observer {
    /// Called on the computing thread, often: return quickly, or hold it to pause.
    fn on(&mut self, event: Event) -> Verdict;

    /// Called several times a second while somebody else holds the job: whether to stop instead.
    fn held(&mut self) -> Verdict {
        Verdict::Continue
    }
}

impl<F: FnMut(Event) -> Verdict> Observer for F {
    fn on(&mut self, event: Event) -> Verdict {
        self(event)
    }
}

/// An observer that ignores everything.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn on(&mut self, _: Event) -> Verdict {
        Verdict::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_layer_is_read_as_it_was_written() {
        let numbers: std::collections::BTreeMap<u8, f64> = [(2, 1.5), (8, 0.25)].into();
        let layer = LayerSensitivity {
            layer: "conv1".into(),
            perturbation: numbers.clone(),
            perturbation_by_scale: [(crate::engine::quant::ScaleRule::Mse, numbers.clone())].into(),
            loss_change: numbers.clone(),
            omega: numbers,
            ..LayerSensitivity::default()
        };
        let measured = Box::new(layer);
        let event = Event::Layer { measured };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
