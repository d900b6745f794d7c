//! The trained and the quantized network side by side, layer by layer: each layer is repaired knowing what it
//! reads in both, and is walked through only then.

use rayon::prelude::*;

use crate::engine::Result;
use crate::engine::autodiff::{Chunk, Program, Workspaces, chunk_ranges};
use crate::engine::backend::Backend;
use crate::engine::data::Images;
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::Purpose;
use crate::engine::graph::{Graph, NodeId, Parameters};

/// A network on the way through its nodes, with all images.
pub(super) struct Walk<'a, B: Backend> {
    program: Program<'a, B>,
    workspaces: Workspaces<B>,
    chunks: Vec<Chunk<B>>,
    images: usize,
    /// The first node that was not walked yet.
    next: usize,
}

impl<'a, B: Backend> Walk<'a, B> {
    /// Before its first node.
    ///
    /// # Errors
    /// When an image cannot be read, or the device fails.
    pub fn new(
        graph: &'a Graph,
        parameters: &Parameters,
        (backend, images): (&'a B, &dyn Images),
    ) -> Result<Self> {
        let walk = (BatchNormMode::Running, Purpose::Evaluate);
        let program = Program::new(graph, backend, parameters, walk)?;
        let workspaces = Workspaces::default();
        let chunks = chunk_ranges(images.len(), backend.chunk())
            .into_par_iter()
            .map(|range| {
                let loaded = images.load(range)?;
                workspaces.with(|workspace| program.load(workspace, &loaded))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            program,
            workspaces,
            chunks,
            images: images.len(),
            next: 1,
        })
    }

    /// Takes over what was repaired so far.
    ///
    /// # Errors
    /// When the device fails.
    pub fn update(&mut self, parameters: &Parameters) -> Result<()> {
        self.program.update(parameters)
    }

    /// Walks up to a node.
    ///
    /// # Errors
    /// When the device fails.
    pub fn reach(&mut self, node: NodeId) -> Result<()> {
        let nodes = self.next..node.index();
        self.next = node.index();
        let (program, workspaces) = (&self.program, &self.workspaces);
        self.chunks.par_iter_mut().try_for_each(|chunk| {
            workspaces.with(|workspace| program.forward_nodes(workspace, chunk, nodes.clone()))
        })
    }

    /// What the next node reads, chunk by chunk, image by image.
    ///
    /// # Errors
    /// When the device fails.
    pub fn read(&self, at: usize) -> Result<Vec<f64>> {
        let graph = self.program.graph();
        let node = graph
            .ids()
            .nth(self.next)
            .expect("invariant: there is a next node");
        let input = graph.node(node).inputs[0];
        let array = self.chunks[at].primal[input.index()].as_ref();
        let array = array.expect("invariant: what is read next is there");
        self.program.backend().download(array)
    }

    /// Number of images.
    pub const fn images(&self) -> usize {
        self.images
    }

    /// Chunks of images.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }
}
