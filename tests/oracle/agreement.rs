//! Every routine of the CPU, with every instruction set, against plain tensor operations in float64,
//! on shapes that fit no register.

use hawqeye::engine::backend::candle::Candle;
use hawqeye::engine::backend::cpu::{Cpu, Isa};
use hawqeye::engine::backend::{
    Activation, AverageWindow, Backend, ConvolutionShape, Grid, LinearShape, NormGradient, Pads,
    Parts, Rectified, Region, Span, Unary, WeightShape, Window,
};
use hawqeye::engine::graph::Shape;

use crate::cases::Random;

const IMAGES: usize = 3;
/// Float32 against float64, relative to the largest number.
const TOLERANCE: f64 = 3e-6;
/// The same of the faster and less exact routines.
const FAST_TOLERANCE: f64 = 1e-5;
/// What the names of those begin with.
const FAST: &str = "fast";

/// What a backend answers, by routine.
type Answers = Vec<(String, Vec<f64>)>;

/// Asks a backend everything; equal questions on every backend.
fn answers<B: Backend>(backend: &B) -> Answers {
    let mut asker = Asker {
        backend,
        ws: B::Workspace::default(),
        random: Random::new(17),
        answers: Vec::new(),
    };
    for shape in convolutions() {
        let (name, weights) = (format!("{shape:?}"), WeightShape::Convolution(shape));
        asker.product(&name, &weights, shape.input());
        asker.fast_product(&name, &weights, shape.input());
    }
    for (inputs, outputs) in [(10, 17), (64, 10), (7, 3), (33, 100)] {
        let shape = WeightShape::Linear(LinearShape { inputs, outputs });
        asker.product(&format!("{shape:?}"), &shape, Shape::Features(inputs));
    }
    for shape in [
        Shape::map(10, 5, 7),
        Shape::map(17, 3, 3),
        Shape::map(16, 8, 8),
    ] {
        asker.elementwise(shape);
        asker.functions(shape);
        asker.pooling(shape);
        asker.side_by_side(shape);
        asker.quantizer(shape);
    }
    asker.elementwise(Shape::Features(13));
    asker.functions(Shape::Features(13));
    asker.side_by_side(Shape::Features(13));
    asker.quantizer(Shape::Features(13));
    asker.answers
}

fn convolutions() -> Vec<ConvolutionShape> {
    let channels = [(3, 16), (10, 17), (16, 16), (17, 10), (32, 33), (1, 16)];
    let geometry = [
        ([3, 3], [1, 1], [1, 1]),
        ([3, 3], [2, 2], [1, 1]),
        ([1, 1], [1, 1], [0, 0]),
        ([1, 1], [2, 2], [0, 0]),
        ([3, 2], [2, 1], [1, 0]),
        ([5, 3], [1, 2], [2, 1]),
    ];
    let both = channels
        .iter()
        .flat_map(|&channels| geometry.iter().map(move |&geometry| (channels, geometry)));
    both.map(
        |((in_channels, out_channels), (kernel, stride, padding))| ConvolutionShape {
            in_channels,
            out_channels,
            in_height: 7,
            in_width: 6,
            kernel,
            stride,
            padding: Pads::even(padding),
            dilation: [1, 1],
            groups: 1,
        },
    )
    .chain(divided())
    .chain(
        divided()
            .zip(uneven())
            .map(|(shape, padding)| ConvolutionShape { padding, ..shape }),
    )
    .collect()
}

/// Pads of four kinds.
fn uneven() -> impl Iterator<Item = Pads> {
    [
        [0, 0, 1, 1],
        [1, 0, 2, 3],
        [0, 2, 0, 0],
        [3, 1, 0, 2],
        [2, 4, 1, 5],
    ]
    .into_iter()
    .map(Pads::onnx)
}

/// Groups, depthwise ones, and dilation.
fn divided() -> impl Iterator<Item = ConvolutionShape> {
    let shape = |(in_channels, out_channels, groups), stride, dilation| ConvolutionShape {
        in_channels,
        out_channels,
        in_height: 7,
        in_width: 8,
        kernel: [3, 2],
        stride,
        padding: Pads::even([1, 2]),
        dilation,
        groups,
    };
    [
        shape((12, 8, 4), [1, 1], [1, 1]),
        shape((17, 17, 17), [2, 1], [1, 1]),
        shape((32, 32, 32), [1, 1], [2, 1]),
        shape((3, 6, 3), [1, 1], [1, 1]),
        shape((10, 17, 1), [3, 2], [2, 4]),
    ]
    .into_iter()
}

