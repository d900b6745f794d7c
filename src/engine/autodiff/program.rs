//! A graph with its parameters arranged for a device, ready to be walked.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::fusion::{Fusion, Neighbours, grid_of, norm_of};
use super::turns::Need;
use crate::engine::Result;
use crate::engine::backend::{Activation, Backend, Rectified, Reuse, Unary};
use crate::engine::graph::operations::BatchNormMode;
use crate::engine::graph::operations::rules::{
    Accuracy, Backward, Collected, Forward, Lifetimes, Preparation, Prepared, Purpose, Tangent,
    Wanted, Wires,
};
use crate::engine::graph::{Graph, Layer, NodeId, Operation, ParameterId, Parameters};
use crate::engine::memory::Memory;

/// A graph with its parameters arranged for a device.
#[derive(Debug)]
pub struct Program<'a, B: Backend> {
    graph: &'a Graph,
    backend: &'a B,
    mode: BatchNormMode,
    accuracy: Accuracy,
    derivative_accuracy: Accuracy,
    prepared: Vec<Prepared<B>>,
    forward_lifetimes: Lifetimes,
    tangent_lifetimes: Lifetimes,
    fusion: Fusion,
    kept: Vec<bool>,
    at_once: usize,
    memory: Memory,
}

/// The wires of some images: all of them during the forward walk, then those that are kept.
#[derive(Debug)]
pub struct Chunk<B: Backend> {
    /// Values by node.
    pub primal: Wires<B>,
    /// Gradients by node, during a backward walk.
    pub gradients: Wires<B>,
}

/// Workspaces of threads, which share their spare memory.
#[derive(Debug)]
pub struct Workspaces<B: Backend>(Mutex<Idle<B>>);

/// Those that nobody is using, and one that nobody ever uses: its only purpose is to be copied.
#[derive(Debug)]
struct Idle<B: Backend> {
    first: B::Workspace,
    idle: Vec<B::Workspace>,
}

impl<B: Backend> Default for Workspaces<B> {
    fn default() -> Self {
        Self(Mutex::new(Idle {
            first: B::Workspace::default(),
            idle: Vec::new(),
        }))
    }
}

impl<B: Backend> Workspaces<B> {
    /// Runs `work` with a workspace that nobody else is using.
    pub fn with<T>(&self, work: impl FnOnce(&mut B::Workspace) -> T) -> T {
        let mut workspace = {
            let mut workspaces = self.lock();
            let idle = workspaces.idle.pop();
            idle.unwrap_or_else(|| workspaces.first.beside())
        };
        let result = work(&mut workspace);
        self.lock().idle.push(workspace);
        result
    }

    /// A thread that panicked within `work` took its workspace along; the others are whole.
    fn lock(&self) -> MutexGuard<'_, Idle<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a, B: Backend> Program<'a, B> {
    /// Arranges `parameters` of `graph` for `backend`.
    ///
    /// # Errors
    /// When the device fails, or its memory does not hold the network and a chunk of images.
    pub fn new(
        graph: &'a Graph,
        backend: &'a B,
        parameters: &Parameters,
        (mode, purpose): (BatchNormMode, Purpose),
    ) -> Result<Self> {
        let kept = kept(graph, purpose, |_| true);
        let forward_lifetimes = Lifetimes::new(graph.nodes(), kept.clone());
        let need = Need::of(graph, backend, &forward_lifetimes, purpose);
        let at_once = if purpose == Purpose::Train {
            // A batch is walked as a whole.
            usize::MAX
        } else {
            need.at_once(backend.memory())?
        };
        let memory = need.beside(at_once, backend.memory());
        let mut program = Self {
            at_once,
            memory,
            graph,
            backend,
            mode,
            accuracy: purpose.accuracy(),
            derivative_accuracy: purpose.derivative_accuracy(),
            prepared: Vec::new(),
            fusion: Fusion::new(graph, &forward_lifetimes),
            forward_lifetimes,
            tangent_lifetimes: Lifetimes::new(graph.nodes(), vec![false; graph.nodes().len()]),
            kept,
        };
        program.update(parameters)?;
        Ok(program)
    }

    /// Arranges new values of the parameters.
    ///
    /// # Errors
    /// When the device fails.
    pub fn update(&mut self, parameters: &Parameters) -> Result<()> {
        let with = Preparation {
            backend: self.backend,
            parameters,
            mode: self.mode,
        };
        let nodes = self.graph.nodes().par_iter();
        self.prepared = nodes
            .map(|node| node.operation.prepare(&with))
            .collect::<Result<_>>()?;
        Ok(())
    }

    /// The graph.
    #[must_use]
    pub const fn graph(&self) -> &'a Graph {
        self.graph
    }

