//! A step of a forward walk.

use super::prepared::Prepared;
use super::purpose::Accuracy;
use super::wires::{Inputs, Lifetimes, Wires, take, wire};
use crate::engine::Result;
use crate::engine::backend::Backend;
use crate::engine::graph::{Node, NodeId, Shape};

/// A forward step at one node.
#[derive(Debug)]
pub struct Forward<'a, B: Backend> {
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
    pub(crate) nodes: &'a [Node],
    pub(crate) wires: &'a mut Wires<B>,
    pub(crate) lifetimes: &'a Lifetimes,
}

impl<B: Backend> Forward<'_, B> {
    /// The device, the workspace and the values of all inputs.
    pub fn inputs(&mut self) -> Inputs<'_, B> {
        let value = |id: &NodeId| Some(wire::<B>(self.wires, *id));
        let values = self.node.inputs.iter().map(value).collect();
        (self.backend, self.workspace, values)
    }

    /// Shape of an input.
    #[must_use]
    pub fn input_shape(&self, k: usize) -> Shape {
        self.nodes[self.node.inputs[k].index()].shape
    }

    /// The workspace, and the value of an input.
    pub fn input(&mut self, k: usize) -> (&mut B::Workspace, &B::Array) {
        (self.workspace, wire::<B>(self.wires, self.node.inputs[k]))
    }

    /// The value of input `k`, owned: moved if nobody needs it any more, copied otherwise.
    ///
    /// # Errors
    /// When the device fails.
    pub fn take_input(&mut self, k: usize) -> Result<B::Array> {
        let id = self.node.inputs[k];
        let ends = self.lifetimes.ends_with_input(self.id, self.node, k);
        take(self.backend, self.workspace, self.wires, (id, ends))
    }
}