/// Windows of several kinds: with pads of four kinds, beyond them, with steps longer than they are,
/// and dilated.
fn windows() -> Vec<Window> {
    let window = |kernel, stride, pads, ceil| Window {
        padding: Pads::onnx(pads),
        ceil,
        ..Window::new(kernel, stride)
    };
    let dilated = Window {
        dilation: [2, 1],
        ..window([2, 2], [1, 2], [1, 0, 0, 1], false)
    };
    vec![
        window([2, 2], [2, 2], [0, 0, 0, 0], false),
        window([3, 2], [2, 1], [1, 1, 1, 1], false),
        window([3, 3], [1, 1], [1, 1, 1, 1], false),
        window([3, 3], [2, 2], [0, 0, 1, 1], false),
        window([3, 2], [2, 2], [1, 0, 0, 1], true),
        window([2, 2], [3, 4], [0, 1, 0, 0], true),
        dilated,
    ]
}

/// Every function.
fn functions<B: Backend>(slopes: &B::Channels) -> [Unary<'_, B>; 5] {
    [
        Unary::Relu,
        Unary::Clip {
            low: -0.25,
            high: 0.5,
        },
        Unary::Clip {
            low: 0.0,
            high: f64::INFINITY,
        },
        Unary::LeakyRelu(0.125),
        Unary::PRelu(slopes),
    ]
}

struct Asker<'a, B: Backend> {
    backend: &'a B,
    ws: B::Workspace,
    random: Random,
    answers: Answers,
}

