//! Small networks with awkward sizes, one for every operation, and random numbers.

use hawqeye::engine::backend::{ShortcutShape, Window};
use hawqeye::engine::graph::{Builder, ConvolutionOptions, Graph, NodeId, Parameters, Role, Shape};

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
        padding,
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
        kernel,
        stride,
        padding,
    }
}

/// The network that checks an operation; `None` for one that has none.
pub fn network(operation: &str) -> Option<Graph> {
    let (mut builder, image) = Builder::new(Shape::map(3, 7, 6));
    let b = &mut builder;
    let x = match operation {
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
        "linear" => {
            let x = b.flatten("to features", image).unwrap();
            let x = b.linear("first", x, 17).unwrap();
            let x = b.relu("between", x).unwrap();
            b.linear("second", x, 5).unwrap();
            return Some(builder.finish());
        }
        "batch normalisation" => {
            let x = front(b, image, 10);
            b.batch_norm("norm", x).unwrap()
        }
        "relu" => {
            let x = front(b, image, 3);
            b.relu("relu", x).unwrap()
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
            b.linear("back", x, 5).unwrap();
            return Some(builder.finish());
        }
        "max pooling" => {
            let x = front(b, image, 3);
            b.max_pool("pool", x, window([3, 2], [2, 1], [1, 1]))
                .unwrap()
        }
        "average pooling" => {
            let x = front(b, image, 3);
            b.average_pool("pool", x, window([2, 3], [1, 2], [1, 1]))
                .unwrap()
        }
        "global average pooling" => {
            let x = front(b, image, 10);
            let x = b.global_average_pool("pool", x).unwrap();
            b.linear("back", x, 5).unwrap();
            return Some(builder.finish());
        }
        "flatten" => front(b, image, 2),
        "shortcut" => {
            let x = front(b, image, 3);
            let shape = ShortcutShape {
                stride: 2,
                out_channels: 6,
            };
            b.shortcut("shortcut", x, shape).unwrap()
        }
        _ => return None,
    };
    Some(back(b, x))
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
    let shape = ShortcutShape {
        stride: 2,
        out_channels: 6,
    };
    let x = b.shortcut("shortcut", x, shape).unwrap();
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
