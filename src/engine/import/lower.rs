//! From the steps of a file to the graph that everything else works on, and its numbers.

use std::collections::HashMap;

use super::lowered::{Axis, Form, Network, Operation, ParameterId, Step, Window};
use super::names::Unique;
use super::origin::Origin;
use crate::engine::backend::{AverageWindow, Pads, Region, Span, Window as PoolWindow};
use crate::engine::graph::operations::Pad;
use crate::engine::graph::{
    Builder, ConvolutionOptions, Graph, LinearOptions, NodeId, NormOptions, Parameters, Shape,
};
use crate::engine::{Error, Result};

/// A network that can be computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Lowered {
    /// Its graph; parameters are called as the tensors of the file that they are, else after their node.
    pub graph: Graph,
    /// Its numbers.
    pub parameters: Parameters,
    /// By parameter: the tensor of the file that it comes from.
    pub origins: Vec<Option<Origin>>,
}

/// Below this a constant around a map is never the largest of a window.
const NEVER_LARGEST: f32 = -1e30;

impl Network {
    /// The network as a graph with its numbers.
    ///
    /// # Errors
    /// A sentence when something in it is not supported, or it answers anything but one vector.
    pub fn lower(&self) -> Result<Lowered> {
        self.refuse()?;
        let (mut builder, image) = Builder::new(shape(self.steps[0].form));
        let mut lowering = Lowering {
            network: self,
            wires: vec![Wire::plain(image)],
            taken: Vec::new(),
        };
        for step in &self.steps[1..] {
            let wire = lowering.step(&mut builder, step)?;
            lowering.wires.push(wire);
        }
        let answer = lowering.plain(&self.outputs[0].name, self.steps.len() - 1)?;
        if answer.index() + 1 != builder.wires() {
            return Err(Error::invalid(
                "its answer is not what is computed last: export it again",
            ));
        }
        let graph = builder.finish();
        let names = names(&graph, self, &lowering.taken);
        let graph = graph.with_parameter_names(names)?;
        let taken = lowering.taken.iter().map(|&id| self.parameter(id));
        let numbers = taken
            .clone()
            .map(|parameter| parameter.values.iter().copied().map(f64::from).collect());
        Ok(Lowered {
            graph,
            parameters: Parameters::new(numbers.collect()),
            origins: taken.map(|parameter| parameter.origin.clone()).collect(),
        })
    }

    /// Refuses what cannot be computed here, all of it at once.
    fn refuse(&self) -> Result<()> {
        if !self.refused.is_empty() {
            return Err(Error::invalid(format!(
                "not supported here: {}",
                listed(self)
            )));
        }
        let [output] = &self.outputs[..] else {
            let names: Vec<&str> = self.outputs.iter().map(|out| &*out.name).collect();
            return Err(Error::invalid(format!(
                "it has {} outputs ({}): expected one; export the network with its classes alone",
                names.len(),
                names.join(", ")
            )));
        };
        let last = self.steps.len() - 1;
        if last == 0 || output.step != Some(last) {
            return Err(Error::invalid(format!(
                "its output {} computes nothing from the image: expected a network",
                output.name
            )));
        }
        match self.steps[last].form {
            Form::Features(_) => Ok(()),
            form @ Form::Map { .. } => Err(Error::invalid(format!(
                "its output {} is a map of {}: expected one number for each class",
                output.name,
                shape(form)
            ))),
        }
    }
}

/// Everything that is not supported, with counts and first places.
fn listed(network: &Network) -> String {
    let refused = network.refused.iter().map(|refused| {
        let (count, operation) = (refused.count, &refused.operation);
        let (first, reason) = (&refused.first, &refused.reason);
        format!("{count} {operation} (first at {first}: {reason})")
    });
    refused.collect::<Vec<_>>().join("; ")
}

const fn shape(form: Form) -> Shape {
    match form {
        Form::Map {
            channels,
            rows,
            columns,
        } => Shape::map(channels, rows, columns),
        Form::Features(features) => Shape::Features(features),
    }
}

/// What a step of the file writes: a wire of the graph, or one that still wants what no maximum takes
/// around it.
#[derive(Debug, Clone, Copy)]
struct Wire {
    node: NodeId,
    /// What is put around it, in ONNX's order; only maximum pooling can read it then.
    around: Option<[usize; 4]>,
}

