//! What the loss rises by when a layer alone is quantized.

use super::{Analysis, Subject, Work};
use crate::engine::Result;
use crate::engine::autodiff::Program;
use crate::engine::backend::Backend;
use crate::engine::evaluation;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::graph::operations::{BatchNormMode, Codes};
use crate::engine::hessian::sensitivity::PerBits;
use crate::engine::job::{Event, Observer, Phase, Score, Silent, Verdict};
use crate::engine::quant::Grids;

impl Work<'_> {
    /// Measures what each layer costs that is quantized alone.
    pub(super) fn loss_changes<B: Backend>(
        &mut self,
        subject: &Subject<B>,
        float: Score,
        observer: &mut dyn Observer,
    ) -> Result<Verdict> {
        let total = self.state.layers.len() as u64;
        for index in 0..self.state.layers.len() {
            let done = index as u64;
            let phase = Phase::LossChange;
            if observer.on(Event::Progress { phase, done, total }) == Verdict::Stop {
                return Ok(Verdict::Stop);
            }
            if !self.state.layers[index].loss_change.is_empty() {
                continue;
            }
            let name = self.state.layers[index].layer.clone();
            self.state.layers[index].loss_change =
                loss_change(subject, &name, self.settings, float)?;
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

/// The measured rise of the loss when `layer` alone is quantized, at each bit-width.
fn loss_change<B: Backend>(
    subject: &Subject<B>,
    name: &str,
    settings: &Analysis,
    float: Score,
) -> Result<PerBits> {
    let Subject {
        model,
        backend,
        images,
    } = *subject;
    let layers = model.graph.layers();
    let layer = layers.iter().find(|layer| &*layer.name == name);
    let layer = layer.expect("invariant: the sensitivity lists layers of this network");
    let values = model.parameters.get(layer.weight);
    let channels = model.graph.parameters()[layer.weight.index()].shape[0];
    let mut changes = PerBits::new();
    for &bits in settings.bits.iter().filter(|bits| !bits.is_float()) {
        let codes = Codes::Signed(bits);
        let grids = Grids::fit(codes, settings.scale, (values, channels))?;
        let mut parameters = model.parameters.clone();
        *parameters.get_mut(layer.weight) = grids.quantize(values);
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let program = Program::new(&model.graph, backend, &parameters, walk)?;
        let score = evaluation::evaluate(&program, images, &mut Silent)?;
        let score = score.expect("invariant: nobody asked a silent evaluation to stop");
        changes.insert(bits.get(), score.loss - float.loss);
    }
    Ok(changes)
}
