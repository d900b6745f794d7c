//! From the graph of a file to plain operations: one pass over its nodes in order.

mod activation;
mod common;
mod elementwise;
mod finish;
mod image;
mod layer;
mod links;
mod norm;
mod onnx;
mod operands;
mod pooling;
mod pt2;
mod shape;
mod table;
mod whole;

use std::collections::{BTreeMap, HashMap};

use super::Options;
use super::call::{Budget, Call, Constant, Value};
use super::lowered::{Form, Layout, Network, Operation, Parameter, ParameterId, Refused};
use super::origin::{Origin, Turn, Values};
use super::source::{Container, Given, Node, Read, SourceGraph};
use super::tensor::Tensor;
use image::{image, image_form};
use links::Links;
use table::Entry;
pub use table::{Supported, supported};

/// Elements that evaluation may make of a file without weights.
const FREE_ELEMENTS: usize = 1 << 20;
/// How often the elements of a file's weights may be made anew.
const COPIES: usize = 4;
/// Largest extent of an image, so that sizes cannot overflow.
const EXTENT: usize = 1 << 16;

/// The network of a graph. Where the order of the image's extents is open, both are tried: the order in
/// which the network is followed further is the right one.
///
/// # Errors
/// A sentence when the image is not what a network reads.
pub(super) fn network(graph: &SourceGraph, options: Options) -> Read<Network> {
    let given = image(graph)?;
    let first = Translator::new(graph, given, (Layout::ChannelsFirst, options))?.finish();
    let rank = given.extents.as_ref().map_or(0, Vec::len);
    if first.refused.is_empty() || rank != 4 {
        return Ok(first);
    }
    match Translator::new(graph, given, (Layout::ChannelsLast, options)) {
        Ok(last) => {
            let last = last.finish();
            Ok(if reach(&last) > reach(&first) {
                last
            } else {
                first
            })
        }
        Err(_) => Ok(first),
    }
}

/// How far a network could be followed: outputs, then layers.
fn reach(network: &Network) -> (usize, usize) {
    let outputs = network
        .outputs
        .iter()
        .filter(|output| output.step.is_some());
    let layers = network
        .steps
        .iter()
        .filter(|step| step.operation.weights().is_some());
    (outputs.count(), layers.count())
}

/// A node that cannot be translated, and why.
pub(super) type Parsed = Read<Vec<Value>>;

struct Translator<'g> {
    graph: &'g SourceGraph,
    table: HashMap<&'static str, &'static Entry>,
    input: &'g Given,
    layout: Layout,
    batch: usize,
    values: HashMap<String, Value>,
    budget: Budget,
    /// Who reads and writes values.
    links: Links<'g>,
    steps: Vec<Draft<'g>>,
    parameters: Vec<Parameter>,
    /// Layers by the tensor of their weights.
    layers: HashMap<String, usize>,
    refusals: Vec<Refused>,
    operations: BTreeMap<String, usize>,
    softmax: Option<String>,
    /// Quantizers of activations, of which the range alone is kept.
    quantizers: usize,
}

/// A step in the making.
struct Draft<'g> {
    node: Option<&'g Node>,
    operation: Operation,
    inputs: Vec<usize>,
    form: Form,
}

impl<'g> Translator<'g> {
    fn new(graph: &'g SourceGraph, input: &'g Given, how: (Layout, Options)) -> Read<Self> {
        let (layout, options) = how;
        let entries = table::entries(graph.container).iter();
        let stored: usize = graph
            .constants
            .values()
            .map(|stored| stored.tensor.len())
            .sum();
        let image = image_form(input, layout, options)?;
        let mut translator = Self {
            graph,
            table: entries.map(|entry| (entry.name, entry)).collect(),
            input,
            layout,
            batch: image.batch,
            values: HashMap::new(),
            budget: Budget::new(stored.saturating_mul(COPIES).saturating_add(FREE_ELEMENTS)),
            links: Links::of(graph),
            steps: Vec::new(),
            parameters: Vec::new(),
            layers: HashMap::new(),
            refusals: Vec::new(),
            operations: BTreeMap::new(),
            softmax: None,
            quantizers: 0,
        };
        translator.steps.push(Draft {
            node: None,
            operation: Operation::Input,
            inputs: Vec::new(),
            form: image.form,
        });
        translator
            .values
            .insert(input.name.clone(), Value::Wire(image));
        translator.constants();
        for node in &graph.nodes {
            translator.node(node);
        }
        Ok(translator)
    }