impl<B: Backend> Asker<'_, B> {
    fn array(&mut self, shape: Shape) -> B::Array {
        let values = self.random.numbers(IMAGES * shape.elements());
        self.backend.upload(&mut self.ws, shape, &values).unwrap()
    }

    fn channels(&mut self, shape: Shape) -> B::Channels {
        let count = match shape {
            Shape::Map { channels, .. } => channels,
            Shape::Features(features) => features,
        };
        let values: Vec<f64> = self.random.numbers(count).iter().map(|v| 0.5 + v).collect();
        self.backend.channels(&values).unwrap()
    }

    fn say(&mut self, routine: &str, array: &B::Array) {
        let values = self.backend.download(array).unwrap();
        self.answers.push((routine.to_owned(), values));
    }

    fn product(&mut self, name: &str, shape: &WeightShape, input: Shape) {
        let (x, dy) = (self.array(input), self.array(shape.output()));
        let values = self.random.numbers(shape.weights());
        let weights = self.backend.weights(shape, &values).unwrap();
        let bias = self.channels(shape.output());
        for bias in [None, Some(&bias)] {
            let y = self
                .backend
                .product(&mut self.ws, &x, &weights, bias)
                .unwrap();
            self.say(&format!("product {name}"), &y);
        }
        let dx = self
            .backend
            .product_grad_input(&mut self.ws, &dy, &weights)
            .unwrap();
        self.say(&format!("grad input {name}"), &dx);
        let mut sum = self.backend.gradient(shape).unwrap();
        for _ in 0..2 {
            self.backend
                .product_grad_weight(&mut self.ws, &x, &dy, &mut sum)
                .unwrap();
        }
        let mut gradient = vec![0.0; shape.weights()];
        self.backend
            .drain_gradients(&mut [&mut sum], &mut gradient)
            .unwrap();
        self.answers.push((format!("grad weight {name}"), gradient));
        let mut rows = vec![0.0; 2 * self.backend.row_length(shape)];
        self.backend
            .grad_weight_rows(&mut self.ws, shape, (&x, &dy), &mut rows)
            .unwrap();
        for (image, row) in rows.chunks_exact(rows.len() / 2).enumerate() {
            let wide: Vec<f64> = row.iter().map(|&r| f64::from(r)).collect();
            let row = self.backend.weights_from_row(shape, &wide);
            self.answers
                .push((format!("grad weight of image {image} {name}"), row));
        }
    }

    fn fast_product(&mut self, name: &str, shape: &WeightShape, input: Shape) {
        let (x, dy) = (self.array(input), self.array(shape.output()));
        let values = self.random.numbers(shape.weights());
        let bias = self.channels(shape.output());
        let (backend, ws) = (self.backend, &mut self.ws);
        let weights = backend.weights(shape, &values).unwrap();
        let y = backend.fast_product(ws, &x, &weights, Some(&bias)).unwrap();
        let dx = backend.fast_product_grad_input(ws, &dy, &weights).unwrap();
        let mut sum = backend.gradient(shape).unwrap();
        for _ in 0..2 {
            let add = backend.fast_product_grad_weight(ws, &x, &dy, &mut sum);
            add.unwrap();
        }
        // Both ways may add to one sum.
        let add = backend.product_grad_weight(ws, &x, &dy, &mut sum);
        add.unwrap();
        let mut gradient = vec![0.0; shape.weights()];
        backend
            .drain_gradients(&mut [&mut sum], &mut gradient)
            .unwrap();
        backend
            .drain_gradients(&mut [&mut sum], &mut gradient)
            .unwrap();
        self.say(&format!("{FAST} product {name}"), &y);
        self.say(&format!("{FAST} grad input {name}"), &dx);
        self.answers
            .push((format!("{FAST} grad weight {name}"), gradient));
    }

    fn elementwise(&mut self, shape: Shape) {
        let (x, y) = (self.array(shape), self.array(shape));
        let [a, b, c, d] = [(); 4].map(|()| self.channels(shape));
        let (backend, ws) = (self.backend, &mut self.ws);
        let copy = |ws: &mut B::Workspace| backend.copy(ws, &x).unwrap();
        let scaled = backend.scale_shift(ws, &x, &a, None).unwrap();
        let shifted = backend.scale_shift(ws, &x, &a, Some(&b)).unwrap();
        let copied = copy(ws);
        let sum = backend.add(ws, copied, &y).unwrap();
        let gradient = NormGradient {
            scale: &a,
            offset: &b,
            mean: &c,
            slope: &d,
        };
        let copied = copy(ws);
        let norm = backend.norm_grad_input(ws, &y, copied, &gradient).unwrap();
        let part = backend.images(ws, &x, 1..IMAGES).unwrap();
        let moments = backend.channel_moments(&x, &a).unwrap().concat();
        let products = backend.channel_products(&x, &a, &y).unwrap().concat();
        let sums = backend.channel_sums(&x).unwrap();
        for (routine, array) in [
            ("scale", &scaled),
            ("scale and shift", &shifted),
            ("add", &sum),
            ("norm grad input", &norm),
            ("images", &part),
        ] {
            self.say(&format!("{routine} {shape}"), array);
        }
        for (routine, values) in [("moments", moments), ("products", products), ("sums", sums)] {
            self.answers
                .push((format!("channel {routine} {shape}"), values));
        }
    }

    /// Every function, and its slope.
    fn functions(&mut self, shape: Shape) {
        let (x, d) = (self.array(shape), self.array(shape));
        let slopes = self.channels(shape);
        let (backend, ws) = (self.backend, &mut self.ws);
        let mut found = Vec::new();
        for function in functions(&slopes) {
            let copied = backend.copy(ws, &x).unwrap();
            let value = backend.activate(ws, &function, copied).unwrap();
            let copied = backend.copy(ws, &d).unwrap();
            let slope = backend.activate_slope(ws, &function, &x, copied).unwrap();
            let values = [value, slope].map(|array| backend.download(&array).unwrap());
            found.push((format!("{function:?} {shape}"), values.concat()));
        }
        let products = backend.negative_products(&x, &d).unwrap();
        found.push((format!("negative products {shape}"), products));
        self.answers.extend(found.into_iter().map(|(name, values)| {
            let name = name.split("PRelu").next().unwrap_or_default().to_owned();
            (name, values)
        }));
    }

    /// Twice an array with as much room in between, and that much of it again.
    fn side_by_side(&mut self, shape: Shape) {
        let x = self.array(shape);
        let channels = shape.channels();
        let whole = match shape {
            Shape::Map { height, width, .. } => Shape::map(3 * channels, height, width),
            Shape::Features(features) => Shape::Features(3 * features),
        };
        let parts = Parts {
            whole,
            parts: vec![(shape, Some(&x)), (shape, None), (shape, Some(&x))],
        };
        let (backend, ws) = (self.backend, &mut self.ws);
        let together = backend.concat(ws, &parts).unwrap();
        let region = Region::of_channels(whole, Span::run(channels - 1, channels + 2));
        let part = backend.slice(ws, &region, &together).unwrap();
        let back = backend.embed(ws, &region, whole, &part).unwrap();
        self.say(&format!("concat {shape}"), &together);
        self.say(&format!("slice of channels {shape}"), &part);
        self.say(&format!("its adjoint {shape}"), &back);
    }

    fn pooling(&mut self, shape: Shape) {
        let (x, t) = (self.array(shape), self.array(shape));
        for window in windows() {
            let (backend, ws) = (self.backend, &mut self.ws);
            let largest = backend.max_pool(ws, &window, &x).unwrap();
            let tangent = backend.max_pool_tangent(ws, &window, &x, &t).unwrap();
            let up = backend
                .max_pool_backward(ws, &window, &x, &tangent)
                .unwrap();
            let [counted, uncounted] = [true, false].map(|counts_padding| {
                let average = AverageWindow {
                    window,
                    counts_padding,
                };
                let mean = backend.average_pool(ws, &average, &x).unwrap();
                let down = backend.average_pool_backward(ws, &average, shape, &mean);
                (mean, down.unwrap())
            });
            for (routine, array) in [
                ("max pool", &largest),
                ("max pool tangent", &tangent),
                ("max pool backward", &up),
                ("average pool", &counted.0),
                ("average pool backward", &counted.1),
                ("uncounted average pool", &uncounted.0),
                ("uncounted average pool backward", &uncounted.1),
            ] {
                self.say(&format!("{routine} {window:?} {shape}"), array);
            }
        }
        self.whole_maps(shape, &x);
    }

    fn whole_maps(&mut self, shape: Shape, x: &B::Array) {
        let Shape::Map {
            channels,
            height,
            width,
        } = shape
        else {
            return;
        };
        let stepped = |start, end, step| Span::stepped(start, end, step).unwrap();
        let region = Region {
            channels: stepped(1, channels, 3),
            rows: stepped(0, height, 2),
            columns: stepped(2, width, 1),
        };
        let (backend, ws) = (self.backend, &mut self.ws);
        let mean = backend.global_average_pool(ws, x).unwrap();
        let spread = backend
            .global_average_pool_backward(ws, shape, &mean)
            .unwrap();
        let flat = backend.flatten(ws, x).unwrap();
        let back = backend.unflatten(ws, shape, &flat).unwrap();
        let short = backend.slice(ws, &region, x).unwrap();
        let long = backend.embed(ws, &region, shape, &short).unwrap();
        for (routine, array) in [
            ("global pool", &mean),
            ("global pool backward", &spread),
            ("flatten", &flat),
            ("unflatten", &back),
            ("slice", &short),
            ("embed", &long),
        ] {
            self.say(&format!("{routine} {shape}"), array);
        }
    }

    fn quantizer(&mut self, shape: Shape) {
        let (x, dy) = (self.array(shape), self.array(shape));
        for (step, low, high) in [(0.2, -3.0, 3.0), (0.05, 0.0, 15.0), (0.3, 0.0, 3.0)] {
            let grid = Grid { step, low, high };
            let (backend, ws) = (self.backend, &mut self.ws);
            let on_grid = backend.quantize(ws, grid, &x).unwrap();
            let copied = backend.copy(ws, &dy).unwrap();
            let masked = backend.quantize_mask(ws, grid, &x, copied).unwrap();
            let slope = backend.quantize_grad_step(grid, &x, &dy).unwrap();
            let copied = backend.copy(ws, &dy).unwrap();
            let (both, again) = backend.quantize_backward(ws, grid, &x, copied).unwrap();
            for (routine, array) in [("", &on_grid), (" mask", &masked), (" backward", &both)] {
                self.say(&format!("quantize{routine} {grid:?} {shape}"), array);
            }
            let slopes = vec![slope, again];
            self.answers
                .push((format!("quantize slopes {grid:?} {shape}"), slopes));
        }
    }
}

