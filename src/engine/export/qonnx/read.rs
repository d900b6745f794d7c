//! A network from the ONNX files that are written here. Everything is taken from the file: nodes,
//! wires, scales and weights; what is not understood is refused by name.

use std::collections::HashMap;
use std::path::Path;

use prost::Message;

use super::DOMAIN;
use super::proto::{self, FLOAT, INT64, Model, Tensor};
use crate::engine::backend::{AverageWindow, Pads, Region, Span, Window};
use crate::engine::counts::counted;
use crate::engine::graph::operations::{Codes, Pad};
use crate::engine::graph::{
    Builder, ConvolutionOptions, Graph, LinearOptions, NodeId, NormOptions, Parameters, Shape,
};
use crate::engine::quant::{Bits, Grids};
use crate::engine::{Error, Result, files, seal};

/// Largest file that is read.
const LIMIT: u64 = 2 << 30;

type Read<T> = std::result::Result<T, String>;

/// The network of a file.
///
/// # Errors
/// When the file cannot be read, or holds what is not written here.
pub fn network(path: &Path) -> Result<(Graph, Parameters)> {
    let bytes = files::read_limited(path, LIMIT)?;
    let whole = seal::check(&bytes, bytes.len()).and_then(|()| decode(&bytes));
    whole.map_err(|reason| Error::format(path, reason))
}

fn decode(bytes: &[u8]) -> Read<(Graph, Parameters)> {
    let model = Model::decode(bytes)
        .map_err(|_| "expected an ONNX file; it is cut off or damaged: export it again")?;
    let graph = model
        .graph
        .ok_or("expected an ONNX file with a graph, got none; export it again")?;
    let [input] = &graph.input[..] else {
        return Err("expected one input".to_owned());
    };
    let image = match input.dims().as_deref() {
        Some(&[1, channels, height, width]) => {
            Shape::map(channels as usize, height as usize, width as usize)
        }
        Some(&[1, features]) => Shape::Features(features as usize),
        _ => {
            return Err(format!(
                "input {}: expected 1 x channels x rows x columns, or 1 x features",
                input.name
            ));
        }
    };
    let (builder, image) = Builder::new(image);
    let mut reader = Reader {
        builder,
        constants: graph.initializer.iter().map(|t| (&*t.name, t)).collect(),
        wires: HashMap::from([(&*input.name, Wire::Node(image))]),
        values: HashMap::new(),
    };
    for node in &graph.node {
        reader
            .node(node)
            .map_err(|reason| format!("{}: {reason}", node.name))?;
    }
    let logits = graph.output.first().ok_or("the file names no output")?;
    match reader.wires.get(&*logits.name) {
        Some(Wire::Node(id)) if id.index() + 1 == graph_len(&reader) => {}
        _ => return Err("the last node does not drive the output".to_owned()),
    }
    reader.finish()
}

fn graph_len(reader: &Reader) -> usize {
    reader.builder.clone().finish().nodes().len()
}

/// What an ONNX value is here.
#[derive(Clone)]
enum Wire {
    /// A wire of the graph.
    Node(NodeId),
    /// Weights on their grid, of so many output channels.
    Weights(Vec<f64>, usize),
}

struct Reader<'a> {
    builder: Builder,
    constants: HashMap<&'a str, &'a Tensor>,
    wires: HashMap<&'a str, Wire>,
    /// Parameter values by name.
    values: HashMap<String, Vec<f64>>,
}

impl<'a> Reader<'a> {
    fn node(&mut self, node: &'a proto::Node) -> Read<()> {
        let wire = match (&*node.domain, &*node.op_type) {
            (DOMAIN, "Quant") => self.quant(node)?,
            ("", op_type) => Wire::Node(self.operation(node, op_type)?),
            (domain, op_type) => return Err(format!("unknown operation {domain} {op_type}")),
        };
        let [output] = &node.output[..] else {
            return Err("expected one output".to_owned());
        };
        self.wires.insert(output, wire);
        Ok(())
    }