impl Wire {
    const fn plain(node: NodeId) -> Self {
        Self { node, around: None }
    }
}

struct Lowering<'a> {
    network: &'a Network,
    /// By step: what it writes.
    wires: Vec<Wire>,
    /// By parameter of the graph: that of the file.
    taken: Vec<ParameterId>,
}

impl Lowering<'_> {
    /// The wire of a step that anything can read.
    fn plain(&self, reader: &str, step: usize) -> Result<NodeId> {
        let wire = self.wires[step];
        match wire.around {
            None => Ok(wire.node),
            Some(_) => Err(Error::invalid(format!(
                "{} puts a constant around a map that {reader} reads: expected zeros, or maximum \
                 pooling behind it",
                self.network.steps[step].name
            ))),
        }
    }

    fn take(&mut self, parameters: impl IntoIterator<Item = ParameterId>) {
        self.taken.extend(parameters);
    }

    fn step(&mut self, builder: &mut Builder, step: &Step) -> Result<Wire> {
        if let Operation::MaxPool { window } = &step.operation {
            return self.max_pool(builder, step, window);
        }
        if let Operation::Pad { value, .. } = step.operation
            && value != 0.0
        {
            return self.never_taken(step);
        }
        let name = &*step.name;
        let inputs = step.inputs.iter().map(|&input| self.plain(name, input));
        let inputs = inputs.collect::<Result<Vec<NodeId>>>()?;
        self.node(builder, step, &inputs).map(Wire::plain)
    }

    /// A map with a constant around it that no maximum takes.
    fn never_taken(&self, step: &Step) -> Result<Wire> {
        let node = self.plain(&step.name, step.inputs[0])?;
        match step.operation {
            Operation::Pad {
                pads,
                channels: [0, 0],
                value,
            } if value < NEVER_LARGEST => Ok(Wire {
                node,
                around: Some(pads),
            }),
            Operation::Pad { value, .. } => Err(Error::invalid(format!(
                "{} puts {value} around a map: expected zeros, or numbers that no maximum takes",
                step.name
            ))),
            _ => unreachable!("a pad"),
        }
    }

    fn max_pool(&self, builder: &mut Builder, step: &Step, window: &Window) -> Result<Wire> {
        let input = self.wires[step.inputs[0]];
        let mut window = pool_window(window);
        if let Some(around) = input.around {
            let sums = window.padding.list();
            let sums = [0, 1, 2, 3].map(|side| sums[side] + around[side]);
            window.padding = Pads::onnx(sums);
            if window.ceil && around[2..] != [0, 0] {
                return Err(Error::invalid(format!(
                    "{} rounds up behind constants around its map: export it without ceil_mode",
                    step.name
                )));
            }
        }
        let pooled = builder.max_pool(&step.name, input.node, window);
        pooled.map(Wire::plain)
    }

    fn node(&mut self, builder: &mut Builder, step: &Step, inputs: &[NodeId]) -> Result<NodeId> {
        let name = &*step.name;
        match &step.operation {
            Operation::Conv { .. } | Operation::Linear { .. } => {
                self.layer(builder, step, inputs[0])
            }
            Operation::BatchNorm { .. } | Operation::Scale { .. } => {
                self.channelwise(builder, step, inputs[0])
            }
            Operation::AveragePool {
                window,
                count_include_pad,
            } => {
                let average = AverageWindow {
                    window: pool_window(window),
                    counts_padding: *count_include_pad,
                };
                builder.average_pool(name, inputs[0], average)
            }
            Operation::GlobalAveragePool => builder.global_average_pool(name, inputs[0]),
            Operation::Add => builder.add(name, inputs[0], inputs[1]),
            Operation::Concat => builder.concat(name, inputs),
            Operation::Flatten => builder.flatten(name, inputs[0]),
            Operation::Unflatten => builder.unflatten(name, inputs[0]),
            Operation::Relu => builder.relu(name, inputs[0]),
            Operation::Clip { min, max } => {
                builder.clip(name, inputs[0], [f64::from(*min), f64::from(*max)])
            }
            Operation::LeakyRelu { slope } => {
                builder.leaky_relu(name, inputs[0], f64::from(*slope))
            }
            Operation::PRelu { slope } => {
                self.take([*slope]);
                let slopes = self.network.parameter(*slope).values.len();
                builder.prelu(name, inputs[0], slopes)
            }
            Operation::Pad { pads, channels, .. } => {
                let places = Pads::onnx(*pads);
                let channels = *channels;
                builder.pad(name, inputs[0], Pad { channels, places })
            }
            Operation::Slice {
                axis,
                start,
                count,
                step,
            } => {
                let (start, step, count) = (*start, *step, *count);
                let span = Span { start, step, count };
                let region = region(builder.shape(inputs[0]), *axis, span);
                builder.slice(name, inputs[0], region)
            }
            Operation::Input | Operation::MaxPool { .. } | Operation::Opaque => Err(
                Error::invalid(format!("{name} is out of place: export the network again")),
            ),
        }
    }

    fn layer(&mut self, builder: &mut Builder, step: &Step, input: NodeId) -> Result<NodeId> {
        match &step.operation {
            Operation::Conv {
                weights,
                bias,
                window,
                groups,
            } => {
                self.take([*weights].into_iter().chain(*bias));
                let options = ConvolutionOptions {
                    out_channels: self.network.parameter(*weights).shape[0],
                    kernel: window.kernel,
                    stride: window.strides,
                    padding: Pads::onnx(window.pads),
                    dilation: window.dilations,
                    groups: *groups,
                    bias: bias.is_some(),
                };
                builder.convolution(&step.name, input, &options)
            }
            Operation::Linear { weights, bias } => {
                self.take([*weights].into_iter().chain(*bias));
                let options = LinearOptions {
                    outputs: self.network.parameter(*weights).shape[0],
                    bias: bias.is_some(),
                };
                builder.linear_layer(&step.name, input, options)
            }
            _ => unreachable!("a layer"),
        }
    }

    fn channelwise(&mut self, builder: &mut Builder, step: &Step, input: NodeId) -> Result<NodeId> {
        match &step.operation {
            Operation::BatchNorm {
                gamma,
                beta,
                mean,
                variance,
                epsilon,
            } => {
                self.take(gamma.iter().chain(beta).copied());
                self.take([*mean, *variance]);
                let options = NormOptions {
                    epsilon: *epsilon,
                    scale: gamma.is_some(),
                    shift: beta.is_some(),
                };
                builder.normalization(&step.name, input, &options)
            }
            Operation::Scale { factor, shift } => {
                self.take(factor.iter().chain(shift).copied());
                builder.scale(&step.name, input, [factor.is_some(), shift.is_some()])
            }
            _ => unreachable!("a normalisation"),
        }
    }
}

