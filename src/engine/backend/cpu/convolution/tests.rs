//! The three routines against sums written from the definition, in float64.

use super::*;
use crate::engine::backend::Pads;
use crate::engine::backend::cpu::Scratch;
use crate::engine::backend::cpu::check::{assert_close, dot, random};

/// One term of a convolution: indices of an output, a weight and an input.
fn terms(shape: &ConvolutionShape, mut visit: impl FnMut(usize, usize, usize)) {
    let [kernel_height, kernel_width] = shape.kernel;
    for output in 0..shape.out_elements() {
        let o = output % shape.out_channels;
        let pixel = output / shape.out_channels;
        let (row, column) = (pixel / shape.out_width(), pixel % shape.out_width());
        for (kh, kw) in (0..kernel_height).flat_map(|h| (0..kernel_width).map(move |w| (h, w))) {
            let h =
                (row * shape.stride[0] + kh * shape.dilation[0]).wrapping_sub(shape.padding.top);
            let w = (column * shape.stride[1] + kw * shape.dilation[1])
                .wrapping_sub(shape.padding.left);
            if h >= shape.in_height || w >= shape.in_width {
                continue;
            }
            let inputs = shape.group_inputs();
            let first = o / shape.group_outputs() * inputs;
            for i in 0..inputs {
                let weight = ((o * inputs + i) * kernel_height + kh) * kernel_width + kw;
                let input = (h * shape.in_width + w) * shape.in_channels + first + i;
                visit(output, weight, input);
            }
        }
    }
}

/// A small table of awkward geometries; channels are `[in, out]`.
fn shapes() -> Vec<ConvolutionShape> {
    let mut shapes = Vec::new();
    let mut add = |channels: [usize; 2], size: [usize; 2], kernel, stride, padding| {
        shapes.push(ConvolutionShape {
            in_channels: channels[0],
            out_channels: channels[1],
            in_height: size[0],
            in_width: size[1],
            kernel,
            stride,
            padding: Pads::even(padding),
            dilation: [1, 1],
            groups: 1,
        });
    };
    for stride in [[1, 1], [2, 2], [3, 3], [2, 1], [1, 3]] {
        add([3, 16], [7, 10], [3, 3], stride, [1, 1]);
        add([10, 17], [9, 6], [3, 3], stride, [0, 1]);
        add([16, 33], [5, 8], [1, 1], stride, [0, 0]);
        add([17, 10], [6, 7], [5, 3], stride, [2, 1]);
        add([1, 3], [11, 9], [7, 7], stride, [3, 3]);
        add([5, 4], [4, 5], [1, 1], stride, [1, 2]);
        add([2, 9], [8, 9], [2, 4], stride, [1, 0]);
    }
    add([16, 16], [32, 32], [3, 3], [1, 1], [1, 1]);
    add([16, 32], [13, 17], [3, 3], [2, 2], [1, 1]);
    add([33, 64], [8, 8], [3, 3], [1, 1], [1, 1]);
    add([64, 48], [7, 7], [3, 3], [1, 1], [1, 1]);
    add([3, 1], [1, 1], [3, 3], [1, 1], [1, 1]);
    add([4, 5], [6, 6], [6, 6], [1, 1], [0, 0]);
    add([4, 5], [7, 40], [3, 1], [1, 1], [1, 0]);
    shapes.extend(uneven());
    shapes.extend(divided());
    shapes
}

/// Pads of four kinds, also wider than the kernel, and steps longer than the kernel.
fn uneven() -> Vec<ConvolutionShape> {
    let mut shapes = Vec::new();
    for pads in [
        [0, 0, 1, 1],
        [1, 0, 0, 2],
        [2, 3, 0, 1],
        [0, 0, 4, 0],
        [5, 0, 0, 3],
    ] {
        for (kernel, stride) in [
            ([3, 3], [1, 1]),
            ([3, 3], [2, 2]),
            ([2, 5], [3, 2]),
            ([1, 1], [2, 2]),
            ([2, 1], [5, 4]),
        ] {
            for [in_channels, out_channels] in [[3, 16], [10, 17], [16, 16]] {
                shapes.push(ConvolutionShape {
                    in_channels,
                    out_channels,
                    in_height: 7,
                    in_width: 10,
                    kernel,
                    stride,
                    padding: Pads::onnx(pads),
                    dilation: [1, 1],
                    groups: 1,
                });
            }
        }
    }
    shapes
}