/// An activation function with every selection of neighbours, in one pass and in several.
fn check_activation<B: Backend>(backend: &B, shape: Shape, place: usize) {
    let mut asker = Asker {
        backend,
        ws: B::Workspace::default(),
        random: Random::new(23),
        answers: Vec::new(),
    };
    let (scale, shift) = (asker.channels(shape), asker.channels(shape));
    let slopes = asker.channels(shape);
    let function = functions(&slopes)[place];
    let [x, other, dq, dr] = [(); 4].map(|()| asker.array(shape));
    let ws = &mut asker.ws;
    let grid = Grid {
        step: 0.07,
        low: 0.0,
        high: 15.0,
    };
    let same = |a: &B::Array, b: &B::Array| {
        let [a, b] = [a, b].map(|array| backend.download(array).unwrap());
        assert!(
            a.iter()
                .map(|v| v.to_bits())
                .eq(b.iter().map(|v| v.to_bits())),
            "{shape}"
        );
    };
    for choice in 0..8 {
        let [norm, residual, quantized] = [1, 2, 4].map(|bit| choice & bit != 0);
        let with = Activation {
            function,
            norm: norm.then_some([&scale, &shift]),
            residual: residual.then_some(&other),
            grid: quantized.then_some(grid),
        };
        let (r, q) = backend.activation(ws, &x, &with).unwrap();
        let mut sum = match with.norm {
            Some([scale, shift]) => backend.scale_shift(ws, &x, scale, Some(shift)).unwrap(),
            None => backend.copy(ws, &x).unwrap(),
        };
        if let Some(other) = with.residual {
            sum = backend.add(ws, sum, other).unwrap();
        }
        same(&r, &backend.activate(ws, &function, sum).unwrap());
        assert_eq!(q.is_some(), quantized);
        if let Some(q) = q {
            same(&q, &backend.quantize(ws, grid, &r).unwrap());
        }
        if !function.is_seen_behind() {
            continue;
        }
        let rectified = Rectified {
            function,
            output: &r,
            grid,
        };
        for direct in [None, Some(&dr)] {
            let through = backend.copy(ws, &dq).unwrap();
            let copied = direct.map(|dr| backend.copy(ws, dr).unwrap());
            let passed = backend.activation_backward(ws, &rectified, through, copied);
            let (gradient, slope) = passed.unwrap();
            let through = backend.copy(ws, &dq).unwrap();
            let (mut masked, expected) = backend.quantize_backward(ws, grid, &r, through).unwrap();
            if let Some(dr) = direct {
                masked = backend.add(ws, masked, dr).unwrap();
            }
            let masked = backend.activate_slope(ws, &function, &r, masked);
            same(&gradient, &masked.unwrap());
            assert!(
                (slope - expected).abs() < 1e-5 * expected.abs().max(1.0),
                "{shape}"
            );
        }
    }
}

