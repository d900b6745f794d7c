//! The analysis of a trained network: per layer eigenvalue, trace, perturbations and loss change.
//!
//! Every layer is measured on its own, from a seed that depends on nothing but the settings, so a
//! resumed analysis gives the numbers of an undisturbed one, bit for bit.

mod blocks;
mod loss_change;
mod prepare;
mod settings;

pub(super) use blocks::{choose_rows, eigenpair, position};
pub use loss_change::{Asked, LayerWidth, add_loss_changes};
pub use prepare::prepare;
pub use settings::Analysis;

use super::doubt::Doubt;
use super::metric::Metric;
use super::primal::Primal;
use super::sensitivity::Sensitivity;
use crate::engine::Result;
use crate::engine::backend::Backend;
use crate::engine::data::Selection;
use crate::engine::job::{Event, Observer, Outcome, Score, Verdict};
use crate::engine::model::Model;

/// The network and the images that are analysed.
#[derive(Clone, Copy)]
pub struct Subject<'a, B: Backend> {
    /// The network.
    pub model: &'a Model,
    /// The device.
    pub backend: &'a B,
    /// The sample.
    pub images: &'a Selection<'a>,
}

/// Measures what `state` lacks, handing it to `save` whenever a layer or a metric is finished.
///
/// `state` comes from [`prepare`], or from an interrupted analysis with the same fingerprint.
///
/// # Errors
/// When the network is not piecewise linear, a number is not finite, the device or `save` fails.
pub fn run<B: Backend>(
    subject: &Subject<B>,
    settings: &Analysis,
    state: &mut Sensitivity,
    save: &mut dyn FnMut(&Sensitivity) -> Result<()>,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    // What was begun by an earlier program may lack widths.
    state.complete(subject.model)?;
    let (graph, parameters) = (&subject.model.graph, &subject.model.parameters);
    let walked = if settings.wants_double() {
        Primal::in_double
    } else {
        Primal::new
    };
    let primal = walked(graph, parameters, subject.backend, subject.images, observer)?;
    let Some(primal) = primal else {
        return Ok(Outcome::Stopped);
    };
    let score = primal.score();
    state.loss = Some(score.loss);
    state.accuracy = Some(score.accuracy());
    warn_if_untrained(score, primal.classes(), observer);
    let mut work = Work {
        settings,
        state,
        save,
    };
    let stopped = work.blocks(&primal, observer)? == Verdict::Stop;
    drop(primal);
    let stopped = stopped
        || settings.measures(Metric::LossChange)
            && work.loss_changes(subject, score.loss, observer)? == Verdict::Stop;
    Ok(if stopped {
        Outcome::Stopped
    } else {
        Outcome::Done
    })
}

fn warn_if_untrained(score: Score, classes: usize, observer: &mut dyn Observer) {
    if let Some(doubt) = Doubt::of_loss(score.loss, score.accuracy(), classes) {
        let message = doubt.to_string();
        observer.on(Event::Warning { message });
    }
}

/// What is measured, in turn, into the state.
struct Work<'a> {
    settings: &'a Analysis,
    state: &'a mut Sensitivity,
    save: &'a mut dyn FnMut(&Sensitivity) -> Result<()>,
}

impl Work<'_> {
    /// Tells what is known of a layer now.
    fn finish(&mut self, index: usize, observer: &mut dyn Observer) -> Verdict {
        let measured = Box::new(self.state.layers[index].clone());
        observer.on(Event::Layer { measured })
    }
}