    /// The device.
    #[must_use]
    pub const fn backend(&self) -> &'a B {
        self.backend
    }

    /// The same program, of which at most so many chunks are walked at the same time.
    #[must_use]
    pub fn at_most(self, chunks: usize) -> Self {
        let at_once = self.at_once.min(chunks);
        Self { at_once, ..self }
    }

    /// Chunks that may be walked at the same time, by the memory of the device.
    #[must_use]
    pub const fn at_once(&self) -> usize {
        self.at_once
    }

    /// What the device's memory leaves for what is kept between walks.
    #[must_use]
    pub const fn memory(&self) -> Memory {
        self.memory
    }

    /// How batch normalisation behaves.
    #[must_use]
    pub const fn mode(&self) -> BatchNormMode {
        self.mode
    }

    /// What a node was prepared as.
    #[must_use]
    pub fn prepared(&self, id: NodeId) -> &Prepared<B> {
        &self.prepared[id.index()]
    }

    /// What a node was prepared as, to change: batch statistics are known only during the walk.
    pub fn prepared_mut(&mut self, id: NodeId) -> &mut Prepared<B> {
        &mut self.prepared[id.index()]
    }

    /// The wires kept after the forward walk.
    #[must_use]
    pub fn kept(&self) -> &[bool] {
        &self.kept
    }

    /// Those of them that tangents from a node on, and gradients down to it, read.
    #[must_use]
    pub fn kept_for(&self, start: NodeId) -> Vec<bool> {
        let downstream = self.graph.downstream(start);
        kept(self.graph, Purpose::Analyse, |index| downstream[index])
    }

    /// Takes images (normalised, channel, row, column order) as a chunk to walk.
    ///
    /// # Errors
    /// When the device fails.
    pub fn load(&self, workspace: &mut B::Workspace, images: &[f64]) -> Result<Chunk<B>> {
        let mut primal: Wires<B> = self.graph.ids().map(|_| None).collect();
        let gradients = self.graph.ids().map(|_| None).collect();
        primal[0] = Some(
            self.backend
                .upload(workspace, self.graph.input_shape(), images)?,
        );
        Ok(Chunk { primal, gradients })
    }

    /// Walks all nodes forward and returns the logits, image by image; what is kept stays in
    /// `chunk`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn forward(&self, workspace: &mut B::Workspace, chunk: &mut Chunk<B>) -> Result<Vec<f64>> {
        self.forward_nodes(workspace, chunk, 1..self.graph.nodes().len())?;
        self.logits(workspace, chunk)
    }

    /// Walks some nodes forward.
    ///
    /// # Errors
    /// When the device fails.
    pub fn forward_nodes(
        &self,
        workspace: &mut B::Workspace,
        chunk: &mut Chunk<B>,
        range: Range<usize>,
    ) -> Result<()> {
        for id in self.graph.ids().take(range.end).skip(range.start) {
            if self.fusion.is_elsewhere(id) {
                continue;
            }
            if let Some(neighbours) = self.fusion.at(id) {
                self.rectify(workspace, &mut chunk.primal, (id, neighbours))?;
                continue;
            }
            let node = self.graph.node(id);
            let mut step = Forward {
                backend: self.backend,
                workspace,
                prepared: &self.prepared[id.index()],
                accuracy: self.accuracy,
                id,
                node,
                nodes: self.graph.nodes(),
                wires: &mut chunk.primal,
                lifetimes: &self.forward_lifetimes,
            };
            let value = node.operation.forward(&mut step)?;
            chunk.primal[id.index()] = Some(value);
            self.release(workspace, &mut chunk.primal, (id, &self.forward_lifetimes));
        }
        Ok(())
    }

    /// Computes a rectifier and its neighbours.
    fn rectify(
        &self,
        workspace: &mut B::Workspace,
        wires: &mut Wires<B>,
        (relu, neighbours): (NodeId, &Neighbours),
    ) -> Result<()> {
        let wire = |id: NodeId| wires[id.index()].as_ref();
        let with = Activation {
            function: self.function(relu),
            norm: neighbours.norm.map(|norm| {
                let norm = norm_of(&self.prepared[norm.index()]);
                [&norm.scale, &norm.shift]
            }),
            residual: neighbours.sum.and_then(|(_, other)| wire(other)),
            grid: neighbours
                .quantize
                .map(|quantize| grid_of(&self.prepared[quantize.index()])),
        };
        let x = wire(neighbours.source).expect("invariant: a wire is computed before it is read");
        let (rectified, quantized) = self.backend.activation(workspace, x, &with)?;
        wires[relu.index()] = Some(rectified);
        if let Some(quantize) = neighbours.quantize {
            wires[quantize.index()] = quantized;
        }
        for node in neighbours.nodes(relu) {
            self.release(workspace, wires, (node, &self.forward_lifetimes));
        }
        Ok(())
    }

    /// The activation function of a node that is computed together with its neighbours.
    fn function(&self, id: NodeId) -> Unary<'_, B> {
        match &self.graph.node(id).operation {
            Operation::Activate(activate) => activate.on_device(&self.prepared[id.index()]),
            _ => unreachable!("invariant: activation functions have neighbours"),
        }
    }

    /// Takes the logits out of a walked chunk.
    ///
    /// # Errors
    /// When the device fails.
    pub fn logits(&self, workspace: &mut B::Workspace, chunk: &mut Chunk<B>) -> Result<Vec<f64>> {
        let output = chunk.primal[self.graph.output().index()].take();
        let output = output.expect("invariant: the forward walk reached the output");
        let logits = self.backend.download(&output)?;
        self.backend.recycle(workspace, output);
        Ok(logits)
    }

    /// Moves the weights of `layer` along `direction` and returns the derivative of the logits.
    ///
    /// # Errors
    /// When the device fails.
    #[doc(alias = "JVP")]
    pub fn tangent(
        &self,
        workspace: &mut B::Workspace,
        chunk: &Chunk<B>,
        (layer, downstream): (&Layer, &[bool]),
        direction: &B::Weights,
    ) -> Result<Vec<f64>> {
        let mut wires: Wires<B> = self.graph.ids().map(|_| None).collect();
        for id in self.graph.ids().filter(|id| downstream[id.index()]) {
            let node = self.graph.node(id);
            let mut step = Tangent {
                backend: self.backend,
                workspace,
                prepared: &self.prepared[id.index()],
                direction: (id == layer.node).then_some(direction),
                accuracy: self.derivative_accuracy,
                id,
                node,
                nodes: self.graph.nodes(),
                primal: &chunk.primal,
                wires: &mut wires,
                lifetimes: &self.tangent_lifetimes,
            };
            let value = node.operation.tangent(&mut step)?;
            wires[id.index()] = Some(value);
            self.release(workspace, &mut wires, (id, &self.tangent_lifetimes));
        }
        let output = wires[self.graph.output().index()].take();
        let output = output.expect("invariant: every layer reaches the logits");
        let tangent = self.backend.download(&output)?;
        self.backend.recycle(workspace, output);
        Ok(tangent)
    }

    /// Walks backward from the gradient of the logits to every wanted parameter.
    ///
    /// # Errors
    /// When the device fails.
    #[doc(alias = "VJP")]
    pub fn backward(
        &self,
        workspace: &mut B::Workspace,
        chunk: &mut Chunk<B>,
        logit_gradient: &[f64],
        (wanted, collected): (&Wanted, &mut [Collected<B>]),
    ) -> Result<()> {
        self.seed(workspace, chunk, logit_gradient)?;
        let all = 0..self.graph.nodes().len();
        self.backward_nodes(workspace, chunk, all, (wanted, collected))
    }

    /// Places the gradient of the logits.
    ///
    /// # Errors
    /// When the device fails.
    pub fn seed(
        &self,
        workspace: &mut B::Workspace,
        chunk: &mut Chunk<B>,
        logit_gradient: &[f64],
    ) -> Result<()> {
        let output = self.graph.output();
        let shape = self.graph.node(output).shape;
        let gradient = self.backend.upload(workspace, shape, logit_gradient)?;
        chunk.gradients[output.index()] = Some(gradient);
        Ok(())
    }

    /// Walks some nodes backward, last to first.
    ///
    /// # Errors
    /// When the device fails.
    pub fn backward_nodes(
        &self,
        workspace: &mut B::Workspace,
        chunk: &mut Chunk<B>,
        range: Range<usize>,
        (wanted, collected): (&Wanted, &mut [Collected<B>]),
    ) -> Result<()> {
        for id in self.graph.ids().take(range.end).skip(range.start).rev() {
            if self.fusion.waits(id) {
                continue;
            }
            let quantize = self.fusion.at(id).and_then(|around| around.quantize);
            let through = quantize.and_then(|id| Some((id, chunk.gradients[id.index()].take()?)));
            let direct = chunk.gradients[id.index()].take();
            if direct.is_none() && through.is_none() {
                continue;
            }
            let node = self.graph.node(id);
            let mut step = Backward {
                backend: self.backend,
                workspace,
                prepared: &self.prepared[id.index()],
                accuracy: self.derivative_accuracy,
                id,
                node,
                graph: self.graph,
                primal: &chunk.primal,
                gradients: &mut chunk.gradients,
                wanted,
                collected,
            };
            match (through, direct) {
                (Some(through), direct) => self.rectify_backward(&mut step, through, direct)?,
                (None, Some(gradient)) => node.operation.backward(&mut step, gradient)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Sends on what comes to a rectifier `through` its fake quantization, and directly.
    fn rectify_backward(
        &self,
        step: &mut Backward<B>,
        (quantize, through): (NodeId, B::Array),
        direct: Option<B::Array>,
    ) -> Result<()> {
        let grid = grid_of(&self.prepared[quantize.index()]);
        let rectified = Rectified {
            function: self.function(step.id),
            output: step.primal_output(),
            grid,
        };
        let backend = self.backend;
        let passed = backend.activation_backward(step.workspace, &rectified, through, direct);
        let (gradient, slope) = passed?;
        for parameter in self.graph.node(quantize).operation.parameters() {
            step.collect_vector(parameter, &[slope]);
        }
        step.send(0, gradient)
    }

    /// Takes back what a chunk holds besides the values of some wires.
    pub fn recycle_others(
        &self,
        workspace: &mut B::Workspace,
        chunk: &mut Chunk<B>,
        wires: &[bool],
    ) {
        let values = chunk.primal.iter_mut().zip(wires);
        for array in values.filter_map(|(value, &kept)| if kept { None } else { value.take() }) {
            self.backend.recycle(workspace, array);
        }
    }

    /// Takes back what a chunk still holds.
    pub fn recycle(&self, workspace: &mut B::Workspace, chunk: Chunk<B>) {
        for array in chunk.primal.into_iter().chain(chunk.gradients).flatten() {
            self.backend.recycle(workspace, array);
        }
    }

    fn release(
        &self,
        workspace: &mut B::Workspace,
        wires: &mut Wires<B>,
        (reader, lifetimes): (NodeId, &Lifetimes),
    ) {
        for &input in &self.graph.node(reader).inputs {
            if lifetimes.ends(input, reader)
                && let Some(array) = wires[input.index()].take()
            {
                self.backend.recycle(workspace, array);
            }
        }
    }
}

/// The wires that must outlive the forward walk for the sake of some nodes.
#[must_use]
pub fn kept(graph: &Graph, purpose: Purpose, of: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut kept = vec![false; graph.nodes().len()];
    let nodes = graph.nodes().iter().enumerate();
    for (index, node) in nodes.filter(|&(index, _)| of(index)) {
        let saves = node.operation.saves(purpose);
        kept[index] |= saves.output;
        for input in node.inputs.iter().filter(|_| saves.inputs) {
            kept[input.index()] = true;
        }
    }
    kept
}

/// Which wires a backward walk must reach to get the gradients of these parameters.
#[must_use]
pub fn wanted(graph: &Graph, is_wanted: impl FnMut(ParameterId) -> bool) -> Wanted {
    let parameters: Vec<bool> = graph.parameter_ids().map(is_wanted).collect();
    let mut wires = vec![false; graph.nodes().len()];
    for (index, node) in graph.nodes().iter().enumerate() {
        let own = node
            .operation
            .parameters()
            .iter()
            .any(|id| parameters[id.index()]);
        wires[index] = own || node.inputs.iter().any(|input| wires[input.index()]);
    }
    Wanted { parameters, wires }
}

/// Which wires a backward walk must reach to get the gradients of all that is trained.
#[must_use]
pub fn trainable(graph: &Graph) -> Wanted {
    let is_trainable = |id: ParameterId| graph.parameters()[id.index()].role.is_trainable();
    wanted(graph, is_trainable)
}
