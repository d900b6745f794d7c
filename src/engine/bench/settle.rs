//! Untrained networks with sane activations.

use crate::engine::Result;
use crate::engine::autodiff::batch_step::{Batch, BatchStep};
use crate::engine::autodiff::{Program, trainable};
use crate::engine::backend::Backend;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::model::Model;

/// Makes the running statistics of batch normalisation those of `batch`: without them, activations of
/// an untrained network double from block to block.
///
/// # Errors
/// When the device fails.
pub fn settle<B: Backend>(model: &mut Model, backend: &B, batch: &Batch) -> Result<()> {
    let walk = (BatchNormMode::Batch, Purpose::Train);
    let mut program = Program::new(&model.graph, backend, &model.parameters, walk)?;
    let wanted = trainable(&model.graph);
    let mut memory = BatchStep::default();
    let measured = memory.run(&mut program, &model.parameters, batch, (&wanted, None))?;
    for (norm, statistics) in &measured.statistics {
        norm.track(&mut model.parameters, statistics, 1.0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::autodiff::Workspaces;
    use crate::engine::backend::cpu::{Cpu, Isa};
    use crate::engine::data::{Images, Noise};
    use crate::engine::evaluation;
    use crate::engine::graph::Shape;
    use crate::engine::job::Verdict;

    #[test]
    fn logits_of_a_settled_network_are_of_the_size_of_one() {
        let (shape, count) = (Shape::map(3, 8, 8), 32);
        let noise = Noise {
            shape,
            count,
            seed: 1,
        };
        let batch = Batch {
            images: noise.load(0..count).unwrap(),
            labels: noise.labels(0..count),
        };
        let backend = Cpu::new(Isa::detect());
        let mut model = Model::untrained("resnet56".parse().unwrap(), (shape, 10), 0).unwrap();
        let largest = |model: &Model| {
            let walk = (BatchNormMode::Running, Purpose::Evaluate);
            let program = Program::new(&model.graph, &backend, &model.parameters, walk).unwrap();
            let mut largest = 0.0_f64;
            let within = (&program, &Workspaces::default());
            evaluation::logits_in(within, &batch, &mut |logits, _| {
                largest = logits.iter().fold(largest, |a, b| a.max(b.abs()));
                Verdict::Continue
            })
            .unwrap();
            largest
        };
        let before = largest(&model);
        settle(&mut model, &backend, &batch).unwrap();
        let after = largest(&model);
        assert!(before > 100.0 && after < 30.0, "{before} {after}");
    }
}
