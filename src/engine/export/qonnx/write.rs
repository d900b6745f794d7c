//! A quantized network as an ONNX graph, node by node.

use prost::Message;

use super::proto::{self, Attribute, Model, OperatorSet, Property, Tensor, ValueInfo};
use super::{DOMAIN, IR_VERSION, OPSET};
use crate::engine::backend::{ShortcutShape, Window};
use crate::engine::export::About;
use crate::engine::graph::operations::{Codes, Convolution};
use crate::engine::graph::{Node, NodeId, Operation, ParameterId, Shape};
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
        (seal::KEY, seal::open()),
    ];
    let operators = |(domain, version): (&str, i64)| OperatorSet {
        domain: domain.to_owned(),
        version,
    };
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "hawqeye".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: "input: (pixel / 255 - mean) / std, channels first".to_owned(),
        graph: Some(writer.graph),
        opset_import: [("", OPSET), (DOMAIN, 1)].map(operators).into(),
        metadata_props: properties.map(property).into(),
        ..Model::default()
    };
    let mut bytes = model.encode_to_vec();
    seal::seal(&mut bytes);
    bytes
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
            Operation::Linear(linear) => {
                let weights = self.weights(&name, linear.weight);
                let mut inputs = [inputs, vec![weights]].concat();
                inputs.extend(linear.bias.map(|bias| self.parameter(bias)));
                self.push("Gemm", (&name, inputs), vec![Attribute::int("transB", 1)]);
            }
            Operation::BatchNorm(norm) => {
                let parameters = [norm.scale, norm.shift, norm.mean, norm.variance];
                let parameters = parameters.map(|id| self.parameter(id));
                let inputs = [inputs, parameters.into()].concat();
                let epsilon = Attribute::float("epsilon", norm.epsilon as f32);
                self.push("BatchNormalization", (&name, inputs), vec![epsilon]);
            }
            Operation::Relu(_) => self.push("Relu", (&name, inputs), Vec::new()),
            Operation::Add(_) => self.push("Add", (&name, inputs), Vec::new()),
            Operation::Concat(_) => {
                self.push("Concat", (&name, inputs), vec![Attribute::int("axis", 1)]);
            }
            Operation::MaxPool(pool) => {
                self.push("MaxPool", (&name, inputs), window(&pool.window));
            }
            Operation::AveragePool(pool) => {
                let mut attributes = window(&pool.window);
                attributes.push(Attribute::int("count_include_pad", 1));
                self.push("AveragePool", (&name, inputs), attributes);
            }
            Operation::GlobalAveragePool(_) => self.pooled(&name, &node, inputs),
            Operation::Flatten(_) => {
                self.push("Flatten", (&name, inputs), vec![Attribute::int("axis", 1)]);
            }
            Operation::Shortcut(shortcut) => self.shortcut(&name, (&node, &shortcut.shape), inputs),
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
        let [above, left] = shape.padding;
        let attributes = vec![
            Attribute::ints("kernel_shape", &shape.kernel),
            Attribute::ints("strides", &shape.stride),
            Attribute::ints("pads", &[above, left, above, left]),
            Attribute::ints("dilations", &shape.dilation),
            Attribute::int("group", shape.groups as i64),
        ];
        self.push("Conv", (name, inputs), attributes);
    }

    /// The mean of each channel, as features.
    fn pooled(&mut self, name: &str, node: &Node, inputs: Vec<String>) {
        let map = format!("{name}.map");
        let features = node.shape.elements();
        let extents = [1, features, 1, 1];
        self.push("GlobalAveragePool", (&map, inputs), Vec::new());
        self.graph
            .value_info
            .push(ValueInfo::floats(&map, &extents));
        self.push(
            "Flatten",
            (name, vec![map]),
            vec![Attribute::int("axis", 1)],
        );
    }

    /// Every `stride`-th row and column, then zeros for the channels there are not.
    fn shortcut(
        &mut self,
        name: &str,
        (node, shape): (&Node, &ShortcutShape),
        inputs: Vec<String>,
    ) {
        let Shape::Map {
            channels: read,
            height: rows,
            width: columns,
        } = self.network.graph.node(node.inputs[0]).shape
        else {
            unreachable!("invariant: a shortcut reads a map");
        };
        let constant =
            |part: &str, values: &[i64]| Tensor::integers(&format!("{name}.{part}"), values);
        let stride = shape.stride as i64;
        let slices = [
            constant("starts", &[0, 0]),
            constant("ends", &[rows as i64, columns as i64]),
            constant("axes", &[2, 3]),
            constant("steps", &[stride, stride]),
        ];
        let before = (shape.out_channels - read) / 2;
        let after = shape.out_channels - read - before;
        let pads = constant("pads", &[0, before as i64, 0, 0, 0, after as i64, 0, 0]);
        let sliced = format!("{name}.sliced");
        let names = slices.iter().map(|tensor| tensor.name.clone());
        let sources = inputs.into_iter().chain(names).collect();
        self.push("Slice", (&sliced, sources), Vec::new());
        if let Shape::Map { height, width, .. } = node.shape {
            let extents = [1, read, height, width];
            self.graph
                .value_info
                .push(ValueInfo::floats(&sliced, &extents));
        }
        self.push("Pad", (name, vec![sliced, pads.name.clone()]), Vec::new());
        self.graph.initializer.extend(slices);
        self.graph.initializer.push(pads);
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
        let spec = &self.network.graph.parameters()[id.index()];
        let effective = self.network.values_on_grid(id);
        let values = effective.iter().map(|&value| value as f32);
        let tensor = Tensor::floats(&spec.name, &spec.shape, values);
        let name = tensor.name.clone();
        self.graph.initializer.push(tensor);
        name
    }
}

/// Extents and values of a constant.
type Values = (Vec<usize>, Vec<f64>);

fn scalar(value: f64) -> Values {
    (Vec::new(), vec![value])
}

fn window(window: &Window) -> Vec<Attribute> {
    let [above, left] = window.padding;
    vec![
        Attribute::ints("kernel_shape", &window.kernel),
        Attribute::ints("strides", &window.stride),
        Attribute::ints("pads", &[above, left, above, left]),
    ]
}
