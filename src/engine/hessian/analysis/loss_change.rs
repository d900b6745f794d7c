//! What the loss rises by when a layer alone is quantized.

use std::sync::Arc;

use super::{Analysis, Subject, Work, prepare};
use crate::engine::autodiff::Program;
use crate::engine::backend::Backend;
use crate::engine::evaluation;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::graph::operations::{BatchNormMode, Codes};
use crate::engine::hessian::Metric;
use crate::engine::hessian::identity::Ground;
use crate::engine::hessian::merge::merge;
use crate::engine::hessian::primal::place_of;
use crate::engine::hessian::sensitivity::{LayerSensitivity, Sensitivity};
use crate::engine::job::{Event, Observer, Outcome, Phase, Silent, Verdict};
use crate::engine::quant::{Bits, Grids, ScaleRule};
use crate::engine::{Error, Result};

/// A layer at a bit-width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerWidth {
    /// The layer.
    pub layer: Arc<str>,
    /// Bits of its weights.
    pub bits: Bits,
}

/// Loss changes to be measured.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Step sizes and seed as in the measurements that are there.
    pub settings: &'a Analysis,
    /// Of which layers, at which bits.
    pub wanted: &'a [LayerWidth],
}

impl Work<'_> {
    /// Measures what each layer costs that is quantized alone.
    pub(super) fn loss_changes<B: Backend>(
        &mut self,
        subject: &Subject<B>,
        float_loss: f64,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let total = self.state.layers.len() as u64;
        for index in 0..self.state.layers.len() {
            let done = index as u64;
            let phase = Phase::LossChange;
            if observer.on(Event::Progress { phase, done, total }) == Verdict::Stop {
                return Ok(Verdict::Stop);
            }
            let layer = &mut self.state.layers[index];
            let widths = self.settings.bits.iter().filter(|bits| !bits.is_float());
            let lacking = |bits: &&Bits| !layer.loss_change.contains_key(&bits.get());
            let lacking: Vec<Bits> = widths.filter(lacking).copied().collect();
            if lacking.is_empty() {
                continue;
            }
            for bits in lacking {
                let (name, scale) = (layer.layer.clone(), self.settings.scale);
                let loss = quantized_loss(subject, &LayerWidth { layer: name, bits }, scale)?;
                layer.loss_change.insert(bits.get(), loss - float_loss);
            }
            (self.save)(self.state)?;
            if self.finish(index, observer) == Verdict::Stop {
                return Ok(Verdict::Stop);
            }
        }
        Ok(observer.on(Event::Progress {
            phase: Phase::LossChange,
            done: total,
            total,
        }))
    }
}

/// Measures the loss changes that are asked for and puts them into `file`, which holds measurements of the same
/// network on the same images; tells `observer` of each. When stopped, those that were finished are
/// in the file.
///
/// # Errors
/// When the file is of another network, sample or seed, has no such layer or no loss, or the device
/// fails.
pub fn add_loss_changes<B: Backend>(
    subject: &Subject<B>,
    asked: &Asked,
    file: &mut Sensitivity,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let Asked { settings, wanted } = *asked;
    let settings = Analysis {
        metrics: vec![Metric::LossChange],
        layers: wanted.iter().map(|wanted| wanted.layer.clone()).collect(),
        ..settings.clone()
    };
    let fresh = prepare(subject, &settings)?;
    Ground::of(subject).recognise(file);
    // Refused before the work, not after it.
    merge(&mut file.clone(), &fresh)?;
    let Some(float_loss) = file.loss else {
        return Err(Error::invalid(
            "the measurements tell no loss that a loss change could be measured from; measure all \
             layers anew",
        ));
    };
    let total = wanted.len() as u64;
    for (done, wanted) in wanted.iter().enumerate() {
        let (phase, done) = (Phase::LossChange, done as u64);
        if observer.on(Event::Progress { phase, done, total }) == Verdict::Stop {
            return Ok(Outcome::Stopped);
        }
        let loss = quantized_loss(subject, wanted, settings.scale)?;
        let mut measured = fresh.clone();
        measured.layers.retain(|layer| layer.layer == wanted.layer);
        for layer in &mut measured.layers {
            layer.loss_change = [(wanted.bits.get(), loss - float_loss)].into();
        }
        merge(file, &measured)?;
        let of = |layer: &&LayerSensitivity| layer.layer == wanted.layer;
        for layer in file.layers.iter().filter(of) {
            let measured = Box::new(layer.clone());
            observer.on(Event::Layer { measured });
        }
    }
    Ok(Outcome::Done)
}

/// Mean loss when the weights of one layer alone are quantized.
fn quantized_loss<B: Backend>(
    subject: &Subject<B>,
    at: &LayerWidth,
    scale: ScaleRule,
) -> Result<f64> {
    let Subject {
        model,
        backend,
        images,
    } = *subject;
    let layer = &model.graph.layers()[place_of(&model.graph, &at.layer)?];
    let values = model.parameters.get(layer.weight);
    let channels = model.graph.parameters()[layer.weight.index()].shape[0];
    let grids = Grids::fit(Codes::Signed(at.bits), scale, (values, channels))?;
    let mut parameters = model.parameters.clone();
    *parameters.get_mut(layer.weight) = grids.quantize(values);
    let walk = (BatchNormMode::Running, Purpose::Evaluate);
    let program = Program::new(&model.graph, backend, &parameters, walk)?;
    let score = evaluation::evaluate(&program, images, &mut Silent)?;
    let score = score.expect("invariant: nobody asked a silent evaluation to stop");
    Ok(score.loss)
}
