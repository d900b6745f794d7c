//! Small networks with awkward sizes, one for every operation, and random numbers.

use hawqeye::engine::backend::{AverageWindow, Pads, Region, Span, Window};
use hawqeye::engine::graph::operations::Pad;
use hawqeye::engine::graph::{
    Builder, ConvolutionOptions, Graph, LinearOptions, NodeId, NormOptions, OptionA, Parameters,
    Role, Shape,
};

/// Numbers between -1 and 1 that look random and are always the same.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    pub fn number(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn numbers(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.number()).collect()
    }
}

/// Parameters of a graph: weights of a sensible size, positive variances.
pub fn parameters(graph: &Graph, random: &mut Random) -> Parameters {
    let specs = graph.parameters().iter();
    let values = specs.map(|spec| {
        let fan_in = spec.elements() / spec.shape[0];
        (0..spec.elements())
            .map(|_| match spec.role {
                Role::Weight => random.number() * (3.0 / fan_in as f64).sqrt(),
                Role::Scale | Role::RunningVariance => 1.0 + 0.5 * random.number(),
                Role::Step => 0.3,
                Role::Bias | Role::Shift | Role::RunningMean => 0.3 * random.number(),
                Role::Slope => random.number(),
            })
            .collect()
    });
    Parameters::new(values.collect())
}

fn options(
    out_channels: usize,
    (kernel, stride, padding): ([usize; 2], [usize; 2], [usize; 2]),
    bias: bool,
) -> ConvolutionOptions {
    ConvolutionOptions {
        stride,
        padding: Pads::even(padding),
        bias,
        ..ConvolutionOptions::same(out_channels, kernel)
    }
}

/// A convolution with odd sizes in front, so that gradients pass through what follows.
fn front(builder: &mut Builder, image: NodeId, out_channels: usize) -> NodeId {
    let place = ([3, 3], [1, 1], [1, 1]);
    let options = options(out_channels, place, true);
    builder.convolution("front", image, &options).unwrap()
}

/// Logits from a map.
fn back(builder: &mut Builder, x: NodeId) -> Graph {
    let x = builder.flatten("to features", x).unwrap();
    builder.linear("back", x, 5).unwrap();
    std::mem::replace(builder, Builder::new(Shape::Features(1)).0).finish()
}

