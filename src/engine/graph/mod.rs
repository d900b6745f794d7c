//! The static graph of a network: nodes in topological order and typed wires.
//!
//! Every node has one output; a [`NodeId`] names a node and the wire it drives. The shape of a
//! wire is computed and checked when its node is inserted, so an ill-typed graph cannot exist.
//! Parameters are named as in weights files and live outside the graph, in [`Parameters`].

pub mod builder;
pub mod operations;
mod parameters;
mod stored;
#[cfg(test)]
mod tests;

pub use super::shape::Shape;
pub use builder::{Builder, ConvolutionOptions, LinearOptions, NormOptions, OptionA};
pub use operations::Operation;
pub use parameters::{ParameterId, ParameterSpec, Parameters, Role, single};

/// Added to the variance in batch normalisation, as `PyTorch` does unless told otherwise.
pub const BATCH_NORM_EPSILON: f64 = 1e-5;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend::WeightShape;

/// A node, and the wire it drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

impl NodeId {
    /// Position in the graph.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// An operation wired to its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Path of the node, such as `layer1.0.conv1`.
    pub name: Arc<str>,
    /// What it computes.
    pub operation: Operation,
    /// The wires it reads.
    pub inputs: Vec<NodeId>,
    /// What it writes for one image.
    pub shape: Shape,
}

/// A convolution or linear layer: what is analysed and quantized.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Path as in the weights file.
    pub name: Arc<str>,
    /// Its node.
    pub node: NodeId,
    /// Its weight tensor.
    pub weight: ParameterId,
    /// Geometry of the product.
    pub shape: WeightShape,
    /// Elements of the activation read, for one image.
    pub activation_size: usize,
    /// Whether that activation is the image.
    pub reads_image: bool,
}

impl Layer {
    /// Number of weights.
    #[must_use]
    pub const fn parameters(&self) -> usize {
        self.shape.weights()
    }

    /// Multiply-accumulates for one image.
    #[must_use]
    pub fn macs(&self) -> u64 {
        Self::macs_of(&self.shape).expect("invariant: work was checked on insertion")
    }

    /// Multiply-accumulates of a product, unless they overflow.
    fn macs_of(shape: &WeightShape) -> Option<u64> {
        let places = match shape {
            WeightShape::Convolution(shape) => shape.out_height() * shape.out_width(),
            WeightShape::Linear(_) => 1,
        };
        (shape.weights() as u64).checked_mul(places as u64)
    }
}

/// A network: nodes in topological order, the last one driving the logits.
///
/// It is written and read with serde; shapes, sizes, names and parameters are checked on reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "stored::Stored", into = "stored::Stored")]
pub struct Graph {
    nodes: Vec<Node>,
    parameters: Vec<ParameterSpec>,
    layers: Vec<Layer>,
}

impl Graph {
    /// The nodes, inputs before their readers.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Every node's id, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// The parameters that the operations refer to.
    #[must_use]
    pub fn parameters(&self) -> &[ParameterSpec] {
        &self.parameters
    }

    /// Every parameter's id, in order.
    pub fn parameter_ids(&self) -> impl Iterator<Item = ParameterId> + use<> {
        (0..self.parameters.len()).map(ParameterId)
    }

    /// The node that drives the logits.
    #[must_use]
    pub fn output(&self) -> NodeId {
        NodeId(self.nodes.len() - 1)
    }

    /// Shape of an image.
    #[must_use]
    pub fn input_shape(&self) -> Shape {
        self.nodes[0].shape
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.nodes[self.nodes.len() - 1].shape.elements()
    }

    /// Trainable parameters.
    #[must_use]
    pub fn trainable_count(&self) -> usize {
        self.parameters
            .iter()
            .filter(|spec| spec.role.is_trainable())
            .map(ParameterSpec::elements)
            .sum()
    }

    /// The convolution and linear layers, in order.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The layer at a node, if it is one.
    #[must_use]
    pub fn layer(&self, id: NodeId) -> Option<Layer> {
        let node = self.node(id);
        let (weight, shape) = node.operation.weight()?;
        let read = self.node(self.source(node.inputs[0]));
        Some(Layer {
            name: node.name.clone(),
            node: id,
            weight,
            shape,
            activation_size: read.shape.elements(),
            reads_image: self.holds_image(node.inputs[0]),
        })
    }

    /// Whether a wire is the image, or parts of it and zeros.
    fn holds_image(&self, id: NodeId) -> bool {
        let mut node = self.node(self.source(id));
        while node.operation.only_moves() {
            node = self.node(self.source(node.inputs[0]));
        }
        matches!(node.operation, Operation::Input(_))
    }

    /// The wire behind fake quantization.
    fn source(&self, id: NodeId) -> NodeId {
        match &self.node(id).operation {
            Operation::Quantize(_) => self.node(id).inputs[0],
            _ => id,
        }
    }

    /// The graph with fake quantization taken out, and only its first `parameters` parameters.
    ///
    /// # Errors
    /// Never for a graph that fake quantization was put into.
    pub fn without_quantizers(&self, parameters: usize) -> crate::engine::Result<Self> {
        let mut builder = Builder::continuing(self);
        let mut moved = vec![builder.image()];
        for node in self.nodes.iter().skip(1) {
            let inputs: Vec<NodeId> = node.inputs.iter().map(|input| moved[input.0]).collect();
            moved.push(match &node.operation {
                Operation::Quantize(_) => inputs[0],
                operation => builder.insert(&node.name, operation.clone(), &inputs)?,
            });
        }
        let mut graph = builder.finish();
        graph.parameters.truncate(parameters);
        Ok(graph)
    }

    /// The graph with its parameters called otherwise, in their order.
    ///
    /// # Errors
    /// When there are not as many names as parameters, or two of them are equal.
    pub fn with_parameter_names(mut self, names: Vec<String>) -> crate::engine::Result<Self> {
        let mut given = std::collections::HashSet::new();
        let twice = names.iter().find(|name| !given.insert(name.as_str()));
        if names.len() != self.parameters.len() || twice.is_some() {
            return Err(crate::engine::Error::invalid(format!(
                "{} names for {} parameters, of which {} is there twice: give each its own",
                names.len(),
                self.parameters.len(),
                twice.map_or("none", |name| name)
            )));
        }
        for (spec, name) in self.parameters.iter_mut().zip(names) {
            spec.name = name.into();
        }
        Ok(self)
    }

    /// Which nodes lie downstream of `start`, itself included.
    #[must_use]
    pub fn downstream(&self, start: NodeId) -> Vec<bool> {
        let mut reached = vec![false; self.nodes.len()];
        for id in self.ids() {
            reached[id.0] = id == start || self.node(id).inputs.iter().any(|i| reached[i.0]);
        }
        reached
    }
}