const fn pool_window(window: &Window) -> PoolWindow {
    PoolWindow {
        kernel: window.kernel,
        stride: window.strides,
        dilation: window.dilations,
        padding: Pads::onnx(window.pads),
        ceil: window.ceil_mode,
    }
}

/// Places along one extent, and everything along the others.
const fn region(read: Shape, axis: Axis, span: Span) -> Region {
    let whole = Region::whole(read);
    match axis {
        Axis::Batch => whole,
        Axis::Channel => Region {
            channels: span,
            ..whole
        },
        Axis::Row => Region {
            rows: span,
            ..whole
        },
        Axis::Column => Region {
            columns: span,
            ..whole
        },
    }
}

/// What the parameters are called: as their tensor in the file where the whole tensor is one parameter,
/// else after their node; so too where an exporter stored equal numbers of several once.
fn names(graph: &Graph, network: &Network, taken: &[ParameterId]) -> Vec<String> {
    let tensor = |id: ParameterId| {
        let origin = network.parameter(id).origin.as_ref()?;
        let is_whole = origin.values != super::Values::Folded;
        (is_whole && origin.is_named()).then_some(&*origin.tensor)
    };
    let mut users: HashMap<&str, usize> = HashMap::new();
    for name in taken.iter().filter_map(|&id| tensor(id)) {
        *users.entry(name).or_default() += 1;
    }
    let only = |id: ParameterId| tensor(id).filter(|name| users[name] == 1);
    let mut unique = Unique::default();
    let specs = graph.parameters().iter().zip(taken);
    specs
        .map(|(spec, &id)| unique.name(only(id).unwrap_or(&spec.name).to_owned()))
        .collect()
}