#[test]
fn an_activation_function_in_one_pass_is_bit_for_bit_that_in_several() {
    // More than a piece of one pass, with and without a remainder.
    for shape in [
        Shape::map(17, 23, 19),
        Shape::map(16, 32, 32),
        Shape::map(3, 5, 4),
    ] {
        for place in 0..5 {
            for isa in Isa::available() {
                check_activation(&Cpu::new(isa), shape, place);
            }
            check_activation(&Candle::float64_cpu(), shape, place);
        }
    }
}

#[test]
fn every_routine_agrees_with_float64() {
    let exact = answers(&Candle::float64_cpu());
    for isa in Isa::available() {
        let fast = answers(&Cpu::new(isa));
        assert_eq!(fast.len(), exact.len());
        let mut worst = (0.0, String::new());
        for ((routine, fast), (_, exact)) in fast.iter().zip(&exact) {
            assert_eq!(fast.len(), exact.len(), "{isa}: {routine}");
            let size = exact.iter().fold(1e-3_f64, |m, v| m.max(v.abs()));
            let errors = fast.iter().zip(exact).map(|(a, b)| (a - b).abs() / size);
            let error = errors.fold(0.0, f64::max);
            let tolerance = if routine.starts_with(FAST) {
                FAST_TOLERANCE
            } else {
                TOLERANCE
            };
            assert!(error < tolerance, "{isa}: {routine}: {error}");
            if error > worst.0 {
                worst = (error, routine.clone());
            }
        }
        eprintln!(
            "{isa}: {} answers, worst {:.1e} in {}",
            fast.len(),
            worst.0,
            worst.1
        );
    }
}
