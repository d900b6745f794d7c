//! Builds a graph node by node; shapes are checked on insertion.

use std::sync::Arc;

use super::operations::{
    Add, AveragePool, BatchNorm, Concat, Convolution, Flatten, GlobalAveragePool, Input, Linear,
    MaxPool, Operation, Quantize, Relu, Shortcut,
};
use super::parameters::{ParameterId, ParameterSpec, Role};
use super::{BATCH_NORM_EPSILON, Graph, Node, NodeId, Shape};
use crate::engine::Result;
use crate::engine::backend::{ShortcutShape, Window};

/// How a convolution layer is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvolutionOptions {
    /// Channels written.
    pub out_channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Step down and right.
    pub stride: [usize; 2],
    /// Zeros around the map.
    pub padding: [usize; 2],
    /// Distance between the positions of the kernel, down and right.
    pub dilation: [usize; 2],
    /// Equal groups that the channels are divided into.
    pub groups: usize,
    /// Whether it has a bias.
    pub bias: bool,
}

impl ConvolutionOptions {
    /// A kernel of `[rows, columns]` that keeps the size of the map where `rows` and `columns` are odd:
    /// stride 1, one group, no bias.
    #[must_use]
    pub const fn same(out_channels: usize, kernel: [usize; 2]) -> Self {
        Self {
            out_channels,
            kernel,
            stride: [1, 1],
            padding: [kernel[0] / 2, kernel[1] / 2],
            dilation: [1, 1],
            groups: 1,
            bias: false,
        }
    }
}

/// A graph in the making.
#[derive(Debug, Clone)]
pub struct Builder {
    nodes: Vec<Node>,
    parameters: Vec<ParameterSpec>,
}

impl Builder {
    /// Starts with images of this shape; their wire is the returned id.
    #[must_use]
    pub fn new(image: Shape) -> (Self, NodeId) {
        let node = Node {
            name: "image".into(),
            operation: Operation::Input(Input),
            inputs: Vec::new(),
            shape: image,
        };
        let builder = Self {
            nodes: vec![node],
            parameters: Vec::new(),
        };
        (builder, NodeId(0))
    }

    /// Starts with the image and the parameters of `graph`, whose nodes can then be inserted anew.
    #[must_use]
    pub fn continuing(graph: &Graph) -> Self {
        Self {
            nodes: vec![graph.nodes()[0].clone()],
            parameters: graph.parameters().to_vec(),
        }
    }

    /// The wire of the image.
    #[must_use]
    pub const fn image(&self) -> NodeId {
        NodeId(0)
    }

    /// The step size of the fake quantization that drives a wire.
    #[must_use]
    pub fn step_of(&self, id: NodeId) -> Option<ParameterId> {
        match &self.nodes[id.0].operation {
            Operation::Quantize(quantize) => Some(quantize.step),
            _ => None,
        }
    }

    /// The finished graph; the last node drives the logits.
    #[must_use]
    pub fn finish(self) -> Graph {
        let mut graph = Graph {
            nodes: self.nodes,
            parameters: self.parameters,
            layers: Vec::new(),
        };
        graph.layers = graph.ids().filter_map(|id| graph.layer(id)).collect();
        graph
    }

    /// Shape of a wire.
    #[must_use]
    pub fn shape(&self, id: NodeId) -> Shape {
        self.nodes[id.0].shape
    }

    /// Inserts any operation.
    ///
    /// # Errors
    /// When the operation cannot read these wires.
    pub fn insert(
        &mut self,
        name: &str,
        operation: impl Into<Operation>,
        inputs: &[NodeId],
    ) -> Result<NodeId> {
        let operation = operation.into();
        let shapes: Vec<Shape> = inputs.iter().map(|&id| self.shape(id)).collect();
        let shape = operation
            .shape(&shapes)
            .map_err(|mismatch| mismatch.at(operation.name(), name))?;
        let name: Arc<str> = name.into();
        self.nodes.push(Node {
            name,
            operation,
            inputs: inputs.to_vec(),
            shape,
        });
        Ok(NodeId(self.nodes.len() - 1))
    }

    /// Declares a parameter.
    pub fn parameter(&mut self, name: String, shape: &[usize], role: Role) -> ParameterId {
        let shape = shape.to_vec();
        self.parameters.push(ParameterSpec {
            name: name.into(),
            shape,
            role,
        });
        ParameterId(self.parameters.len() - 1)
    }

