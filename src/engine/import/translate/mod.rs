//! From the graph of a file to plain operations: one pass over its nodes in order.

mod activation;
mod elementwise;
mod finish;
mod layer;
mod norm;
mod onnx;
mod pooling;
mod pt2;
mod shape;
mod table;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Options;
use super::call::{Budget, Call, Constant, Origin, Value, Values};
use super::lowered::{Form, Layout, Network, Operation, Parameter, ParameterId, Refused};
use super::source::{Container, Given, Node, Read, SourceGraph};
use super::tensor::Tensor;
use super::view::Wire;
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

/// The one input that is read.
fn image(graph: &SourceGraph) -> Read<&Given> {
    let read: HashSet<&str> = graph
        .nodes
        .iter()
        .flat_map(|node| &node.inputs)
        .map(|n| &**n)
        .collect();
    let mut used = graph
        .inputs
        .iter()
        .filter(|given| read.contains(&*given.name));
    match (used.next(), used.next()) {
        (Some(given), None) => Ok(given),
        (None, _) => Err("the network reads no input; export it again".into()),
        (Some(first), Some(second)) => Err(format!(
            "the network reads several inputs ({}, {}): expected one, the image; export it with the \
             others fixed",
            first.name, second.name
        )),
    }
}

/// A node that cannot be translated, and why.
pub(super) type Parsed = Read<Vec<Value>>;

/// Who reads a value.
#[derive(Default)]
struct Readers<'g> {
    /// How many nodes; outputs count too.
    count: usize,
    /// The last of the nodes.
    last: Option<&'g Node>,
}

struct Translator<'g> {
    graph: &'g SourceGraph,
    table: HashMap<&'static str, &'static Entry>,
    input: &'g Given,
    layout: Layout,
    batch: usize,
    values: HashMap<String, Value>,
    budget: Budget,
    /// Who reads a value.
    readers: HashMap<&'g str, Readers<'g>>,
    /// The node that writes a value.
    writers: HashMap<&'g str, &'g Node>,
    steps: Vec<Draft<'g>>,
    parameters: Vec<Parameter>,
    /// Layers by the tensor of their weights.
    layers: HashMap<String, usize>,
    refusals: Vec<Refused>,
    operations: BTreeMap<String, usize>,
    softmax: Option<String>,
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
        let mut readers: HashMap<&str, Readers> = HashMap::new();
        let read = graph
            .nodes
            .iter()
            .flat_map(|node| node.inputs.iter().map(move |name| (name, Some(node))));
        let answered = graph.outputs.iter().map(|name| (name, None));
        for (name, node) in read.chain(answered) {
            let readers = readers.entry(&**name).or_default();
            readers.count += 1;
            readers.last = node.or(readers.last);
        }
        let written = |node: &'g Node| node.outputs.iter().map(move |name| (&**name, node));
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
            readers,
            writers: graph.nodes.iter().flat_map(written).collect(),
            steps: Vec::new(),
            parameters: Vec::new(),
            layers: HashMap::new(),
            refusals: Vec::new(),
            operations: BTreeMap::new(),
            softmax: None,
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
                    tensor: stored.tensor_name.clone(),
                    values: Values::Original,
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
        self.parameters.push(Parameter {
            shape: shape.to_vec(),
            values,
            origin: constant.origin.clone(),
        });
        Ok(ParameterId(self.parameters.len() - 1))
    }

    /// The wire at a place among what a node reads.
    fn wire(&self, node: &Node, place: usize) -> Read<Wire> {
        match self.call(node).value(place) {
            Some(Value::Wire(wire)) => Ok(wire.clone()),
            Some(_) => Err(format!(
                "{} is constant: expected what an image gives",
                node.inputs[place]
            )),
            None => Err(format!("its input {} is missing", place + 1)),
        }
    }

    /// The constant at a place among what a node reads; nothing when it is a wire or left out.
    fn constant(&self, node: &Node, place: usize) -> Option<Constant> {
        match self.call(node).value(place) {
            Some(Value::Constant(constant)) => Some(constant.clone()),
            _ => None,
        }
    }

    /// Whether a node is the only one that reads what a step writes: views of it count as their readers.
    fn is_alone(&self, node: &Node, step: usize) -> bool {
        let reads = |node: &'_ Node| {
            let mut read = node.inputs.iter();
            let name = read.find(|name| {
                matches!(self.values.get(*name), Some(Value::Wire(wire)) if wire.step == step)
            });
            name.cloned()
        };
        let own = self.steps[step].node;
        if own.is_some_and(|own| std::ptr::eq(own, node)) {
            return true;
        }
        let mut name = reads(node);
        while let Some(read) = name {
            if self
                .readers
                .get(&*read)
                .is_none_or(|readers| readers.count != 1)
            {
                return false;
            }
            let Some(&writer) = self.writers.get(&*read) else {
                return false;
            };
            // The views between the step and the node write the same wire.
            name = reads(writer);
            if name.is_none() {
                return true;
            }
        }
        false
    }

    /// A wire as a map that is seen in the usual order, whichever layout the file has.
    fn as_map(&mut self, node: &'g Node, wire: &Wire) -> Read<(Wire, Layout)> {
        let layout = wire.layout().ok_or_else(|| {
            format!(
                "it reads {}: expected images of channels, rows and columns",
                super::tensor::spelled(&wire.shape())
            )
        })?;
        let Form::Features(features) = wire.form else {
            return Ok((wire.clone(), layout));
        };
        let form = Form::Map {
            channels: features,
            rows: 1,
            columns: 1,
        };
        let step = self.step(node, Operation::Unflatten, &[wire.step], form);
        Ok((Wire::map(step, form, self.batch, layout), layout))
    }

    /// A wire as a map whose channels come before its rows and columns in the file, as windows read it.
    fn as_images(&mut self, node: &'g Node, wire: &Wire) -> Read<Wire> {
        match self.as_map(node, wire)? {
            (map, Layout::ChannelsFirst) => Ok(map),
            (_, Layout::ChannelsLast) => Err(format!(
                "the channels of {} are its last extent: expected channels, rows and columns in this order",
                super::tensor::spelled(&wire.shape())
            )),
        }
    }

    /// A wire as features in channel, row, column order.
    fn as_features(&mut self, node: &'g Node, wire: &Wire) -> Read<Wire> {
        if !wire.is_vector() {
            let shape = super::tensor::spelled(&wire.shape());
            return Err(format!("it reads {shape}: expected vectors"));
        }
        if !wire.axes[1].is_sorted() {
            return Err("its features are of a map in another order".into());
        }
        if matches!(wire.form, Form::Features(_)) {
            return Ok(wire.clone());
        }
        let features = wire.form.elements();
        let step = self.step(
            node,
            Operation::Flatten,
            &[wire.step],
            Form::Features(features),
        );
        Ok(Wire::features(step, features, self.batch))
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
            tensor: name.clone(),
            values: Values::Original,
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
    Some(Origin {
        tensor: origin.tensor.clone(),
        values: origin.values.max(done),
    })
}