    fn operation(&mut self, node: &'a proto::Node, op_type: &str) -> Read<NodeId> {
        let said = |error: Error| error.to_string();
        match op_type {
            "Conv" => self.convolution(node),
            "Gemm" => self.linear(node),
            "BatchNormalization" => self.batch_norm(node),
            "Pad" => self.pad(node),
            "Slice" => self.slice(node),
            "Relu" => {
                let x = self.input(node, 0)?;
                self.builder.relu(&node.name, x).map_err(said)
            }
            "Clip" => {
                let (x, bounds) = (self.input(node, 0)?, self.bounds(node)?);
                self.builder.clip(&node.name, x, bounds).map_err(said)
            }
            "LeakyRelu" => {
                let (x, slope) = (self.input(node, 0)?, float(node, "alpha", 0.01));
                self.builder.leaky_relu(&node.name, x, slope).map_err(said)
            }
            "PRelu" => self.prelu(node),
            "Reshape" => {
                let x = self.input(node, 0)?;
                self.builder.unflatten(&node.name, x).map_err(said)
            }
            "Add" => {
                let (a, b) = (self.input(node, 0)?, self.input(node, 1)?);
                self.builder.add(&node.name, a, b).map_err(said)
            }
            "Concat" => {
                let inputs = (0..node.input.len()).map(|k| self.input(node, k));
                let inputs = inputs.collect::<Read<Vec<_>>>()?;
                self.builder.concat(&node.name, &inputs).map_err(said)
            }
            "MaxPool" => {
                let (x, window) = (self.input(node, 0)?, window(node)?);
                self.builder.max_pool(&node.name, x, window).map_err(said)
            }
            "AveragePool" => {
                let (x, window) = (self.input(node, 0)?, window(node)?);
                let counts_padding = int(node, "count_include_pad") == Some(1);
                let average = AverageWindow {
                    window,
                    counts_padding,
                };
                let placed = self.builder.average_pool(&node.name, x, average);
                placed.map_err(said)
            }
            "GlobalAveragePool" => {
                let x = self.input(node, 0)?;
                self.builder
                    .global_average_pool(&node.name, x)
                    .map_err(said)
            }
            "Flatten" => {
                let x = self.input(node, 0)?;
                self.builder.flatten(&node.name, x).map_err(said)
            }
            other => Err(format!("unknown operation {other}")),
        }
    }

    fn convolution(&mut self, node: &'a proto::Node) -> Read<NodeId> {
        let x = self.input(node, 0)?;
        let (weights, out_channels) = self.weights(node)?;
        let bias = node
            .input
            .get(2)
            .map(|name| self.floats(name))
            .transpose()?;
        let options = ConvolutionOptions {
            out_channels,
            kernel: pair(node, "kernel_shape")?,
            stride: pair(node, "strides")?,
            padding: pads(node)?,
            dilation: pair(node, "dilations")?,
            groups: count(node, "group")?,
            bias: bias.is_some(),
        };
        self.keep(&node.name, "weight", weights);
        if let Some(bias) = bias {
            self.keep(&node.name, "bias", bias);
        }
        let placed = self.builder.convolution(&node.name, x, &options);
        placed.map_err(|error| error.to_string())
    }

    fn linear(&mut self, node: &'a proto::Node) -> Read<NodeId> {
        let x = self.input(node, 0)?;
        let (weights, outputs) = self.weights(node)?;
        let bias = node
            .input
            .get(2)
            .map(|name| self.floats(name))
            .transpose()?;
        let options = LinearOptions {
            outputs,
            bias: bias.is_some(),
        };
        self.keep(&node.name, "weight", weights);
        if let Some(bias) = bias {
            self.keep(&node.name, "bias", bias);
        }
        let placed = self.builder.linear_layer(&node.name, x, options);
        placed.map_err(|error| error.to_string())
    }

    fn batch_norm(&mut self, node: &'a proto::Node) -> Read<NodeId> {
        let x = self.input(node, 0)?;
        let parts = ["weight", "bias", "running_mean", "running_var"];
        for (part, name) in parts.iter().zip(node.input.iter().skip(1)) {
            let values = self.floats(name)?;
            self.keep(&node.name, part, values);
        }
        let options = NormOptions {
            epsilon: epsilon(node),
            ..NormOptions::default()
        };
        let placed = self.builder.normalization(&node.name, x, &options);
        placed.map_err(|error| error.to_string())
    }

    fn prelu(&mut self, node: &'a proto::Node) -> Read<NodeId> {
        let x = self.input(node, 0)?;
        let slopes = self.floats(node.input.get(1).ok_or("slopes are missing")?)?;
        let count = slopes.len();
        self.keep(&node.name, "weight", slopes);
        let placed = self.builder.prelu(&node.name, x, count);
        placed.map_err(|error| error.to_string())
    }