    /// A convolution layer with its parameters `name.weight` and, if asked, `name.bias`.
    ///
    /// # Errors
    /// When the wire is not a map that the kernel fits.
    pub fn convolution(
        &mut self,
        name: &str,
        input: NodeId,
        options: &ConvolutionOptions,
    ) -> Result<NodeId> {
        let shape = Convolution::geometry(self.shape(input), options)
            .map_err(|mismatch| mismatch.at("convolution", name))?;
        let [rows, columns] = shape.kernel;
        let dimensions = [shape.out_channels, shape.group_inputs(), rows, columns];
        let weight = self.parameter(format!("{name}.weight"), &dimensions, Role::Weight);
        let bias = options
            .bias
            .then(|| self.parameter(format!("{name}.bias"), &[shape.out_channels], Role::Bias));
        self.insert(
            name,
            Convolution {
                shape,
                weight,
                bias,
            },
            &[input],
        )
    }

    /// A linear layer with its parameters `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// When the wire is not a vector of features.
    pub fn linear(&mut self, name: &str, input: NodeId, outputs: usize) -> Result<NodeId> {
        let inputs = self.shape(input).elements();
        let weight = self.parameter(format!("{name}.weight"), &[outputs, inputs], Role::Weight);
        let bias = Some(self.parameter(format!("{name}.bias"), &[outputs], Role::Bias));
        let shape = crate::engine::backend::LinearShape { inputs, outputs };
        self.insert(
            name,
            Linear {
                shape,
                weight,
                bias,
            },
            &[input],
        )
    }

    /// Batch normalisation with its four parameters under `name`.
    ///
    /// # Errors
    /// When the wire is not a map.
    pub fn batch_norm(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        let channels = match self.shape(input) {
            Shape::Map { channels, .. } => channels,
            Shape::Features(features) => features,
        };
        let mut declare =
            |suffix: &str, role| self.parameter(format!("{name}.{suffix}"), &[channels], role);
        let operation = BatchNorm {
            channels,
            scale: declare("weight", Role::Scale),
            shift: declare("bias", Role::Shift),
            mean: declare("running_mean", Role::RunningMean),
            variance: declare("running_var", Role::RunningVariance),
            epsilon: BATCH_NORM_EPSILON,
        };
        self.insert(name, operation, &[input])
    }

    /// Rectifier.
    ///
    /// # Errors
    /// Never for a wire of this graph.
    pub fn relu(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        self.insert(name, Relu, &[input])
    }

    /// Sum of two wires.
    ///
    /// # Errors
    /// When their shapes differ.
    pub fn add(&mut self, name: &str, a: NodeId, b: NodeId) -> Result<NodeId> {
        self.insert(name, Add, &[a, b])
    }

    /// The channels of several maps of one size, or the features of several vectors, one after
    /// another.
    ///
    /// # Errors
    /// When their shapes do not fit.
    pub fn concat(&mut self, name: &str, inputs: &[NodeId]) -> Result<NodeId> {
        let shapes: Vec<Shape> = inputs.iter().map(|&id| self.shape(id)).collect();
        let concat = Concat::of(&shapes).map_err(|mismatch| mismatch.at("concat", name))?;
        self.insert(name, concat, inputs)
    }

    /// Maximum pooling.
    ///
    /// # Errors
    /// When the window does not fit.
    pub fn max_pool(&mut self, name: &str, input: NodeId, window: Window) -> Result<NodeId> {
        self.insert(name, MaxPool { window }, &[input])
    }

    /// Average pooling.
    ///
    /// # Errors
    /// When the window does not fit.
    pub fn average_pool(&mut self, name: &str, input: NodeId, window: Window) -> Result<NodeId> {
        self.insert(name, AveragePool { window }, &[input])
    }

    /// Mean of each channel.
    ///
    /// # Errors
    /// When the wire is not a map.
    pub fn global_average_pool(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        self.insert(name, GlobalAveragePool, &[input])
    }

    /// A map as features.
    ///
    /// # Errors
    /// When the wire is not a map.
    pub fn flatten(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        self.insert(name, Flatten, &[input])
    }

    /// The option A shortcut.
    ///
    /// # Errors
    /// When channels would shrink.
    pub fn shortcut(&mut self, name: &str, input: NodeId, shape: ShortcutShape) -> Result<NodeId> {
        self.insert(name, Shortcut { shape }, &[input])
    }

    /// Fake quantization with its step size `name.step`.
    ///
    /// # Errors
    /// Never for a wire of this graph.
    pub fn quantize(
        &mut self,
        name: &str,
        input: NodeId,
        codes: super::operations::Codes,
    ) -> Result<NodeId> {
        let step = self.parameter(format!("{name}.step"), &[1], Role::Step);
        self.insert(name, Quantize { codes, step }, &[input])
    }
}