/// The image as the file sees it.
fn image_form(input: &Given, layout: Layout, options: Options) -> Read<Wire> {
    let refused = |got: &str| {
        format!(
            "input {}: expected images of channels, rows and columns, or vectors, got {got}; export \
             the network with such an input",
            input.name
        )
    };
    let extents = input.extents.as_ref().ok_or_else(|| refused("no shape"))?;
    let batch = extents.first().copied().flatten().unwrap_or(1);
    let rank = extents.len();
    let open = |axis: &str| {
        format!(
            "input {}: the number of its {axis} is open; say it with --size, or export the network \
             with a fixed size",
            input.name
        )
    };
    let size = options.size;
    let extent = |at: usize, axis: &str, given: Option<usize>| {
        let length = extents[at].or(given).ok_or_else(|| open(axis))?;
        let fits = (1..=EXTENT).contains(&length);
        fits.then_some(length)
            .ok_or_else(|| refused(&format!("{length} {axis}")))
    };
    let (rows, columns) = (size.map(|size| size[0]), size.map(|size| size[1]));
    let map = |channels, rows, columns| Form::Map {
        channels,
        rows,
        columns,
    };
    if !(1..=EXTENT).contains(&batch) {
        return Err(refused(&format!("{batch} images")));
    }
    let wire = match (rank, layout) {
        (2, _) => Wire::features(0, extent(1, "features", None)?, batch),
        (3, _) => {
            let form = map(1, extent(1, "rows", rows)?, extent(2, "columns", columns)?);
            let mut wire = Wire::map(0, form, batch, Layout::ChannelsFirst);
            wire.axes.remove(1);
            wire
        }
        (4, Layout::ChannelsFirst) => {
            let channels = extent(1, "channels", None)?;
            let form = map(
                channels,
                extent(2, "rows", rows)?,
                extent(3, "columns", columns)?,
            );
            Wire::map(0, form, batch, layout)
        }
        (4, Layout::ChannelsLast) => {
            let channels = extent(3, "channels", None)?;
            let form = map(
                channels,
                extent(1, "rows", rows)?,
                extent(2, "columns", columns)?,
            );
            Wire::map(0, form, batch, layout)
        }
        (rank, _) => return Err(refused(&format!("{rank} extents"))),
    };
    checked(wire.form).map_err(|_| refused(&super::tensor::spelled(&wire.form.extents())))?;
    Ok(wire)
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