    /// The bounds of a clip; one that is left out is infinite.
    fn bounds(&self, node: &proto::Node) -> Read<[f64; 2]> {
        let bound = |place: usize, otherwise: f64| match node.input.get(place) {
            Some(name) if !name.is_empty() => {
                let values = self.floats(name)?;
                let first = values.first().copied();
                first.ok_or_else(|| format!("{name} is empty"))
            }
            _ => Ok(otherwise),
        };
        Ok([bound(1, f64::NEG_INFINITY)?, bound(2, f64::INFINITY)?])
    }

    fn pad(&mut self, node: &'a proto::Node) -> Read<NodeId> {
        let x = self.input(node, 0)?;
        let counts: Vec<usize> = self
            .integers(node, 1)?
            .into_iter()
            .map(|count| usize::try_from(count).map_err(|_| "expected no negative pads".to_owned()))
            .collect::<Read<_>>()?;
        let (channels, places) = match counts[..] {
            [0, before, top, left, 0, after, bottom, right] => {
                ([before, after], Pads::onnx([top, left, bottom, right]))
            }
            [0, before, 0, after] => ([before, after], Pads::NONE),
            _ => return Err("expected pads of one image".to_owned()),
        };
        let placed = self.builder.pad(&node.name, x, Pad { channels, places });
        placed.map_err(|error| error.to_string())
    }

    fn slice(&mut self, node: &'a proto::Node) -> Read<NodeId> {
        let x = self.input(node, 0)?;
        let lists = [1, 2, 3, 4].map(|place| self.integers(node, place));
        let [starts, ends, axes, steps] = lists;
        let (starts, ends, axes, steps) = (starts?, ends?, axes?, steps?);
        let mut region = Region::whole(self.builder.shape(x));
        for (((start, end), axis), step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
            let part = match axis {
                1 => &mut region.channels,
                2 => &mut region.rows,
                3 => &mut region.columns,
                _ => return Err("expected a slice of channels, rows or columns".to_owned()),
            };
            let whole = |number: &i64| usize::try_from(*number).ok();
            let span = whole(start).zip(whole(end)).zip(whole(step));
            let span = span
                .and_then(|((start, end), step)| Span::stepped(start, end.min(part.count), step));
            *part = span.ok_or("expected a slice of something, in positive steps")?;
        }
        let placed = self.builder.slice(&node.name, x, region);
        placed.map_err(|error| error.to_string())
    }

    fn quant(&mut self, node: &'a proto::Node) -> Read<Wire> {
        let constants = |place: usize| -> Read<(f64, Vec<f64>)> {
            let name = node.input.get(place).ok_or("an input is missing")?;
            let values = self.floats(name)?;
            let first = values.first().copied();
            Ok((first.ok_or_else(|| format!("{name} is empty"))?, values))
        };
        let ((step, steps), (bits, _)) = (constants(1)?, constants(3)?);
        let bits = Bits::new(bits as u64).map_err(|error| error.to_string())?;
        let codes = match int(node, "signed") {
            Some(1) => Codes::Signed(bits),
            Some(0) => Codes::Unsigned(bits),
            _ => return Err("expected signed to be 0 or 1".to_owned()),
        };
        let name = node.input.first().ok_or("an input is missing")?;
        if self.constants.contains_key(&**name) {
            let values = Grids { codes, steps }.quantize(&self.floats(name)?);
            return Ok(Wire::Weights(values, self.channels(name)?));
        }
        let x = self.input(node, 0)?;
        self.keep(&node.name, "step", vec![step]);
        let placed = self.builder.quantize(&node.name, x, codes);
        placed.map(Wire::Node).map_err(|error| error.to_string())
    }

    /// The weights that a layer reads, and its output channels.
    fn weights(&self, node: &proto::Node) -> Read<(Vec<f64>, usize)> {
        let name = node.input.get(1).ok_or("weights are missing")?;
        match self.wires.get(&**name) {
            Some(Wire::Weights(values, channels)) => Ok((values.clone(), *channels)),
            _ => Ok((self.floats(name)?, self.channels(name)?)),
        }
    }

    /// The first extent of a constant.
    fn channels(&self, name: &str) -> Read<usize> {
        let tensor = self.constants.get(name);
        let channels = tensor.and_then(|tensor| tensor.dims.first());
        let channels = channels.ok_or_else(|| format!("{name} has no shape"))?;
        Ok(*channels as usize)
    }

    fn input(&self, node: &proto::Node, place: usize) -> Read<NodeId> {
        let name = node.input.get(place).ok_or("an input is missing")?;
        match self.wires.get(&**name) {
            Some(Wire::Node(id)) => Ok(*id),
            _ => Err(format!("{name} is not the output of a node before it")),
        }
    }

