//! A step of a tangent walk.

use super::prepared::Prepared;
use super::purpose::Accuracy;
use super::wires::{Inputs, Lifetimes, Wires, take, wire};
use crate::engine::Result;
use crate::engine::backend::Backend;
use crate::engine::graph::{Node, NodeId, Shape};

/// A tangent step at one node: at least one of its inputs or its weights moves.
#[derive(Debug)]
pub struct Tangent<'a, B: Backend> {
    /// The device.
    pub backend: &'a B,
    /// Reused memory.
    pub workspace: &'a mut B::Workspace,
    /// The operation's parameters.
    pub prepared: &'a Prepared<B>,
    /// Direction in which the operation's weights move, if they do.
    pub direction: Option<&'a B::Weights>,
    /// How exactly products are computed.
    pub accuracy: Accuracy,
    pub(crate) id: NodeId,
    pub(crate) node: &'a Node,
    pub(crate) nodes: &'a [Node],
    pub(crate) primal: &'a [Option<B::Array>],
    pub(crate) wires: &'a mut Wires<B>,
    pub(crate) lifetimes: &'a Lifetimes,
}

impl<'a, B: Backend> Tangent<'a, B> {
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
        self.nodes[self.node.inputs[k].index()].shape
    }

    /// Whether input `k` moves.
    #[must_use]
    pub fn moves(&self, k: usize) -> bool {
        self.wires[self.node.inputs[k].index()].is_some()
    }

    /// The device, the workspace and the tangents of all inputs, of those that move.
    pub fn inputs(&mut self) -> Inputs<'_, B> {
        let tangent = |id: &NodeId| self.wires[id.index()].as_ref();
        let tangents = self.node.inputs.iter().map(tangent).collect();
        (self.backend, self.workspace, tangents)
    }

    /// The workspace, and the tangent of an input that moves.
    pub fn input(&mut self, k: usize) -> (&mut B::Workspace, &B::Array) {
        (self.workspace, wire::<B>(self.wires, self.node.inputs[k]))
    }

    /// The tangent of an input that moves, owned.
    ///
    /// # Errors
    /// When the device fails.
    pub fn take_input(&mut self, k: usize) -> Result<B::Array> {
        let id = self.node.inputs[k];
        let ends = self.lifetimes.ends_with_input(self.id, self.node, k);
        take(self.backend, self.workspace, self.wires, (id, ends))
    }
}