/// Shapes with groups, depthwise ones, and dilation, alone and together.
fn divided() -> Vec<ConvolutionShape> {
    let mut shapes = Vec::new();
    for (channels, groups) in [
        ([16, 32], 2),
        ([6, 9], 3),
        ([34, 68], 17),
        ([5, 5], 5),
        ([16, 16], 16),
        ([33, 33], 33),
        ([4, 8], 4),
        ([10, 17], 1),
    ] {
        for (stride, dilation) in [
            ([1, 1], [1, 1]),
            ([2, 2], [1, 1]),
            ([1, 1], [2, 2]),
            ([2, 3], [2, 2]),
            ([4, 2], [2, 3]),
            ([1, 2], [3, 4]),
        ] {
            for padding in [Pads::NONE, Pads::even([2, 1]), Pads::onnx([0, 2, 3, 1])] {
                shapes.push(ConvolutionShape {
                    in_channels: channels[0],
                    out_channels: channels[1],
                    in_height: 9,
                    in_width: 11,
                    kernel: [3, 3],
                    stride,
                    padding,
                    dilation,
                    groups,
                });
            }
        }
    }
    shapes
}

struct Case {
    convolution: Convolution,
    images: usize,
    x: Vec<f32>,
    w: Vec<f32>,
    dy: Vec<f32>,
}

