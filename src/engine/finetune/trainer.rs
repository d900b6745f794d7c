//! One training step, as runs and the benchmark take it: the quantized weights are arranged for the
//! device, loss and gradients are computed, running statistics follow the batch, and everything that
//! is trained moves.

use super::optimizer::{Update, Velocities, descend};
use crate::engine::autodiff::batch_step::{Batch, BatchStep, LossGradient, Measured};
use crate::engine::autodiff::loss::Tally;
use crate::engine::autodiff::overflow::largest_weight;
use crate::engine::autodiff::{Program, trainable};
use crate::engine::backend::Backend;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::{Purpose, Wanted};
use crate::engine::graph::{Graph, ParameterId};
use crate::engine::quant::QuantizedNetwork;
use crate::engine::{Error, Result};

/// Share of a batch's statistics in the new running statistics, as in `PyTorch`.
const BATCH_SHARE: f64 = 0.1;

/// How a step is taken.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    /// The rule of its update.
    pub update: Update,
    /// 1-based.
    pub number: u64,
    /// Parameters that do not move. With a weight, its step size rests too.
    pub resting: &'a [ParameterId],
}

/// What steps work with besides the network: its program, and memory that they reuse.
pub struct Trainer<'a, B: Backend> {
    program: Program<'a, B>,
    wanted: Wanted,
    memory: BatchStep<B>,
}

impl<'a, B: Backend> Trainer<'a, B> {
    /// Steps of networks whose graph is `graph`, such as `network`; `memory` is that of steps
    /// before, or new.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(
        (graph, network): (&'a Graph, &QuantizedNetwork),
        backend: &'a B,
        norms: BatchNormMode,
        memory: BatchStep<B>,
    ) -> Result<Self> {
        let walk = (norms, Purpose::Train);
        let program = Program::new(graph, backend, &network.effective(), walk)?;
        Ok(Self {
            program,
            wanted: trainable(graph),
            memory,
        })
    }

    /// The memory, for the steps of another network.
    #[must_use]
    pub fn into_memory(self) -> BatchStep<B> {
        self.memory
    }

    /// Takes a step, and tells how the batch fared before it. The gradient at the logits is
    /// that of cross-entropy unless `gradient` gives another.
    ///
    /// # Errors
    /// When the device fails, or the loss or an updated parameter is not finite.
    pub fn step(
        &mut self,
        (network, velocities): (&mut QuantizedNetwork, &mut Velocities),
        (batch, gradient): (&Batch, Option<&LossGradient>),
        how: Taken,
    ) -> Result<Tally> {
        let effective = network.effective();
        self.program.update(&effective)?;
        let with = (&self.wanted, gradient);
        let measured = self
            .memory
            .run(&mut self.program, &effective, batch, with)?;
        let Measured {
            tally,
            mut gradients,
            statistics,
        } = measured;
        let number = how.number;
        if !tally.score().loss.is_finite() {
            return Err(Error::NotFinite(format!(
                "the loss of training step {number}{}",
                largest_weight(&network.graph, &effective)
            )));
        }
        for id in how.resting {
            gradients[id.index()] = None;
        }
        for (norm, statistics) in &statistics {
            norm.track(&mut network.parameters, statistics, BATCH_SHARE);
        }
        descend(network, velocities, (gradients, how.update), number)?;
        Ok(tally)
    }
}
