//! A plan applied to a trained network without training: what every plan is worth at once.

use super::quant::QuantizedNetwork;
use crate::engine::Result;
use crate::engine::autodiff::Program;
use crate::engine::backend::Backend;
use crate::engine::data::Images;
use crate::engine::evaluation;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::job::{Observer, Score};
use crate::engine::model::Model;
use crate::engine::plan::Plan;

/// Images that activation ranges are fitted to, unless asked otherwise.
pub const CALIBRATION_IMAGES: usize = 512;

/// `model` at the bits of `plan`, activation ranges fitted to `calibration`. `None` when the
/// observer asked to stop.
///
/// # Errors
/// When the plan is not for this network, a value is not finite, or the device fails.
pub fn quantize<B: Backend>(
    model: &Model,
    plan: &Plan,
    (backend, calibration): (&B, &dyn Images),
    observer: &mut dyn Observer,
) -> Result<Option<QuantizedNetwork>> {
    let (graph, parameters) = (&model.graph, &model.parameters);
    let mut network = QuantizedNetwork::new(graph, parameters, &plan.bits(), plan.scale)?;
    let done = network.calibrate(backend, calibration, &|_| true, observer)?;
    Ok(done.then_some(network))
}

impl QuantizedNetwork {
    /// Loss and accuracy over images. `None` when the observer asked to stop.
    ///
    /// # Errors
    /// When the device fails.
    pub fn evaluate<B: Backend>(
        &self,
        backend: &B,
        images: &dyn Images,
        observer: &mut dyn Observer,
    ) -> Result<Option<Score>> {
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let program = Program::new(&self.graph, backend, &self.effective(), walk)?;
        evaluation::evaluate(&program, images, observer)
    }
}