    fn tensor(&self, name: &str, data_type: i32) -> Read<&Tensor> {
        let tensor = self.constants.get(name);
        let tensor = tensor.ok_or_else(|| format!("{name} is missing"))?;
        if tensor.data_type == data_type {
            Ok(tensor)
        } else {
            Err(format!("{name} is of another type"))
        }
    }

    fn floats(&self, name: &str) -> Read<Vec<f64>> {
        let bytes = self.tensor(name, FLOAT)?.raw_data.chunks_exact(4);
        let float = |b: &[u8]| f64::from(f32::from_le_bytes(b.try_into().unwrap_or_default()));
        Ok(bytes.map(float).collect())
    }

    fn integers(&self, node: &proto::Node, place: usize) -> Read<Vec<i64>> {
        let name = node.input.get(place).ok_or("an input is missing")?;
        let bytes = self.tensor(name, INT64)?.raw_data.chunks_exact(8);
        Ok(bytes
            .map(|b| i64::from_le_bytes(b.try_into().unwrap_or_default()))
            .collect())
    }

    fn keep(&mut self, node: &str, part: &str, values: Vec<f64>) {
        self.values.insert(format!("{node}.{part}"), values);
    }

    fn finish(mut self) -> Read<(Graph, Parameters)> {
        let graph = self.builder.finish();
        let values = graph.parameters().iter().map(|spec| {
            let found = self.values.remove(&*spec.name);
            let found = found.ok_or_else(|| format!("{} is missing", spec.name))?;
            if found.len() == spec.elements() {
                Ok(found)
            } else {
                let (name, expected) = (&spec.name, spec.elements());
                Err(format!(
                    "{name} has {}, expected {expected}",
                    counted(found.len(), "value")
                ))
            }
        });
        let values = values.collect::<Read<Vec<_>>>()?;
        Ok((graph, Parameters::new(values)))
    }
}

fn int(node: &proto::Node, name: &str) -> Option<i64> {
    let found = node
        .attribute
        .iter()
        .find(|attribute| attribute.name == name);
    found.map(|attribute| attribute.i)
}

/// The first two integers of an attribute.
fn pair(node: &proto::Node, name: &str) -> Read<[usize; 2]> {
    let found = node
        .attribute
        .iter()
        .find(|attribute| attribute.name == name);
    match found.map(|attribute| &attribute.ints[..]) {
        Some(&[a, b, ..]) if a >= 0 && b >= 0 => Ok([a as usize, b as usize]),
        _ => Err(format!("expected {name} for rows and columns")),
    }
}

fn float(node: &proto::Node, name: &str, otherwise: f64) -> f64 {
    let found = node
        .attribute
        .iter()
        .find(|attribute| attribute.name == name);
    found.map_or(otherwise, |attribute| f64::from(attribute.f))
}

/// The epsilon of batch normalisation: the shortest number that is the float32 number of the file, as
/// people write it.
fn epsilon(node: &proto::Node) -> f64 {
    let single = float(node, "epsilon", 1e-5) as f32;
    single.to_string().parse().unwrap_or(f64::from(single))
}

/// The four pads of an attribute.
fn pads(node: &proto::Node) -> Read<Pads> {
    let found = node
        .attribute
        .iter()
        .find(|attribute| attribute.name == "pads");
    let counts = found
        .map(|attribute| &attribute.ints[..])
        .unwrap_or_default();
    let counts: Option<Vec<usize>> = counts.iter().map(|&n| usize::try_from(n).ok()).collect();
    match counts.as_deref() {
        Some(&[top, left, bottom, right]) => Ok(Pads::onnx([top, left, bottom, right])),
        _ => Err("expected pads, four numbers of 0 or more".to_owned()),
    }
}

fn count(node: &proto::Node, name: &str) -> Read<usize> {
    let mut attributes = node.attribute.iter();
    let found = attributes.find(|attribute| attribute.name == name);
    let count = found.and_then(|attribute| usize::try_from(attribute.i).ok());
    count.ok_or_else(|| format!("expected {name}, a whole number"))
}

fn window(node: &proto::Node) -> Read<Window> {
    Ok(Window {
        kernel: pair(node, "kernel_shape")?,
        stride: pair(node, "strides")?,
        padding: pads(node)?,
        dilation: pair(node, "dilations").unwrap_or([1, 1]),
        ceil: int(node, "ceil_mode") == Some(1),
    })
}
