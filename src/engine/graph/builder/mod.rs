//! Builds a graph node by node; names, shapes, sizes and parameters are checked on insertion.

mod functions;
mod layers;
mod maps;
mod options;

pub use options::{ConvolutionOptions, LinearOptions, NormOptions, OptionA};

use std::collections::HashSet;
use std::sync::Arc;

use super::operations::{Codes, Input, Operation, Quantize};
use super::parameters::{ParameterId, ParameterSpec, Role};
use super::{Graph, Layer, Node, NodeId, Shape};
use crate::engine::backend::WeightShape;
use crate::engine::{Error, Result};

/// Most multiply-accumulates of a layer for one image: sums over layers stay whole numbers.
const MOST_MACS: u64 = 1 << 53;

/// A graph in the making.
#[derive(Debug, Clone)]
pub struct Builder {
    nodes: Vec<Node>,
    parameters: Vec<ParameterSpec>,
    /// By parameter: the node that reads it.
    readers: Vec<Option<NodeId>>,
    node_names: HashSet<Arc<str>>,
    parameter_names: HashSet<Arc<str>>,
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
        (Self::starting(node, Vec::new()), NodeId(0))
    }

    /// Starts with the image and the parameters of `graph`, whose nodes can then be inserted anew.
    #[must_use]
    pub fn continuing(graph: &Graph) -> Self {
        Self::starting(graph.nodes()[0].clone(), graph.parameters().to_vec())
    }

    fn starting(image: Node, parameters: Vec<ParameterSpec>) -> Self {
        Self {
            readers: vec![None; parameters.len()],
            node_names: HashSet::from([image.name.clone()]),
            parameter_names: parameters.iter().map(|spec| spec.name.clone()).collect(),
            nodes: vec![image],
            parameters,
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
    /// When another node has this name, when the operation cannot read these wires, when what it writes
    /// is too large, or when its parameters are not those that it needs.
    pub fn insert(
        &mut self,
        name: &str,
        operation: impl Into<Operation>,
        inputs: &[NodeId],
    ) -> Result<NodeId> {
        let operation = operation.into();
        if self.node_names.contains(name) {
            return Err(Error::invalid(format!(
                "two nodes are called {name}: give every node a name of its own"
            )));
        }
        let shapes: Vec<Shape> = inputs.iter().map(|&id| self.shape(id)).collect();
        for &shape in &shapes {
            check_size(name, shape)?;
        }
        let shape = operation
            .shape(&shapes)
            .map_err(|mismatch| mismatch.at(operation.name(), name))?;
        check_size(name, shape)?;
        self.check_parameters(name, &operation)?;
        if let Some((_, weights)) = operation.weight() {
            check_work(name, weights)?;
        }
        let id = NodeId(self.nodes.len());
        for parameter in operation.declared() {
            self.readers[parameter.id.index()] = Some(id);
        }
        let name: Arc<str> = name.into();
        self.node_names.insert(name.clone());
        self.nodes.push(Node {
            name,
            operation,
            inputs: inputs.to_vec(),
            shape,
        });
        Ok(id)
    }

    /// Refuses parameters that are not there, are others than the operation needs, or belong to another
    /// node.
    fn check_parameters(&self, name: &str, operation: &Operation) -> Result<()> {
        for parameter in operation.declared() {
            let index = parameter.id.index();
            let Some(spec) = self.parameters.get(index) else {
                return Err(Error::invalid(format!(
                    "{name} reads parameter {index}, but there are {}: use a whole file",
                    self.parameters.len()
                )));
            };
            if spec.role != parameter.role || spec.shape != parameter.shape {
                return Err(Error::invalid(format!(
                    "{name} needs {:?} of shape {:?}, but {} is {:?} of shape {:?}: use the \
                     parameters of this network",
                    parameter.role, parameter.shape, spec.name, spec.role, spec.shape
                )));
            }
            if let Some(reader) = self.readers[index] {
                return Err(Error::invalid(format!(
                    "{} is used by {} and by {name}: parameters that are used twice are not \
                     supported; use a network that has them once for each",
                    spec.name, self.nodes[reader.0].name
                )));
            }
        }
        Ok(())
    }

    /// The first parameter that no node reads.
    pub(super) fn unread(&self) -> Option<&ParameterSpec> {
        let mut each = self.parameters.iter().zip(&self.readers);
        each.find(|(_, reader)| reader.is_none())
            .map(|(spec, _)| spec)
    }

    /// Number of wires.
    #[must_use]
    pub const fn wires(&self) -> usize {
        self.nodes.len()
    }

    /// Declares a parameter.
    ///
    /// # Errors
    /// When another parameter has this name, or it would be empty or too large.
    pub fn parameter(&mut self, name: String, shape: &[usize], role: Role) -> Result<ParameterId> {
        let elements = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if elements.is_none_or(|elements| elements == 0 || elements > Shape::LIMIT) {
            return Err(Error::invalid(format!(
                "{name} of shape {shape:?} is empty, or has more than {} numbers: use a smaller layer",
                Shape::LIMIT
            )));
        }
        let name: Arc<str> = name.into();
        if !self.parameter_names.insert(name.clone()) {
            return Err(Error::invalid(format!(
                "two parameters are called {name}: give every parameter a name of its own"
            )));
        }
        self.parameters.push(ParameterSpec {
            name,
            shape: shape.to_vec(),
            role,
        });
        self.readers.push(None);
        Ok(ParameterId(self.parameters.len() - 1))
    }

    /// Declares a parameter of a node if it is asked for.
    fn optional(
        &mut self,
        is_there: bool,
        name: String,
        (shape, role): (&[usize], Role),
    ) -> Result<Option<ParameterId>> {
        is_there
            .then(|| self.parameter(name, shape, role))
            .transpose()
    }

    /// Fake quantization with its step size `name.step`.
    ///
    /// # Errors
    /// When another node has this name.
    pub fn quantize(&mut self, name: &str, input: NodeId, codes: Codes) -> Result<NodeId> {
        let step = self.parameter(format!("{name}.step"), &[1], Role::Step)?;
        self.insert(name, Quantize { codes, step }, &[input])
    }
}

/// Refuses what is empty, or more than can be held and counted.
fn check_size(name: &str, shape: Shape) -> Result<()> {
    match shape.checked_elements() {
        Some(_) => Ok(()),
        None => Err(Error::invalid(format!(
            "{name}: {shape} for one image are none, or more than {} numbers; use smaller images or a \
             smaller network",
            Shape::LIMIT
        ))),
    }
}

/// Refuses a layer of more multiply-accumulates than can be summed.
fn check_work(name: &str, weights: WeightShape) -> Result<()> {
    let macs = Layer::macs_of(&weights);
    if macs.is_some_and(|macs| macs <= MOST_MACS) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{name} takes more than {MOST_MACS} multiply-accumulates for one image; use smaller images or a \
         smaller network"
    )))
}
