//! What the rules of an operation are given, and what they answer.

use crate::engine::backend::{Arrays, Backend, Grid, WeightShape};
use crate::engine::graph::{Graph, Node, NodeId, ParameterId, Parameters, Shape};
use crate::engine::{Error, Result};

use super::BatchNormMode;

/// Why an operation cannot read its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What it can read.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl Mismatch {
    /// `expected`, but these shapes came.
    pub fn new(expected: impl Into<String>, inputs: &[Shape]) -> Self {
        let got: Vec<String> = inputs.iter().map(Shape::to_string).collect();
        let got = if got.is_empty() {
            "no input".to_owned()
        } else {
            got.join(" and ")
        };
        Self {
            expected: expected.into(),
            got,
        }
    }

    /// The error of an operation at the node of this name.
    #[must_use]
    pub fn at(self, operation: &'static str, node: &str) -> Error {
        Error::Shape {
            operation,
            node: node.to_owned(),
            expected: self.expected,
            got: self.got,
        }
    }
}

/// What a forward walk is for; it decides which wires are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Logits only.
    Evaluate,
    /// Logits only, for another network to learn from.
    Distill,
    /// Tangents and gradients in weights, the network fixed.
    Analyse,
    /// Gradients in every trainable parameter.
    Train,
}

/// How exactly the products of layers are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accuracy {
    /// As sums of products.
    Exact,
    /// The faster way of the device; see [`Backend::fast_product`].
    Fast,
}

impl Purpose {
    /// How exactly the products of layers are computed on the forward walk: what is measured,
    /// compared or exported must not move, while a training step, and what it learns from, is noise far
    /// above the error.
    #[must_use]
    pub const fn accuracy(self) -> Accuracy {
        match self {
            Self::Evaluate | Self::Analyse => Accuracy::Exact,
            Self::Distill | Self::Train => Accuracy::Fast,
        }
    }

    /// The same of tangents and gradients. They are linear in what they carry, along masks and ranges
    /// that the forward walk has settled: a small error stays small.
    #[must_use]
    pub const fn derivative_accuracy(self) -> Accuracy {
        match self {
            Self::Evaluate | Self::Distill => Accuracy::Exact,
            Self::Analyse | Self::Train => Accuracy::Fast,
        }
    }
}

/// Wires that an operation's tangent and backward rules read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Saves {
    /// Its inputs.
    pub inputs: bool,
    /// Its output.
    pub output: bool,
}

impl Saves {
    /// Nothing.
    pub const NOTHING: Self = Self {
        inputs: false,
        output: false,
    };
    /// Its inputs.
    pub const INPUTS: Self = Self {
        inputs: true,
        output: false,
    };
    /// Its output.
    pub const OUTPUT: Self = Self {
        inputs: false,
        output: true,
    };
}

/// What is at hand to arrange an operation's parameters.
#[derive(Debug)]
pub struct Preparation<'a, B: Backend> {
    /// The device.
    pub backend: &'a B,
    /// The values.
    pub parameters: &'a Parameters,
    /// How batch normalisation behaves.
    pub mode: BatchNormMode,
}

/// An operation's parameters, arranged for the device.
#[derive(Debug)]
pub enum Prepared<B: Backend> {
    /// It has none.
    Nothing,
    /// Weights and bias of a layer.
    Product {
        /// Weights.
        weights: B::Weights,
        /// Bias.
        bias: Option<B::Channels>,
    },
    /// Batch normalisation as `x * scale + shift`.
    Norm(Norm<B>),
    /// The grid of fake quantization.
    Grid(Grid),
}

/// Coefficients of batch normalisation.
#[derive(Debug)]
pub struct Norm<B: Backend> {
    /// gamma / deviation.
    pub scale: B::Channels,
    /// beta - mean * gamma / deviation.
    pub shift: B::Channels,
    /// Mean of each channel.
    pub mean: B::Channels,
    /// 1 / deviation of each channel.
    pub inverse: Vec<f64>,
    /// Coefficients of the input gradient on batch statistics, once known; see
    /// [`NormGradient`](crate::engine::backend::NormGradient).
    pub batch: Option<BatchGradient<B>>,
}