impl Case {
    fn new(isa: Isa, shape: ConvolutionShape, images: usize) -> Self {
        Self {
            convolution: Convolution::new(isa, shape),
            images,
            x: random(images * shape.in_elements(), 1),
            w: random(shape.weights(), 2),
            dy: random(images * shape.out_elements(), 3),
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        Isa::available().into_iter().flat_map(|isa| {
            shapes()
                .into_iter()
                .map(move |shape| Self::new(isa, shape, 2))
        })
    }

    fn forward(&self, x: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let shape = self.convolution.shape();
        let mut weights = PackedWeights::new();
        self.convolution.pack_forward(&self.w, &mut weights);
        let mut y = vec![f32::NAN; x.len() / shape.in_elements() * shape.out_elements()];
        self.convolution.forward(x, &weights, &mut y, scratch);
        y
    }

    fn grad_input(&self, dy: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let shape = self.convolution.shape();
        let mut weights = PackedWeights::new();
        self.convolution.pack_grad_input(&self.w, &mut weights);
        let mut dx = vec![f32::NAN; dy.len() / shape.out_elements() * shape.in_elements()];
        self.convolution.grad_input(dy, &weights, &mut dx, scratch);
        dx
    }

    /// In the private layout.
    fn grad_weight(&self, x: &[f32], dy: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let mut dw = vec![0.0; self.convolution.grad_weight_length()];
        self.convolution.grad_weight(x, dy, &mut dw, scratch);
        dw
    }

    fn unpacked(&self, dw: &[f32]) -> Vec<f32> {
        let mut oihw = vec![f32::NAN; self.w.len()];
        self.convolution.unpack_grad_weight(dw, &mut oihw);
        oihw
    }

    /// `[y, dx, dw]` from the definition.
    fn reference(&self) -> [Vec<f64>; 3] {
        let shape = self.convolution.shape();
        let mut y = vec![0.0; self.dy.len()];
        let mut dx = vec![0.0; self.x.len()];
        let mut dw = vec![0.0; self.w.len()];
        for image in 0..self.images {
            let (outputs, inputs) = (image * shape.out_elements(), image * shape.in_elements());
            terms(shape, |o, w, i| {
                let (o, i) = (outputs + o, inputs + i);
                let (x, dy) = (f64::from(self.x[i]), f64::from(self.dy[o]));
                y[o] += x * f64::from(self.w[w]);
                dx[i] += dy * f64::from(self.w[w]);
                dw[w] += x * dy;
            });
        }
        [y, dx, dw]
    }
}

#[test]
fn all_routines_agree_with_the_definition() {
    // One scratch memory for all: what a larger shape has left in must not matter.
    let mut scratch = Scratch::new();
    for case in Case::all() {
        let what = format!("{:?}", case.convolution);
        let [y, dx, dw] = case.reference();
        assert_close(&case.forward(&case.x, &mut scratch), &y, 2e-6, &what);
        assert_close(&case.grad_input(&case.dy, &mut scratch), &dx, 2e-6, &what);
        let got = case.grad_weight(&case.x, &case.dy, &mut scratch);
        assert_close(&case.unpacked(&got), &dw, 2e-6, &what);
    }
}

#[test]
fn the_routines_are_adjoint() {
    let mut scratch = Scratch::new();
    for case in Case::all() {
        let output = dot(&case.forward(&case.x, &mut scratch), &case.dy);
        let input = dot(&case.x, &case.grad_input(&case.dy, &mut scratch));
        let dw = case.grad_weight(&case.x, &case.dy, &mut scratch);
        let weight = dot(&case.w, &case.unpacked(&dw));
        let scale = 1e-5 * (case.dy.len() as f64 * case.w.len() as f64).sqrt();
        assert!(
            (output - input).abs() < scale && (output - weight).abs() < scale,
            "{:?}: {output} {input} {weight}",
            case.convolution
        );
    }
}

#[test]
fn results_do_not_depend_on_how_images_are_split() {
    for isa in Isa::available() {
        for shape in shapes() {
            let case = Case::new(isa, shape, 5);
            let (inputs, outputs) = (2 * shape.in_elements(), 2 * shape.out_elements());
            let mut scratch = Scratch::new();
            let whole = case.forward(&case.x, &mut scratch);
            let mut parts = case.forward(&case.x[..inputs], &mut scratch);
            parts.extend(case.forward(&case.x[inputs..], &mut Scratch::new()));
            assert_eq!(whole, parts, "{shape:?}");
            let whole = case.grad_input(&case.dy, &mut scratch);
            let mut parts = case.grad_input(&case.dy[..outputs], &mut scratch);
            parts.extend(case.grad_input(&case.dy[outputs..], &mut Scratch::new()));
            assert_eq!(whole, parts, "{shape:?}");
            let whole = case.grad_weight(&case.x, &case.dy, &mut scratch);
            let mut parts = case.grad_weight(&case.x[..inputs], &case.dy[..outputs], &mut scratch);
            let (x, dy) = (&case.x[inputs..], &case.dy[outputs..]);
            case.convolution
                .grad_weight(x, dy, &mut parts, &mut scratch);
            assert_eq!(whole, parts, "{shape:?}");
        }
    }
}

#[test]
fn packed_memory_is_reused() {
    let case = Case::new(Isa::PORTABLE, shapes()[0], 1);
    let mut weights = PackedWeights::new();
    case.convolution
        .pack_grad_input(&random(case.w.len(), 9), &mut weights);
    case.convolution.pack_forward(&case.w, &mut weights);
    let mut y = vec![0.0; case.dy.len()];
    let mut scratch = Scratch::new();
    case.convolution
        .forward(&case.x, &weights, &mut y, &mut scratch);
    assert_eq!(y, case.forward(&case.x, &mut scratch));
}

#[test]
#[should_panic(expected = "weights packed for")]
fn weights_packed_for_another_direction_are_refused() {
    let case = Case::new(Isa::PORTABLE, shapes()[0], 1);
    let mut weights = PackedWeights::new();
    case.convolution.pack_grad_input(&case.w, &mut weights);
    let mut y = vec![0.0; case.dy.len()];
    case.convolution
        .forward(&case.x, &weights, &mut y, &mut Scratch::new());
}

#[test]
#[should_panic(expected = "not the same whole images")]
fn a_short_output_is_refused() {
    let case = Case::new(Isa::PORTABLE, shapes()[0], 1);
    let mut weights = PackedWeights::new();
    case.convolution.pack_forward(&case.w, &mut weights);
    let mut y = vec![0.0; case.dy.len() - 1];
    case.convolution
        .forward(&case.x, &weights, &mut y, &mut Scratch::new());
}
