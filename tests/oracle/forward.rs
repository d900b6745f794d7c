//! Logits of every operation's network against loops written from the definitions, in float64: on plain
//! tensor operations, and on the CPU's kernels.

use hawqeye::engine::autodiff::Program;
use hawqeye::engine::backend::candle::Candle;
use hawqeye::engine::backend::cpu::{Cpu, Isa};
use hawqeye::engine::backend::{AverageWindow, Backend, ConvolutionShape, Region, Span, Window};
use hawqeye::engine::graph::operations::rules::Purpose;
use hawqeye::engine::graph::operations::{BatchNorm, BatchNormMode, Function, Pad};
use hawqeye::engine::graph::{Graph, Node, Operation, Parameters, Shape};

use crate::cases::{MORE, Random, network, parameters};

/// A map of one image, channel by channel; features are a map of one row and column.
#[derive(Debug, Clone, PartialEq)]
struct Map {
    channels: usize,
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Map {
    fn new(shape: Shape, values: Vec<f64>) -> Self {
        let (channels, rows, columns) = match shape {
            Shape::Map {
                channels,
                height,
                width,
            } => (channels, height, width),
            Shape::Features(features) => (features, 1, 1),
        };
        assert_eq!(values.len(), channels * rows * columns, "{shape}");
        Self {
            channels,
            rows,
            columns,
            values,
        }
    }

    /// Of this shape, from what stands at each channel, row and column.
    fn of(shape: Shape, at: impl Fn(usize, usize, usize) -> f64) -> Self {
        let mut map = Self::new(shape, vec![0.0; shape.elements()]);
        for i in 0..map.values.len() {
            let (channel, place) = (i / (map.rows * map.columns), i % (map.rows * map.columns));
            map.values[i] = at(channel, place / map.columns, place % map.columns);
        }
        map
    }

    /// What stands there, if it is in the map.
    fn at(&self, channel: usize, row: isize, column: isize) -> Option<f64> {
        let (row, column) = (usize::try_from(row).ok()?, usize::try_from(column).ok()?);
        (row < self.rows && column < self.columns)
            .then(|| self.values[(channel * self.rows + row) * self.columns + column])
    }
}

fn signed(number: usize) -> isize {
    isize::try_from(number).unwrap()
}

fn convolution(
    shape: &ConvolutionShape,
    x: &Map,
    (weights, bias): (&[f64], Option<&[f64]>),
) -> Map {
    let [rows, columns] = shape.kernel;
    let inputs = shape.in_channels / shape.groups;
    let outputs = shape.out_channels / shape.groups;
    Map::of(shape.output(), |o, row, column| {
        let mut sum = bias.map_or(0.0, |bias| bias[o]);
        for i in 0..inputs {
            for (h, w) in (0..rows).flat_map(|h| (0..columns).map(move |w| (h, w))) {
                let y = signed(row * shape.stride[0] + h * shape.dilation[0])
                    - signed(shape.padding.top);
                let z = signed(column * shape.stride[1] + w * shape.dilation[1])
                    - signed(shape.padding.left);
                let x = x.at(o / outputs * inputs + i, y, z).unwrap_or(0.0);
                sum += x * weights[((o * inputs + i) * rows + h) * columns + w];
            }
        }
        sum
    })
}

/// The numbers of a window that are in the map, and how many places of the padding it holds.
fn held(window: &Window, x: &Map, [channel, row, column]: [usize; 3]) -> (Vec<f64>, usize) {
    let (mut inside, mut padding) = (Vec::new(), 0);
    let [rows, columns] = window.kernel;
    let pads = window.padding;
    for (h, w) in (0..rows).flat_map(|h| (0..columns).map(move |w| (h, w))) {
        let y = row * window.stride[0] + h * window.dilation[0];
        let z = column * window.stride[1] + w * window.dilation[1];
        let [row, column] = [signed(y) - signed(pads.top), signed(z) - signed(pads.left)];
        if let Some(value) = x.at(channel, row, column) {
            inside.push(value);
        } else {
            let rows = pads.top + x.rows + pads.bottom;
            let columns = pads.left + x.columns + pads.right;
            padding += usize::from(y < rows && z < columns);
        }
    }
    (inside, padding)
}

fn average(of: &AverageWindow, shape: Shape, x: &Map) -> Map {
    Map::of(shape, |channel, row, column| {
        let (inside, padding) = held(&of.window, x, [channel, row, column]);
        let padding = if of.counts_padding { padding } else { 0 };
        inside.iter().sum::<f64>() / (inside.len() + padding) as f64
    })
}

fn norm(of: &BatchNorm, shape: Shape, (x, values): (&Map, &Parameters)) -> Map {
    Map::of(shape, |c, row, column| {
        let x = x.at(c, signed(row), signed(column)).unwrap();
        let gamma = of.scale.map_or(1.0, |id| values.get(id)[c]);
        let beta = of.shift.map_or(0.0, |id| values.get(id)[c]);
        let deviation = (values.get(of.variance)[c] + of.epsilon).sqrt();
        gamma * (x - values.get(of.mean)[c]) / deviation + beta
    })
}

fn activation(function: Function, shape: Shape, (x, values): (&Map, &Parameters)) -> Map {
    Map::of(shape, |c, row, column| {
        let x = x.at(c, signed(row), signed(column)).unwrap();
        match function {
            Function::Relu => x.max(0.0),
            Function::Clip { low, high } => x.max(low).min(high),
            Function::LeakyRelu { slope } if x < 0.0 => slope * x,
            Function::PRelu { slope, slopes, .. } if x < 0.0 => {
                x * values.get(slope)[if slopes == 1 { 0 } else { c }]
            }
            Function::LeakyRelu { .. } | Function::PRelu { .. } => x,
        }
    })
}

fn padded(pad: &Pad, shape: Shape, x: &Map) -> Map {
    Map::of(shape, |c, row, column| {
        let (y, z) = (
            signed(row) - signed(pad.places.top),
            signed(column) - signed(pad.places.left),
        );
        let channel = c.checked_sub(pad.channels[0]).filter(|c| *c < x.channels);
        channel.and_then(|c| x.at(c, y, z)).unwrap_or(0.0)
    })
}

fn sliced(region: &Region, shape: Shape, x: &Map) -> Map {
    let place = |span: Span, i: usize| span.start + i * span.step;
    Map::of(shape, |c, row, column| {
        let (y, z) = (place(region.rows, row), place(region.columns, column));
        let channel = place(region.channels, c);
        x.at(channel, signed(y), signed(z)).unwrap()
    })
}

/// What a node writes.
fn value(node: &Node, inputs: &[&Map], values: &Parameters) -> Map {
    let (x, shape) = (inputs[0], node.shape);
    let of_channels = |at: &dyn Fn(&Map, usize) -> f64| Map::of(shape, |c, _, _| at(x, c));
    match &node.operation {
        Operation::Input(_) => unreachable!("the image is given"),
        Operation::Convolution(op) => {
            let bias = op.bias.map(|id| values.get(id));
            convolution(&op.shape, x, (values.get(op.weight), bias))
        }
        Operation::Linear(op) => of_channels(&|x, o| {
            let row = &values.get(op.weight)[o * x.values.len()..][..x.values.len()];
            let bias = op.bias.map_or(0.0, |id| values.get(id)[o]);
            bias + x.values.iter().zip(row).map(|(x, w)| x * w).sum::<f64>()
        }),
        Operation::BatchNorm(op) => norm(op, shape, (x, values)),
        Operation::Scale(op) => Map::of(shape, |c, row, column| {
            let factor = op.factor.map_or(1.0, |id| values.get(id)[c]);
            let shift = op.shift.map_or(0.0, |id| values.get(id)[c]);
            factor * x.at(c, signed(row), signed(column)).unwrap() + shift
        }),
        Operation::Activate(op) => activation(op.function, shape, (x, values)),
        Operation::Add(_) => {
            let both = x.values.iter().zip(&inputs[1].values);
            Map::new(shape, both.map(|(a, b)| a + b).collect())
        }
        Operation::Concat(_) => {
            let all = inputs.iter().flat_map(|input| input.values.clone());
            Map::new(shape, all.collect())
        }
        Operation::MaxPool(op) => Map::of(shape, |c, row, column| {
            let (inside, _) = held(&op.window, x, [c, row, column]);
            inside.into_iter().fold(f64::NEG_INFINITY, f64::max)
        }),
        Operation::AveragePool(op) => average(&op.average, shape, x),
        Operation::GlobalAveragePool(_) => of_channels(&|x, c| {
            let places = x.rows * x.columns;
            x.values[c * places..][..places].iter().sum::<f64>() / places as f64
        }),
        Operation::Flatten(_) | Operation::Unflatten(_) => Map::new(shape, x.values.clone()),
        Operation::Pad(op) => padded(op, shape, x),
        Operation::Slice(op) => sliced(&op.region, shape, x),
        Operation::Quantize(_) => unreachable!("networks here are not quantized"),
    }
}

/// Logits of one image.
fn reference(graph: &Graph, values: &Parameters, image: &[f64]) -> Vec<f64> {
    let mut wires = vec![Map::new(graph.input_shape(), image.to_vec())];
    for node in graph.nodes().iter().skip(1) {
        let inputs: Vec<&Map> = node.inputs.iter().map(|id| &wires[id.index()]).collect();
        let map = value(node, &inputs, values);
        wires.push(map);
    }
    wires.pop().unwrap().values
}

fn logits<B: Backend>(backend: &B, graph: &Graph, (at, images): (&Parameters, &[f64])) -> Vec<f64> {
    let walk = (BatchNormMode::Running, Purpose::Evaluate);
    let program = Program::new(graph, backend, at, walk).unwrap();
    let mut workspace = B::Workspace::default();
    let mut chunk = program.load(&mut workspace, images).unwrap();
    program.forward(&mut workspace, &mut chunk).unwrap()
}

#[track_caller]
fn close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(1e-3_f64, |m, v| m.max(v.abs()));
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs() / size;
        assert!(error < tolerance, "{what}: {found}, expected {expected}");
    }
}

#[test]
fn every_operation_writes_what_its_definition_says() {
    const IMAGES: usize = 3;
    for name in Operation::NAMES.iter().chain(&MORE) {
        if *name == "fake quantization" {
            // It has tests of its own.
            continue;
        }
        let Some(graph) = network(name) else {
            panic!("{name} has no row in the gradient-check table");
        };
        let mut random = Random::new(29);
        let size = graph.input_shape().elements();
        let images = random.numbers(IMAGES * size);
        let at = parameters(&graph, &mut random);
        let expected: Vec<f64> = images
            .chunks_exact(size)
            .flat_map(|image| reference(&graph, &at, image))
            .collect();
        let found = logits(&Candle::float64_cpu(), &graph, (&at, &images));
        close(&found, &expected, 1e-12, name);
        for isa in Isa::available() {
            let found = logits(&Cpu::new(isa), &graph, (&at, &images));
            close(&found, &expected, 1e-5, &format!("{name}, {isa}"));
        }
    }
}
