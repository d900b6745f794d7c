//! The result of a benchmark, as `--json` writes it.

use std::sync::Arc;

use serde::Serialize;

use super::clock::Seconds;
use super::name::Name;
use crate::engine::hessian::sensitivity::LayerSensitivity;

/// Everything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// Always `hawqeye/bench`.
    pub format: &'static str,
    /// Schema version.
    pub version: u32,
    /// Version of the program.
    pub program: &'static str,
    /// The device in words.
    pub device: String,
    /// Vector instructions; null where there are none to choose.
    pub isa: Option<String>,
    /// Threads that compute.
    pub threads: usize,
    /// The processor.
    pub processor: String,
    /// The architecture.
    pub model: String,
    /// Where weights come from.
    pub weights: String,
    /// Where images come from.
    pub data: String,
    /// Shape of an image.
    pub image: String,
    /// Images of a batch.
    pub batch_size: usize,
    /// Images of a sweep.
    pub samples: usize,
    /// Times each work was timed.
    pub repeats: usize,
    /// What was timed.
    pub works: Vec<Measured>,
    /// Convolutions on their own, when asked for.
    pub convolutions: Option<Convolutions>,
    /// Memory of the process at most, with everything that was timed; null where the system does not
    /// tell.
    pub peak_memory_bytes: Option<u64>,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            format: "hawqeye/bench",
            version: 1,
            program: env!("CARGO_PKG_VERSION"),
            device: String::new(),
            isa: None,
            threads: 0,
            processor: String::new(),
            model: String::new(),
            weights: String::new(),
            data: String::new(),
            image: String::new(),
            batch_size: 0,
            samples: 0,
            repeats: 0,
            works: Vec::new(),
            convolutions: None,
            peak_memory_bytes: None,
        }
    }
}

impl Document {
    /// As indented JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("invariant: the keys are text") + "\n"
    }
}

/// One work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// Its name.
    pub name: Name,
    /// Images it is done on.
    pub images: usize,
    /// Its times; those of a product are the mean over the layers.
    #[serde(flatten)]
    pub seconds: Seconds,
    /// The times of each layer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerTimes>,
    /// What a sweep found in its last repetition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Found>,
}

/// The times of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerTimes {
    /// The layer.
    pub layer: Arc<str>,
    /// Its times.
    #[serde(flatten)]
    pub seconds: Seconds,
}

/// What a sweep found of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The layer.
    pub layer: Arc<str>,
    /// Its largest eigenvalue.
    pub eigenvalue: Option<f64>,
    /// Hessian products spent.
    pub iterations: Option<usize>,
    /// Whether the tolerance was reached.
    pub converged: Option<bool>,
    /// Its trace, where it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<f64>,
}

impl From<&LayerSensitivity> for Found {
    fn from(layer: &LayerSensitivity) -> Self {
        Self {
            layer: layer.layer.clone(),
            eigenvalue: layer.eigenvalue,
            iterations: layer.iterations,
            converged: layer.converged,
            trace: layer.trace,
        }
    }
}

/// Convolutions on one thread, in 10^9 multiplications and additions a second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Convolutions {
    /// Those of a large square product in the crate `gemm` at its best; null off the CPU.
    pub sgemm: Option<f64>,
    /// Each shape.
    pub shapes: Vec<ShapeSpeed>,
}

/// One shape; the counts are those of the definition, whatever algorithm is used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShapeSpeed {
    /// Kernel, channels and side.
    pub shape: String,
    /// Exactly, as evaluations and analyses do.
    #[serde(flatten)]
    pub exact: Speeds,
    /// As training steps do.
    pub training: Speeds,
}

/// Of the three products.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Speeds {
    /// The output.
    pub forward: f64,
    /// The gradient of the input.
    pub grad_input: f64,
    /// The gradient of the weights.
    pub grad_weight: f64,
}