/// The part of [`NormGradient`](crate::engine::backend::NormGradient) known after the gradient has
/// arrived.
#[derive(Debug)]
pub struct BatchGradient<B: Backend> {
    /// Mean of dy.
    pub offset: B::Channels,
    /// Mean of `dy * (x - mean)` over the variance.
    pub slope: B::Channels,
}

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
}

/// Wires of a chunk; those not computed yet, or not needed any more, are absent.
pub type Wires<B> = Vec<Option<<B as Arrays>::Array>>;

fn wire<B: Backend>(wires: &[Option<B::Array>], id: NodeId) -> &B::Array {
    wires[id.index()]
        .as_ref()
        .expect("invariant: a wire is computed before it is read")
}

/// Takes a wire that ends here, or copies it.
fn take<B: Backend>(
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
    pub(crate) wires: &'a mut Wires<B>,
    pub(crate) lifetimes: &'a Lifetimes,
}

/// What an operation of any number of inputs reads: absent where a tangent does not move.
type Inputs<'s, B> = (
    &'s B,
    &'s mut <B as Arrays>::Workspace,
    Vec<Option<&'s <B as Arrays>::Array>>,
);

impl<B: Backend> Forward<'_, B> {
    /// The device, the workspace and the values of all inputs.
    pub fn inputs(&mut self) -> Inputs<'_, B> {
        let value = |id: &NodeId| Some(wire::<B>(self.wires, *id));
        let values = self.node.inputs.iter().map(value).collect();
        (self.backend, self.workspace, values)
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
        let read_once = self.node.inputs.iter().filter(|&&i| i == id).count() == 1;
        let ends = read_once && self.lifetimes.ends(id, self.id);
        take(self.backend, self.workspace, self.wires, (id, ends))
    }
}

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
        let read_once = self.node.inputs.iter().filter(|&&i| i == id).count() == 1;
        let ends = read_once && self.lifetimes.ends(id, self.id);
        take(self.backend, self.workspace, self.wires, (id, ends))
    }
}

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
    /// The first images' own, one row an image; see [`Backend::grad_weight_rows`].
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

/// The rules of an operation.
pub trait Rules {
    /// The operation in a word.
    const NAME: &'static str;
    /// See [`Operation::is_piecewise_linear`](super::Operation::is_piecewise_linear).
    const PIECEWISE_LINEAR: bool = true;

    /// What it writes when it reads wires of these shapes.
    ///
    /// # Errors
    /// When it cannot read them.
    fn shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, Mismatch>;

    /// Its trainable parameters.
    fn parameters(&self) -> Vec<ParameterId> {
        Vec::new()
    }

    /// The wires that must outlive the forward walk.
    fn saves(&self, _purpose: Purpose) -> Saves {
        Saves::NOTHING
    }

    /// Arranges its parameters for the device.
    ///
    /// # Errors
    /// When the device fails.
    fn prepare<B: Backend>(&self, _with: &Preparation<B>) -> Result<Prepared<B>> {
        Ok(Prepared::Nothing)
    }

    /// Its value.
    ///
    /// # Errors
    /// When the device fails.
    fn forward<B: Backend>(&self, step: &mut Forward<B>) -> Result<B::Array>;

    /// The derivative of its value along the tangents that reach it.
    ///
    /// # Errors
    /// When the device fails.
    fn tangent<B: Backend>(&self, step: &mut Tangent<B>) -> Result<B::Array>;

    /// Sends the gradient of its value on to its inputs and parameters.
    ///
    /// # Errors
    /// When the device fails.
    fn backward<B: Backend>(&self, step: &mut Backward<B>, gradient: B::Array) -> Result<()>;
}
