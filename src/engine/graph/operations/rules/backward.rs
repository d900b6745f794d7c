//! A step of a backward walk, and the gradients that are asked of it.

use super::prepared::Prepared;
use super::purpose::Accuracy;
use super::wires::{Wires, wire};
use crate::engine::Result;
use crate::engine::backend::{Backend, WeightShape};
use crate::engine::graph::{Graph, Node, NodeId, ParameterId, Shape};

/// Which gradients are asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// By parameter.
    pub parameters: Vec<bool>,
    /// By wire: whether its gradient leads to a wanted parameter.
    pub wires: Vec<bool>,
}

/// What is made of the weight gradients of a chunk.
#[derive(Debug)]
pub enum Collected<B: Backend> {
    /// Nothing asked.
    Nothing,
    /// Their sum over images.
    Sum(B::Gradient),
    /// The first images' own, one row an image; see [`Products::grad_weight_rows`](crate::engine::backend::Products::grad_weight_rows).
    Rows(Vec<f32>),
    /// Per-channel (or per-tensor) gradients.
    Vector(Vec<f64>),
}

/// A backward step at one node.
#[derive(Debug)]
pub struct Backward<'a, B: Backend> {
    /// The device.
    pub backend: &'a B,
    /// Reused memory.
    pub workspace: &'a mut B::Workspace,
    /// The operation's parameters.
    pub prepared: &'a Prepared<B>,
    /// How exactly products are computed.
    pub accuracy: Accuracy,
    pub(crate) id: NodeId,
    pub(crate) node: &'a Node,
    pub(crate) graph: &'a Graph,
    pub(crate) primal: &'a [Option<B::Array>],
    pub(crate) gradients: &'a mut Wires<B>,
    pub(crate) wanted: &'a Wanted,
    pub(crate) collected: &'a mut [Collected<B>],
}

impl<'a, B: Backend> Backward<'a, B> {
    /// The value of an input.
    #[must_use]
    pub fn primal_input(&self, k: usize) -> &'a B::Array {
        wire::<B>(self.primal, self.node.inputs[k])
    }

    /// The operation's value.
    #[must_use]
    pub fn primal_output(&self) -> &'a B::Array {
        wire::<B>(self.primal, self.id)
    }

    /// Shape of an input.
    #[must_use]
    pub fn input_shape(&self, k: usize) -> Shape {
        self.graph.node(self.node.inputs[k]).shape
    }

    /// Whether the gradient of input `k` is asked for.
    #[must_use]
    pub fn wants_input(&self, k: usize) -> bool {
        self.wanted.wires[self.node.inputs[k].index()]
    }

    /// Whether the gradient of a parameter is asked for.
    #[must_use]
    pub fn wants(&self, parameter: ParameterId) -> bool {
        self.wanted.parameters[parameter.index()]
    }

    /// Adds to the gradient of input `k`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn send(&mut self, k: usize, gradient: B::Array) -> Result<()> {
        let index = self.node.inputs[k].index();
        if !self.wanted.wires[index] {
            self.backend.recycle(self.workspace, gradient);
            return Ok(());
        }
        let sum = match self.gradients[index].take() {
            None => gradient,
            Some(sum) => {
                let total = self.backend.add(self.workspace, sum, &gradient)?;
                self.backend.recycle(self.workspace, gradient);
                total
            }
        };
        self.gradients[index] = Some(sum);
        Ok(())
    }

    /// Adds the gradient of the weights of a product that read input 0, if it is asked for.
    ///
    /// # Errors
    /// When the device fails.
    pub fn collect_weight(
        &mut self,
        parameter: ParameterId,
        shape: &WeightShape,
        dy: &B::Array,
    ) -> Result<()> {
        if !self.wants(parameter) {
            return Ok(());
        }
        let x = wire::<B>(self.primal, self.node.inputs[0]);
        match &mut self.collected[parameter.index()] {
            Collected::Sum(sum) => match self.accuracy {
                Accuracy::Exact => self.backend.product_grad_weight(self.workspace, x, dy, sum),
                Accuracy::Fast => self
                    .backend
                    .fast_product_grad_weight(self.workspace, x, dy, sum),
            },
            Collected::Rows(rows) => {
                self.backend
                    .grad_weight_rows(self.workspace, shape, (x, dy), rows)
            }
            Collected::Nothing | Collected::Vector(_) => Ok(()),
        }
    }

    /// Adds the gradient of a vector of parameters, if it is asked for.
    pub fn collect_vector(&mut self, parameter: ParameterId, gradient: &[f64]) {
        if let Collected::Vector(sum) = &mut self.collected[parameter.index()] {
            for (sum, gradient) in sum.iter_mut().zip(gradient) {
                *sum += gradient;
            }
        }
    }
}