    fn constants(&mut self) {
        for (name, stored) in &self.graph.constants {
            let constant = Constant {
                tensor: stored.tensor.clone(),
                origin: Some(Origin {
                    shape: Some(stored.tensor.shape.clone()),
                    ..Origin::of(stored.tensor_name.clone(), Values::Original)
                }),
            };
            self.values.insert(name.clone(), Value::Constant(constant));
        }
    }

    fn node(&mut self, node: &'g Node) {
        let wires = node.inputs.iter().filter(|name| {
            matches!(
                self.values.get(*name),
                Some(Value::Wire(_) | Value::Unknown)
            )
        });
        let on_images = wires.count() > 0;
        let listed = self.listed(node);
        let Some(&entry) = self.table.get(&*listed) else {
            self.refuse(node, "it is not known");
            return self.unknown(node);
        };
        let written = match (on_images, entry.evaluate) {
            (false, Some(evaluate)) => self.evaluated(node, evaluate),
            _ if self.reads_unknown(node) => {
                *self.operations.entry(node.operation.clone()).or_insert(0) += 1;
                if let Some(reason) = entry.refused {
                    self.refuse(node, reason);
                }
                return self.unknown(node);
            }
            _ => match (entry.parse, entry.refused) {
                (Some(parse), _) => parse(self, node),
                (None, Some(reason)) => self.opaque(node, reason),
                (None, None) => Err("it is computed from the image: expected constants".into()),
            },
        };
        match written {
            Ok(values) => {
                if values.iter().any(|value| matches!(value, Value::Wire(_))) {
                    *self.operations.entry(node.operation.clone()).or_insert(0) += 1;
                }
                let named = node.outputs.iter().zip(values);
                named.for_each(|(name, value)| drop(self.values.insert(name.clone(), value)));
                // What is left over, such as the places of a maximum, is understood by nobody.
                for name in &node.outputs {
                    self.values.entry(name.clone()).or_insert(Value::Unknown);
                }
            }
            Err(reason) => {
                *self.operations.entry(node.operation.clone()).or_insert(0) += 1;
                self.refuse(node, &reason);
                self.unknown(node);
            }
        }
    }

    /// The name under which the operation of a node is in the table.
    fn listed(&self, node: &Node) -> String {
        match self.graph.container {
            Container::Onnx => node.operation.clone(),
            Container::Pt2 => pt2::listed(&node.operation),
        }
    }

    fn reads_unknown(&self, node: &Node) -> bool {
        let mut values = node.inputs.iter().filter_map(|name| self.values.get(name));
        values.any(|value| matches!(value, Value::Unknown))
    }

    fn unknown(&mut self, node: &Node) {
        for name in &node.outputs {
            self.values.insert(name.clone(), Value::Unknown);
        }
    }

    fn evaluated(&mut self, node: &'g Node, evaluate: table::Evaluate) -> Parsed {
        let call = self.call(node);
        let tensors = evaluate(&call)?;
        let constant = |tensor| {
            let origin = origin(&call, &tensor);
            Value::Constant(Constant { tensor, origin })
        };
        Ok(tensors.into_iter().map(constant).collect())
    }

    fn call<'a>(&'a self, node: &'a Node) -> Call<'a> {
        Call {
            node,
            values: &self.values,
            budget: &self.budget,
        }
    }

