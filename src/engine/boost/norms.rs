//! Batch normalisation with the statistics of the quantized network.

use crate::engine::Result;
use crate::engine::autodiff::batch_step::{Batch, BatchStep};
use crate::engine::autodiff::{Program, chunk_ranges};
use crate::engine::backend::Backend;
use crate::engine::data::Images;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::job::{Event, Observer, Phase, Verdict};
use crate::engine::quant::QuantizedNetwork;

/// Images of a batch.
const BATCH: usize = 128;

/// Sets the running statistics to the mean of those of batches of `images`. `false` when the observer asked to stop.
///
/// # Errors
/// When the device fails.
pub(super) fn reestimate<B: Backend>(
    network: &mut QuantizedNetwork,
    (backend, images): (&B, &dyn Images),
    observer: &mut dyn Observer,
) -> Result<bool> {
    let (graph, effective) = (network.graph.clone(), network.effective());
    let walk = (BatchNormMode::Batch, Purpose::Train);
    let mut program = Program::new(&graph, backend, &effective, walk)?;
    let total = images.len() as u64;
    for (behind, range) in chunk_ranges(images.len(), BATCH).into_iter().enumerate() {
        let (phase, done) = (Phase::Boost, range.start as u64);
        if observer.on(Event::Progress { phase, done, total }) == Verdict::Stop {
            return Ok(false);
        }
        let batch = Batch {
            labels: images.labels(range.clone()),
            images: images.load(range)?,
        };
        let statistics = BatchStep::statistics(&mut program, &effective, &batch)?;
        for (norm, statistics) in &statistics {
            let share = 1.0 / (behind + 1) as f64;
            norm.track(&mut network.parameters, statistics, share);
        }
    }
    Ok(true)
}
