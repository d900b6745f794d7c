//! A quantized network as an ONNX graph, node by node.

use prost::Message;

use super::proto::{self, Attribute, Model, OperatorSet, Property, Tensor, ValueInfo};
use super::{DILATED_MEANS, DOMAIN, IR_VERSION, OPSET};
use crate::engine::backend::{AverageWindow, Region, Span, Window};
use crate::engine::data::USUAL_SCALE;
use crate::engine::export::About;
use crate::engine::graph::operations::{
    Activate, BatchNorm, Codes, Convolution, Function, Linear, Pad, Scale,
};
use crate::engine::graph::{Graph, Node, NodeId, Operation, ParameterId, Shape};
use crate::engine::quant::{QuantizedNetwork, WeightQuantizer};
use crate::engine::seal;

/// The bytes of the file.
pub(super) fn file(about: &About, network: &QuantizedNetwork) -> Vec<u8> {
    let mut writer = Writer {
        network,
        graph: proto::Graph {
            name: about.model.clone(),
            ..proto::Graph::default()
        },
    };
    for id in network.graph.ids() {
        writer.node(id);
    }
    let (output, name) = (network.graph.output(), &about.model);
    let logits = writer.wire(output);
    writer.graph.value_info.retain(|value| value.name != logits);
    writer.graph.output = vec![ValueInfo::floats(
        &logits,
        &extents(network.graph.node(output).shape),
    )];
    let list = |values: &[f32]| {
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        texts.join(",")
    };
    let property = |(key, value): (&str, String)| Property {
        key: key.to_owned(),
        value,
    };
    let properties = [
        ("model", name.clone()),
        ("data", about.data.clone()),
        ("mean", list(&about.normalization.mean)),
        ("std", list(&about.normalization.std)),
    ];
    let sealed = (seal::KEY, seal::open());
    let properties = properties
        .into_iter()
        .chain(about.further())
        .chain([sealed]);
    let operators = |(domain, version): (&str, i64)| OperatorSet {
        domain: domain.to_owned(),
        version,
    };
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "hawqeye".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: doc_string(about),
        graph: Some(writer.graph),
        opset_import: [("", opset(&network.graph)), (DOMAIN, 1)]
            .map(operators)
            .into(),
        metadata_props: properties.map(property).collect(),
        ..Model::default()
    };
    let mut bytes = model.encode_to_vec();
    seal::seal(&mut bytes);
    bytes
}

/// Version of the ONNX operators that a network needs.
fn opset(graph: &Graph) -> i64 {
    let is_dilated_mean = |node: &Node| match &node.operation {
        Operation::AveragePool(pool) => pool.average.window.dilation != [1, 1],
        _ => false,
    };
    if graph.nodes().iter().any(is_dilated_mean) {
        DILATED_MEANS
    } else {
        OPSET
    }
}

/// Shape of a wire for one image.
fn extents(shape: Shape) -> Vec<usize> {
    match shape {
        Shape::Map {
            channels,
            height,
            width,
        } => vec![1, channels, height, width],
        Shape::Features(features) => vec![1, features],
    }
}

struct Writer<'a> {
    network: &'a QuantizedNetwork,
    graph: proto::Graph,
}

