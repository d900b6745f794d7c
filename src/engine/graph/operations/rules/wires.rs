//! The values on the wires of a walk, and how long they live.

use crate::engine::Result;
use crate::engine::backend::{Arrays, Backend};
use crate::engine::graph::{Node, NodeId};

/// When each wire is read for the last time, and which must be kept anyway.
#[derive(Debug, Clone)]
pub struct Lifetimes {
    last_reader: Vec<Option<NodeId>>,
    kept: Vec<bool>,
}

impl Lifetimes {
    /// Of the wires of `nodes` walked forward, with these kept.
    #[must_use]
    pub fn new(nodes: &[Node], kept: Vec<bool>) -> Self {
        let mut last_reader = vec![None; nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            for input in &node.inputs {
                last_reader[input.index()] = Some(NodeId(index));
            }
        }
        Self { last_reader, kept }
    }

    /// Whether `wire` outlives the walk.
    #[must_use]
    pub fn is_kept(&self, wire: NodeId) -> bool {
        self.kept[wire.index()]
    }

    /// Whether `wire` is not needed once `reader` has read it.
    #[must_use]
    pub fn ends(&self, wire: NodeId, reader: NodeId) -> bool {
        !self.kept[wire.index()] && self.last_reader[wire.index()] == Some(reader)
    }

    /// Whether input `k` of a node is not needed once that has read it, which it may do twice.
    pub(super) fn ends_with_input(&self, id: NodeId, node: &Node, k: usize) -> bool {
        let wire = node.inputs[k];
        let read_once = node.inputs.iter().filter(|&&i| i == wire).count() == 1;
        read_once && self.ends(wire, id)
    }
}

/// Wires of a chunk; those not computed yet, or not needed any more, are absent.
pub type Wires<B> = Vec<Option<<B as Arrays>::Array>>;

pub(super) fn wire<B: Backend>(wires: &[Option<B::Array>], id: NodeId) -> &B::Array {
    wires[id.index()]
        .as_ref()
        .expect("invariant: a wire is computed before it is read")
}

/// Takes a wire that ends here, or copies it.
pub(super) fn take<B: Backend>(
    backend: &B,
    workspace: &mut B::Workspace,
    wires: &mut [Option<B::Array>],
    (id, ends): (NodeId, bool),
) -> Result<B::Array> {
    match wires[id.index()].take() {
        Some(array) if ends => Ok(array),
        Some(array) => {
            let copy = backend.copy(workspace, &array)?;
            wires[id.index()] = Some(array);
            Ok(copy)
        }
        None => unreachable!("invariant: a wire is computed before it is read"),
    }
}

/// What an operation of any number of inputs reads: absent where a tangent does not move.
pub(super) type Inputs<'s, B> = (
    &'s B,
    &'s mut <B as Arrays>::Workspace,
    Vec<Option<&'s <B as Arrays>::Array>>,
);