const fn window(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Window {
    Window {
        padding: Pads::even(padding),
        ..Window::new(kernel, stride)
    }
}

/// Windows of 3x2 in steps of 2 and 3, with pads of four kinds, of which the last ones reach beyond them.
const fn beyond() -> Window {
    Window {
        padding: Pads::onnx([1, 0, 0, 1]),
        ceil: true,
        ..Window::new([3, 2], [2, 3])
    }
}

/// Rows of the gradient-check table beyond one for each operation; each begins with the name of one.
pub const MORE: [&str; 10] = [
    "convolution in groups",
    "convolution with four pads",
    "linear without bias, on a map of one row and column",
    "batch normalisation of features, without gamma",
    "batch normalisation without beta, of another epsilon",
    "activation function of features, with a slope for each",
    "activation function behind batch normalisation and a sum",
    "max pooling beyond four pads",
    "average pooling beyond four pads, which do not count",
    "pad and slice of features",
];

/// The network that checks an operation; `None` for one that has none.
pub fn network(operation: &str) -> Option<Graph> {
    let (mut builder, image) = Builder::new(Shape::map(3, 7, 6));
    let b = &mut builder;
    let of_layers = convolutions(b, image, operation).or_else(|| layers(b, image, operation));
    let x = of_layers
        .or_else(|| functions(b, image, operation))
        .or_else(|| pools(b, image, operation))
        .or_else(|| maps(b, image, operation))?;
    Some(match b.shape(x) {
        Shape::Map { .. } => back(b, x),
        Shape::Features(_) => builder.finish(),
    })
}

/// Rows of convolutions; the last wire of each.
fn convolutions(b: &mut Builder, image: NodeId, operation: &str) -> Option<NodeId> {
    Some(match operation {
        "input" => image,
        "convolution" => {
            let x = front(b, image, 10);
            let skewed = options(17, ([3, 2], [2, 1], [1, 0]), true);
            let x = b.convolution("skewed", x, &skewed).unwrap();
            let one = options(3, ([1, 1], [2, 2], [0, 0]), false);
            b.convolution("one", x, &one).unwrap()
        }
        "convolution in groups" => {
            let x = front(b, image, 6);
            let groups = ConvolutionOptions {
                groups: 3,
                ..options(9, ([3, 2], [2, 1], [1, 1]), true)
            };
            let x = b.convolution("groups", x, &groups).unwrap();
            let depthwise = ConvolutionOptions {
                groups: 9,
                ..options(9, ([2, 3], [1, 2], [1, 1]), true)
            };
            let x = b.convolution("depthwise", x, &depthwise).unwrap();
            let dilated = ConvolutionOptions {
                dilation: [2, 3],
                ..options(4, ([2, 2], [2, 1], [1, 2]), false)
            };
            b.convolution("dilated", x, &dilated).unwrap()
        }
        "convolution with four pads" => {
            let x = front(b, image, 5);
            let pads = |pads| Pads::onnx(pads);
            let strided = ConvolutionOptions {
                padding: pads([0, 2, 1, 0]),
                ..options(6, ([3, 3], [2, 2], [0, 0]), true)
            };
            let x = b.convolution("strided", x, &strided).unwrap();
            let depthwise = ConvolutionOptions {
                groups: 6,
                padding: pads([2, 0, 0, 1]),
                ..options(6, ([2, 2], [3, 1], [0, 0]), false)
            };
            b.convolution("depthwise", x, &depthwise).unwrap()
        }
        _ => return None,
    })
}

/// Rows of other layers, and of what follows them channel by channel.
fn layers(b: &mut Builder, image: NodeId, operation: &str) -> Option<NodeId> {
    Some(match operation {
        "linear" => {
            let x = b.flatten("to features", image).unwrap();
            let x = b.linear("first", x, 17).unwrap();
            let x = b.relu("between", x).unwrap();
            b.linear("second", x, 5).unwrap()
        }
        "batch normalisation" => {
            let x = front(b, image, 10);
            b.batch_norm("norm", x).unwrap()
        }
        "linear without bias, on a map of one row and column" => {
            let x = front(b, image, 4);
            let x = b.global_average_pool("pool", x).unwrap();
            let one = options(7, ([1, 1], [1, 1], [0, 0]), true);
            let y = b.convolution("one", x, &one).unwrap();
            let y = b.relu("relu", y).unwrap();
            let without = |outputs| LinearOptions {
                outputs,
                bias: false,
            };
            // Two readers of one map: their gradients are added.
            let y = b.linear_layer("of the map", y, without(4)).unwrap();
            let z = b.linear("of the same", x, 4).unwrap();
            let x = b.add("sum", y, z).unwrap();
            b.linear_layer("back", x, without(5)).unwrap()
        }
        "batch normalisation of features, without gamma" => {
            let x = b.flatten("to features", image).unwrap();
            let x = b.linear("first", x, 17).unwrap();
            let without = NormOptions {
                scale: false,
                ..NormOptions::default()
            };
            let x = b.normalization("norm", x, &without).unwrap();
            let x = b.relu("relu", x).unwrap();
            let neither = NormOptions {
                shift: false,
                ..without
            };
            let x = b.normalization("another norm", x, &neither).unwrap();
            b.linear("back", x, 5).unwrap()
        }
        "batch normalisation without beta, of another epsilon" => {
            let x = front(b, image, 4);
            let without = NormOptions {
                epsilon: 0.1,
                shift: false,
                ..NormOptions::default()
            };
            b.normalization("norm", x, &without).unwrap()
        }
        "scale" => {
            let x = front(b, image, 4);
            let x = b.scale("both", x, [true, true]).unwrap();
            let x = b.relu("relu", x).unwrap();
            let x = b.scale("factor", x, [true, false]).unwrap();
            let x = b.flatten("flat", x).unwrap();
            let x = b.linear("linear", x, 6).unwrap();
            let x = b.scale("shift", x, [false, true]).unwrap();
            b.linear("back", x, 5).unwrap()
        }
        _ => return None,
    })
}

/// Rows of functions of every number, and of several wires.
fn functions(b: &mut Builder, image: NodeId, operation: &str) -> Option<NodeId> {
    Some(match operation {
        "activation function" => {
            let x = front(b, image, 3);
            let x = b.relu("relu", x).unwrap();
            let more = options(4, ([2, 2], [1, 1], [0, 0]), true);
            let x = b.convolution("b", x, &more).unwrap();
            let x = b.clip("clip", x, [-0.3, 0.4]).unwrap();
            let x = b.convolution("c", x, &more).unwrap();
            let x = b.leaky_relu("leaky", x, 0.2).unwrap();
            let x = b.convolution("d", x, &more).unwrap();
            let x = b.leaky_relu("turned", x, -0.3).unwrap();
            let x = b.convolution("e", x, &more).unwrap();
            let x = b.prelu("one slope", x, 1).unwrap();
            b.prelu("each a slope", x, 4).unwrap()
        }
        "activation function of features, with a slope for each" => {
            let x = b.flatten("to features", image).unwrap();
            let x = b.linear("first", x, 7).unwrap();
            let y = b.prelu("slopes", x, 7).unwrap();
            let z = b.clip("below", x, [f64::NEG_INFINITY, 0.2]).unwrap();
            let x = b.add("sum", y, z).unwrap();
            b.linear("back", x, 5).unwrap()
        }
        "activation function behind batch normalisation and a sum" => {
            let x = front(b, image, 4);
            let y = b.batch_norm("a norm", x).unwrap();
            let y = b.clip("clip", y, [-0.5, 0.7]).unwrap();
            let y = b.batch_norm("b norm", y).unwrap();
            let y = b.add("sum", y, x).unwrap();
            let y = b.leaky_relu("leaky", y, 0.3).unwrap();
            let y = b.batch_norm("c norm", y).unwrap();
            b.prelu("slopes", y, 4).unwrap()
        }
        "add" => {
            let x = front(b, image, 3);
            let y = b.relu("relu", x).unwrap();
            // One wire read three times.
            let z = b.add("sum", x, y).unwrap();
            b.add("again", z, x).unwrap()
        }
        "concat" => {
            let x = front(b, image, 3);
            let y = b.relu("relu", x).unwrap();
            let other = options(17, ([1, 1], [1, 1], [0, 0]), true);
            let z = b.convolution("other", image, &other).unwrap();
            // The image does not move, one wire is read twice.
            let x = b.concat("maps", &[x, image, z, y, x]).unwrap();
            let x = b.flatten("flat", x).unwrap();
            let features = b.linear("to features", x, 3).unwrap();
            let more = b.linear("more features", x, 2).unwrap();
            let x = b.concat("features", &[features, more]).unwrap();
            b.linear("back", x, 5).unwrap()
        }
        _ => return None,
    })
}

/// Rows of pooling.
fn pools(b: &mut Builder, image: NodeId, operation: &str) -> Option<NodeId> {
    Some(match operation {
        "max pooling beyond four pads" => {
            let x = front(b, image, 3);
            let x = b.max_pool("pool", x, beyond()).unwrap();
            let dilated = Window {
                dilation: [2, 1],
                padding: Pads::onnx([1, 0, 1, 1]),
                ..Window::new([2, 2], [1, 1])
            };
            b.max_pool("dilated", x, dilated).unwrap()
        }
        "average pooling beyond four pads, which do not count" => {
            let x = front(b, image, 3);
            let average = |counts_padding| AverageWindow {
                window: beyond(),
                counts_padding,
            };
            let y = b.average_pool("uncounted", x, average(false)).unwrap();
            let z = b.average_pool("counted", x, average(true)).unwrap();
            b.add("sum", y, z).unwrap()
        }
        "max pooling" => {
            let x = front(b, image, 3);
            b.max_pool("pool", x, window([3, 2], [2, 1], [1, 1]))
                .unwrap()
        }
        "average pooling" => {
            let x = front(b, image, 3);
            let average = AverageWindow {
                window: window([2, 3], [1, 2], [1, 1]),
                counts_padding: true,
            };
            b.average_pool("pool", x, average).unwrap()
        }
        "global average pooling" => {
            let x = front(b, image, 10);
            let x = b.global_average_pool("pool", x).unwrap();
            b.linear("back", x, 5).unwrap()
        }
        _ => return None,
    })
}

/// Rows of what moves numbers.
fn maps(b: &mut Builder, image: NodeId, operation: &str) -> Option<NodeId> {
    Some(match operation {
        "pad" => {
            let x = front(b, image, 3);
            let pad = Pad {
                channels: [1, 2],
                places: Pads::onnx([0, 2, 1, 3]),
            };
            b.pad("pad", x, pad).unwrap()
        }
        "slice" => {
            let x = front(b, image, 7);
            let span = |start, step, count| Span { start, step, count };
            let region = Region {
                channels: span(1, 2, 3),
                rows: span(0, 3, 2),
                columns: span(2, 1, 4),
            };
            b.slice("slice", x, region).unwrap()
        }
        "pad and slice of features" => {
            let x = b.flatten("to features", image).unwrap();
            let x = b.linear("first", x, 7).unwrap();
            let some = Region::of_channels(
                Shape::Features(7),
                Span {
                    start: 1,
                    step: 3,
                    count: 2,
                },
            );
            let y = b.slice("slice", x, some).unwrap();
            let pad = Pad {
                channels: [2, 3],
                places: Pads::NONE,
            };
            let y = b.pad("pad", y, pad).unwrap();
            let x = b.add("sum", x, y).unwrap();
            b.linear("back", x, 5).unwrap()
        }
        "flatten" => front(b, image, 2),
        "unflatten" => {
            let x = b.flatten("flat", image).unwrap();
            let x = b.linear("first", x, 7).unwrap();
            let x = b.unflatten("map", x).unwrap();
            let one = options(4, ([1, 1], [1, 1], [0, 0]), true);
            b.convolution("one", x, &one).unwrap()
        }
        _ => return None,
    })
}

/// A small residual network: two norms, a sum, a shortcut, global pooling.
pub fn residual() -> Graph {
    let (mut b, image) = Builder::new(Shape::map(2, 6, 5));
    let place = |stride| ([3, 3], [stride, stride], [1, 1]);
    let x = b
        .convolution("a", image, &options(4, place(1), false))
        .unwrap();
    let x = b.batch_norm("a norm", x).unwrap();
    let x = b.relu("a relu", x).unwrap();
    let y = b.convolution("b", x, &options(6, place(2), false)).unwrap();
    let y = b.batch_norm("b norm", y).unwrap();
    let option = OptionA {
        stride: 2,
        out_channels: 6,
    };
    let x = b.option_a("shortcut", x, option).unwrap();
    let x = b.add("sum", y, x).unwrap();
    let x = b.relu("b relu", x).unwrap();
    let x = b.global_average_pool("pool", x).unwrap();
    b.linear("c", x, 5).unwrap();
    b.finish()
}

/// Channels and maps that the fast kernels of the CPU take, a depthwise convolution, one in groups and
/// a dilated one.
pub fn wide() -> Graph {
    let (mut b, image) = Builder::new(Shape::map(3, 8, 8));
    let same = |out_channels| ConvolutionOptions::same(out_channels, [3, 3]);
    let x = b.convolution("a", image, &same(16)).unwrap();
    let x = b.batch_norm("a norm", x).unwrap();
    let x = b.relu("a relu", x).unwrap();
    let y = b.convolution("b", x, &same(16)).unwrap();
    let y = b.relu("b relu", y).unwrap();
    let depthwise = ConvolutionOptions {
        groups: 16,
        bias: true,
        ..same(16)
    };
    let y = b.convolution("depthwise", y, &depthwise).unwrap();
    let x = b.add("sum", x, y).unwrap();
    let groups = ConvolutionOptions {
        groups: 4,
        stride: [2, 2],
        ..same(24)
    };
    let x = b.convolution("groups", x, &groups).unwrap();
    let x = b.relu("groups relu", x).unwrap();
    let dilated = ConvolutionOptions {
        dilation: [2, 2],
        ..same(6)
    };
    let x = b.convolution("dilated", x, &dilated).unwrap();
    let x = b.global_average_pool("pool", x).unwrap();
    b.linear("c", x, 5).unwrap();
    b.finish()
}

/// Four pads, windows beyond them, functions of every kind, norms that lack a part, parts of maps, and a
/// linear layer on a map of one row and column.
pub fn uneven() -> Graph {
    let (mut b, image) = Builder::new(Shape::map(2, 9, 8));
    let strided = ConvolutionOptions {
        padding: Pads::onnx([0, 0, 1, 1]),
        ..options(6, ([3, 3], [2, 2], [0, 0]), true)
    };
    let x = b.convolution("a", image, &strided).unwrap();
    let norm = |scale, shift| NormOptions {
        epsilon: 1e-3,
        scale,
        shift,
    };
    let x = b.normalization("a norm", x, &norm(false, true)).unwrap();
    let x = b.clip("a clip", x, [-0.7, 0.9]).unwrap();
    let pad = Pad {
        channels: [1, 1],
        places: Pads::onnx([0, 1, 1, 0]),
    };
    let x = b.pad("zeros", x, pad).unwrap();
    let part = Region::of_channels(b.shape(x), Span::run(1, 6));
    let x = b.slice("part", x, part).unwrap();
    let depthwise = ConvolutionOptions {
        groups: 6,
        padding: Pads::onnx([2, 0, 0, 1]),
        ..options(6, ([3, 2], [1, 1], [0, 0]), false)
    };
    let y = b.convolution("b", x, &depthwise).unwrap();
    let y = b.scale("b scale", y, [true, true]).unwrap();
    let y = b.leaky_relu("leaky", y, 0.2).unwrap();
    let y = b.convolution("c", y, &options(5, ([1, 1], [1, 1], [0, 0]), true));
    let y = b.prelu("slopes", y.unwrap(), 5).unwrap();
    let average = AverageWindow {
        window: beyond(),
        counts_padding: false,
    };
    let y = b.average_pool("mean", y, average).unwrap();
    let y = b.global_average_pool("pool", y).unwrap();
    let bias = false;
    b.linear_layer("d", y, LinearOptions { outputs: 5, bias })
        .unwrap();
    b.finish()
}

/// A convolution, a 2x3 map made flat, a linear layer: layouts permute weights here.
pub fn flat() -> Graph {
    let (mut b, image) = Builder::new(Shape::map(2, 4, 5));
    let place = ([3, 3], [1, 1], [0, 0]);
    let x = b.convolution("a", image, &options(5, place, true)).unwrap();
    let x = b.relu("relu", x).unwrap();
    let x = b.flatten("flat", x).unwrap();
    b.linear("b", x, 4).unwrap();
    b.finish()
}