impl Writer<'_> {
    fn wire(&self, id: NodeId) -> String {
        self.network.graph.node(id).name.to_string()
    }

    fn node(&mut self, id: NodeId) {
        let node = self.network.graph.node(id).clone();
        let name = node.name.to_string();
        let inputs: Vec<String> = node.inputs.iter().map(|&input| self.wire(input)).collect();
        match &node.operation {
            Operation::Input(_) => {
                self.graph.input = vec![ValueInfo::floats(&name, &extents(node.shape))];
                return;
            }
            Operation::Convolution(convolution) => self.convolution(&name, convolution, inputs),
            Operation::Linear(linear) => self.linear(&name, (&node, linear), inputs),
            Operation::BatchNorm(norm) => self.normalization(&name, norm, inputs),
            Operation::Scale(scale) => self.scale(&name, scale, inputs),
            Operation::Activate(activate) => self.activate(&name, (&node, activate), inputs),
            Operation::Add(_) => self.push("Add", (&name, inputs), Vec::new()),
            Operation::Concat(_) => {
                self.push("Concat", (&name, inputs), vec![Attribute::int("axis", 1)]);
            }
            Operation::MaxPool(pool) => {
                self.push("MaxPool", (&name, inputs), window(&pool.window));
            }
            Operation::AveragePool(pool) => {
                let AverageWindow {
                    window: of,
                    counts_padding,
                } = pool.average;
                let mut attributes = window(&of);
                let counts = i64::from(counts_padding);
                attributes.push(Attribute::int("count_include_pad", counts));
                self.push("AveragePool", (&name, inputs), attributes);
            }
            Operation::GlobalAveragePool(_) => {
                self.push("GlobalAveragePool", (&name, inputs), Vec::new());
            }
            Operation::Flatten(_) => {
                self.push("Flatten", (&name, inputs), vec![Attribute::int("axis", 1)]);
            }
            Operation::Unflatten(_) => self.unflatten(&name, &node, inputs),
            Operation::Pad(pad) => self.pad(&name, (&node, pad), inputs),
            Operation::Slice(slice) => self.slice(&name, (&node, &slice.region), inputs),
            Operation::Quantize(quantize) => {
                let step = self.network.parameters.get(quantize.step)[0];
                self.quant(&name, &inputs[0], (quantize.codes, scalar(step)));
            }
        }
        self.graph
            .value_info
            .push(ValueInfo::floats(&name, &extents(node.shape)));
    }

    /// Adds a node of ONNX's own operators; its output has its name.
    fn push(
        &mut self,
        op_type: &str,
        (name, input): (&str, Vec<String>),
        attribute: Vec<Attribute>,
    ) {
        self.graph.node.push(proto::Node {
            input,
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: op_type.to_owned(),
            attribute,
            ..proto::Node::default()
        });
    }

    fn convolution(&mut self, name: &str, convolution: &Convolution, inputs: Vec<String>) {
        let shape = &convolution.shape;
        let weights = self.weights(name, convolution.weight);
        let mut inputs = [inputs, vec![weights]].concat();
        inputs.extend(convolution.bias.map(|bias| self.parameter(bias)));
        let attributes = vec![
            Attribute::ints("kernel_shape", &shape.kernel),
            Attribute::ints("strides", &shape.stride),
            Attribute::ints("pads", &shape.padding.list()),
            Attribute::ints("dilations", &shape.dilation),
            Attribute::int("group", shape.groups as i64),
        ];
        self.push("Conv", (name, inputs), attributes);
    }

    /// A linear layer; a map of one row and column becomes features first.
    fn linear(&mut self, name: &str, (node, linear): (&Node, &Linear), mut inputs: Vec<String>) {
        let read = self.network.graph.node(node.inputs[0]).shape;
        if matches!(read, Shape::Map { .. }) {
            let flat = format!("{name}.features");
            let axis = vec![Attribute::int("axis", 1)];
            self.push("Flatten", (&flat, inputs), axis);
            let extents = [1, read.elements()];
            self.graph
                .value_info
                .push(ValueInfo::floats(&flat, &extents));
            inputs = vec![flat];
        }
        inputs.push(self.weights(name, linear.weight));
        inputs.extend(linear.bias.map(|bias| self.parameter(bias)));
        self.push("Gemm", (name, inputs), vec![Attribute::int("transB", 1)]);
    }

    /// Batch normalisation; ONNX's has always a scale and a shift.
    fn normalization(&mut self, name: &str, norm: &BatchNorm, mut inputs: Vec<String>) {
        for (id, part, otherwise) in [(norm.scale, "ones", 1.0), (norm.shift, "zeros", 0.0)] {
            inputs.push(match id {
                Some(id) => self.parameter(id),
                None => self.of_channels(&format!("{name}.{part}"), (norm.channels, otherwise)),
            });
        }
        inputs.extend([norm.mean, norm.variance].map(|id| self.parameter(id)));
        let epsilon = Attribute::float("epsilon", norm.epsilon as f32);
        self.push("BatchNormalization", (name, inputs), vec![epsilon]);
    }

    /// Batch normalisation whose statistics do nothing.
    fn scale(&mut self, name: &str, scale: &Scale, mut inputs: Vec<String>) {
        let given = [scale.factor, scale.shift, None, None];
        let parts = [
            ("ones", 1.0),
            ("zeros", 0.0),
            ("mean", 0.0),
            ("variance", 1.0),
        ];
        for (id, (part, value)) in given.into_iter().zip(parts) {
            let name = format!("{name}.{part}");
            let id = id.map(|id| self.parameter(id));
            inputs.push(id.unwrap_or_else(|| self.of_channels(&name, (scale.channels, value))));
        }
        let epsilon = Attribute::float("epsilon", 0.0);
        self.push("BatchNormalization", (name, inputs), vec![epsilon]);
    }

    fn unflatten(&mut self, name: &str, node: &Node, mut inputs: Vec<String>) {
        let shape: Vec<i64> = extents(node.shape).iter().map(|&e| e as i64).collect();
        inputs.push(self.constant(Tensor::integers(&format!("{name}.shape"), &shape)));
        self.push("Reshape", (name, inputs), Vec::new());
    }

    /// One number for all channels, as a constant.
    fn of_channels(&mut self, name: &str, (channels, value): (usize, f32)) -> String {
        let values = vec![value; channels].into_iter();
        self.constant(Tensor::floats(name, &[channels], values))
    }

    fn activate(
        &mut self,
        name: &str,
        (node, activate): (&Node, &Activate),
        mut inputs: Vec<String>,
    ) {
        match activate.function {
            Function::Relu => self.push("Relu", (name, inputs), Vec::new()),
            Function::Clip { low, high } => {
                for (part, bound) in [("min", low), ("max", high)] {
                    // An input that is left out has no name.
                    inputs.push(if bound.is_finite() {
                        let values = [bound as f32].into_iter();
                        self.constant(Tensor::floats(&format!("{name}.{part}"), &[], values))
                    } else {
                        String::new()
                    });
                }
                self.push("Clip", (name, inputs), Vec::new());
            }
            Function::LeakyRelu { slope } => {
                let alpha = Attribute::float("alpha", slope as f32);
                self.push("LeakyRelu", (name, inputs), vec![alpha]);
            }
            Function::PRelu { slope, slopes, .. } => {
                let places = match node.shape {
                    Shape::Map { .. } => vec![1, 1],
                    Shape::Features(_) => Vec::new(),
                };
                let extents = [vec![slopes], places].concat();
                inputs.push(self.parameter_in(slope, &extents));
                self.push("PRelu", (name, inputs), Vec::new());
            }
        }
    }

    /// Zeros around channels, rows and columns.
    fn pad(&mut self, name: &str, (node, pad): (&Node, &Pad), mut inputs: Vec<String>) {
        let [before, after] = pad.channels;
        let [top, left, bottom, right] = pad.places.list();
        let pads = match node.shape {
            Shape::Map { .. } => vec![0, before, top, left, 0, after, bottom, right],
            Shape::Features(_) => vec![0, before, 0, after],
        };
        let pads: Vec<i64> = pads.into_iter().map(|count| count as i64).collect();
        inputs.push(self.constant(Tensor::integers(&format!("{name}.pads"), &pads)));
        self.push("Pad", (name, inputs), Vec::new());
    }

    /// The parts of the axes that are not taken whole.
    fn slice(&mut self, name: &str, (node, region): (&Node, &Region), mut inputs: Vec<String>) {
        let whole = Region::whole(self.network.graph.node(node.inputs[0]).shape);
        let axes = [
            (1, region.channels, whole.channels),
            (2, region.rows, whole.rows),
            (3, region.columns, whole.columns),
        ];
        let taken: Vec<(i64, Span)> = axes
            .into_iter()
            .filter(|(axis, part, of)| part != of || *axis == 1 && *region == whole)
            .map(|(axis, part, _)| (axis, part))
            .collect();
        let end = |part: &Span| part.start + (part.count - 1) * part.step + 1;
        let lists = [
            (
                "starts",
                taken.iter().map(|(_, part)| part.start as i64).collect(),
            ),
            (
                "ends",
                taken.iter().map(|(_, part)| end(part) as i64).collect(),
            ),
            ("axes", taken.iter().map(|(axis, _)| *axis).collect()),
            (
                "steps",
                taken.iter().map(|(_, part)| part.step as i64).collect(),
            ),
        ];
        for (part, values) in lists {
            let values: Vec<i64> = values;
            inputs.push(self.constant(Tensor::integers(&format!("{name}.{part}"), &values)));
        }
        self.push("Slice", (name, inputs), Vec::new());
    }

    /// Adds a constant; its name.
    fn constant(&mut self, tensor: Tensor) -> String {
        let name = tensor.name.clone();
        self.graph.initializer.push(tensor);
        name
    }

    /// The weights of a layer, behind their `Quant` node if they are quantized.
    fn weights(&mut self, layer: &str, weight: ParameterId) -> String {
        let plain = self.parameter(weight);
        let mut quantizers = self.network.quantizers.iter().flatten();
        let Some(WeightQuantizer { grids, .. }) =
            quantizers.find(|quantizer| quantizer.weight == weight)
        else {
            return plain;
        };
        let name = format!("{layer}.quantized");
        let shape = self.network.graph.parameters()[weight.index()]
            .shape
            .clone();
        let scale = match grids.steps.as_slice() {
            [one] => scalar(*one),
            each => {
                let mut extents = vec![1; shape.len()];
                extents[0] = each.len();
                (extents, each.to_vec())
            }
        };
        self.quant(&name, &plain, (grids.codes, scale));
        self.graph.value_info.push(ValueInfo::floats(&name, &shape));
        name
    }

    fn quant(&mut self, name: &str, input: &str, (codes, scale): (Codes, Values)) {
        let constants = [
            ("scale", scale),
            ("zero_point", scalar(0.0)),
            ("bits", scalar(codes.bits().get().into())),
        ]
        .map(|(part, (extents, values))| {
            let values = values.iter().map(|&value| value as f32);
            Tensor::floats(&format!("{name}.{part}"), &extents, values)
        });
        let signed = i64::from(matches!(codes, Codes::Signed(_)));
        let mut inputs = vec![input.to_owned()];
        inputs.extend(constants.iter().map(|tensor| tensor.name.clone()));
        self.graph.initializer.extend(constants);
        self.graph.node.push(proto::Node {
            input: inputs,
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: "Quant".to_owned(),
            attribute: vec![
                Attribute::int("signed", signed),
                Attribute::int("narrow", signed),
                Attribute::text("rounding_mode", "ROUND"),
            ],
            domain: DOMAIN.to_owned(),
            ..proto::Node::default()
        });
    }

    /// A parameter as an initializer; weights as they are on their grids, so that no rounding of
    /// another program can move them.
    fn parameter(&mut self, id: ParameterId) -> String {
        let extents = self.network.graph.parameters()[id.index()].shape.clone();
        self.parameter_in(id, &extents)
    }

    /// The same with other extents.
    fn parameter_in(&mut self, id: ParameterId, extents: &[usize]) -> String {
        let spec = &self.network.graph.parameters()[id.index()];
        let effective = self.network.values_on_grid(id);
        let values = effective.iter().map(|&value| value as f32);
        let tensor = Tensor::floats(&spec.name, extents, values);
        self.constant(tensor)
    }
}

/// Extents and values of a constant.
type Values = (Vec<usize>, Vec<f64>);

fn scalar(value: f64) -> Values {
    (Vec::new(), vec![value])
}

fn window(window: &Window) -> Vec<Attribute> {
    let mut attributes = vec![
        Attribute::ints("kernel_shape", &window.kernel),
        Attribute::ints("strides", &window.stride),
        Attribute::ints("pads", &window.padding.list()),
    ];
    if window.dilation != [1, 1] {
        attributes.push(Attribute::ints("dilations", &window.dilation));
    }
    if window.ceil {
        attributes.push(Attribute::int("ceil_mode", 1));
    }
    attributes
}
/// How pixels become what the network reads.
fn doc_string(about: &About) -> String {
    let scale = about.normalization.pixel_scale;
    let scaled = if scale.to_bits() == USUAL_SCALE.to_bits() {
        "pixel / 255".to_owned()
    } else {
        format!("{scale} pixel")
    };
    format!("input: ({scaled} - mean) / std, channels first")
}