    /// Adds to the list of what is not supported.
    fn refuse(&mut self, node: &Node, reason: &str) {
        let (operation, first) = (&node.operation, super::names::node(node));
        let mut listed = self.refusals.iter_mut();
        match listed.find(|r| r.operation == *operation && r.reason == reason) {
            Some(listed) => listed.count += 1,
            None => self.refusals.push(Refused {
                operation: operation.clone(),
                reason: reason.to_owned(),
                count: 1,
                first,
            }),
        }
    }

    /// Adds a step; the place is its wire.
    fn step(
        &mut self,
        node: &'g Node,
        operation: Operation,
        inputs: &[usize],
        form: Form,
    ) -> usize {
        self.steps.push(Draft {
            node: Some(node),
            operation,
            inputs: inputs.to_vec(),
            form,
        });
        self.steps.len() - 1
    }

    /// Adds numbers.
    fn parameter(&mut self, shape: &[usize], constant: &Constant) -> Read<ParameterId> {
        let values = constant.tensor.to_floats();
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            let name = constant
                .origin
                .as_ref()
                .map_or("a constant", |origin| &origin.tensor);
            return Err(format!(
                "{name} holds {value}: expected finite numbers; in float16 or float64 they may have \
                 been too large, save it in float32"
            ));
        }
        let mut origin = constant.origin.clone();
        if let Some(origin) = &mut origin {
            origin.shape = origin.shape.take().filter(|own| *own != shape);
        }
        self.parameters.push(Parameter {
            shape: shape.to_vec(),
            values,
            origin,
        });
        Ok(ParameterId(self.parameters.len() - 1))
    }
}

/// Which tensor of the file the result of an evaluation came from; none where it is about shapes.
fn origin(call: &Call, result: &Tensor) -> Option<Origin> {
    let node = call.node;
    let operands = (0..node.inputs.len()).filter_map(|place| match call.value(place) {
        Some(Value::Constant(constant)) => Some(constant),
        _ => None,
    });
    let operands: Vec<&Constant> = operands.collect();
    if operands.is_empty() {
        let name = node.outputs.first()?;
        let is_held = node.operation == "Constant";
        return is_held.then(|| Origin {
            shape: Some(result.shape.clone()),
            ..Origin::of(name.clone(), Values::Original)
        });
    }
    let done = match &*node.operation {
        name if table::KEEPING.contains(&name) => Values::Original,
        name if table::TURNING.contains(&name) => Values::Transposed,
        _ => Values::Folded,
    };
    let main = if done == Values::Folded {
        let named = operands.iter().filter(|constant| constant.origin.is_some());
        named.max_by_key(|constant| constant.tensor.len())?
    } else {
        operands.first()?
    };
    let is_about_shapes = matches!(result.values, super::tensor::Values::Integers(_));
    if main.tensor.len() != result.len() || (done == Values::Folded && is_about_shapes) {
        return None;
    }
    let origin = main.origin.as_ref()?;
    if done != Values::Transposed {
        return Some(origin.then(done));
    }
    let shape = main.tensor.shape.clone();
    let order = match &*node.operation {
        "Transpose" => onnx::order_of(call, shape.len()),
        _ => pt2::order_of(call, shape.len()),
    };
    Some(origin.turned(Turn {
        shape,
        order: order.ok()?,
    }))
}

/// A tensor as the constant of a file that no name is known of.
fn made(tensor: Tensor) -> Value {
    Value::Constant(Constant::made(tensor))
}

/// Refuses sizes that cannot be counted.
fn checked(form: Form) -> Read<Form> {
    const MOST: usize = 1 << 36;
    let product = form
        .extents()
        .iter()
        .try_fold(1_usize, |n, &extent| n.checked_mul(extent));
    match product {
        Some(1..=MOST) => Ok(form),
        _ => Err(format!(
            "its output has a shape of {}",
            super::tensor::spelled(&form.extents())
        )),
    }
}
