//! Against the direct kernels, on maps that tiles cover exactly and not.

use super::*;
use crate::engine::backend::Pads;
use crate::engine::backend::cpu::check::{assert_close, dot, random};
use crate::engine::backend::cpu::convolution::{ConvolutionShape, PackedWeights};
use crate::engine::backend::cpu::{Isa, Scratch};

/// Largest difference from the direct kernels, relative to the largest number.
const TOLERANCE: f64 = 1e-5;

const IMAGES: usize = 5;

fn shape([in_channels, out_channels]: [usize; 2], size: [usize; 2]) -> ConvolutionShape {
    ConvolutionShape {
        in_channels,
        out_channels,
        in_height: size[0],
        in_width: size[1],
        kernel: [3, 3],
        stride: [1, 1],
        padding: Pads::even([1, 1]),
        dilation: [1, 1],
        groups: 1,
    }
}

fn shapes() -> Vec<ConvolutionShape> {
    vec![
        shape([16, 16], [32, 32]),
        shape([32, 32], [16, 16]),
        shape([64, 64], [8, 8]),
        shape([16, 48], [7, 7]),
        shape([48, 16], [13, 10]),
        shape([16, 32], [4, 4]),
        shape([32, 16], [6, 23]),
        // More channels than a block of sums holds.
        shape([80, 48], [8, 6]),
    ]
}

struct Case {
    kernel: Winograd,
    x: Vec<f32>,
    w: Vec<f32>,
    dy: Vec<f32>,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        Isa::available().into_iter().flat_map(|isa| {
            shapes().into_iter().map(move |shape| Self {
                kernel: Convolution::new(isa, shape).winograd().unwrap(),
                x: random(IMAGES * shape.in_elements(), 1),
                w: random(shape.weights(), 2),
                dy: random(IMAGES * shape.out_elements(), 3),
            })
        })
    }

    fn packed(&self) -> [PackedWeights; 2] {
        let mut packed = [PackedWeights::new(), PackedWeights::new()];
        let direct = self.kernel.convolution();
        direct.pack_forward(&self.w, &mut packed[0]);
        direct.pack_grad_input(&self.w, &mut packed[1]);
        packed
    }

    fn forward(&self, x: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let weights = self.kernel.forward_weights(&self.packed()[0]);
        let shape = self.kernel.convolution().shape();
        let mut y = vec![f32::NAN; x.len() / shape.in_elements() * shape.out_elements()];
        self.kernel.forward(x, &weights, &mut y, scratch);
        y
    }

    fn grad_input(&self, dy: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let weights = self.kernel.grad_input_weights(&self.packed()[1]);
        let shape = self.kernel.convolution().shape();
        let mut dx = vec![f32::NAN; dy.len() / shape.out_elements() * shape.in_elements()];
        self.kernel.grad_input(dy, &weights, &mut dx, scratch);
        dx
    }

    /// The weight gradient, of two chunks of images, as OIHW.
    fn grad_weight(&self, scratch: &mut Scratch) -> Vec<f32> {
        let direct = self.kernel.convolution();
        let mut dw = vec![0.0; direct.grad_weight_length()];
        let x = self.x.split_at(2 * direct.shape().in_elements());
        let dy = self.dy.split_at(2 * direct.shape().out_elements());
        self.kernel.grad_weight(x.0, dy.0, &mut dw, scratch);
        self.kernel.grad_weight(x.1, dy.1, &mut dw, scratch);
        let mut oihw = vec![f32::NAN; self.w.len()];
        direct.unpack_grad_weight(&dw, &mut oihw);
        oihw
    }

    /// `[y, dx, dw]` of the direct kernels.
    fn direct(&self) -> [Vec<f64>; 3] {
        let (direct, scratch) = (self.kernel.convolution(), &mut Scratch::new());
        let (mut y, mut dx) = (vec![0.0; self.dy.len()], vec![0.0; self.x.len()]);
        let mut dw = vec![0.0; direct.grad_weight_length()];
        let mut oihw = vec![0.0; self.w.len()];
        let packed = self.packed();
        direct.forward(&self.x, &packed[0], &mut y, scratch);
        direct.grad_input(&self.dy, &packed[1], &mut dx, scratch);
        direct.grad_weight(&self.x, &self.dy, &mut dw, scratch);
        direct.unpack_grad_weight(&dw, &mut oihw);
        [y, dx, oihw].map(|values| values.into_iter().map(f64::from).collect())
    }
}

#[test]
fn all_routines_agree_with_the_direct_kernels() {
    // One scratch memory for all: what a larger shape has left in must not matter.
    let mut scratch = Scratch::new();
    for case in Case::all() {
        let what = format!("{:?}", case.kernel);
        let [y, dx, dw] = case.direct();
        assert_close(&case.forward(&case.x, &mut scratch), &y, TOLERANCE, &what);
        let got = case.grad_input(&case.dy, &mut scratch);
        assert_close(&got, &dx, TOLERANCE, &what);
        let got = case.grad_weight(&mut scratch);
        assert_close(&got, &dw, TOLERANCE, &what);
    }
}

#[test]
fn the_routines_are_adjoint() {
    let mut scratch = Scratch::new();
    for case in Case::all() {
        let output = dot(&case.forward(&case.x, &mut scratch), &case.dy);
        let input = dot(&case.x, &case.grad_input(&case.dy, &mut scratch));
        let weight = dot(&case.w, &case.grad_weight(&mut scratch));
        let scale = 1e-5 * (case.dy.len() as f64 * case.w.len() as f64).sqrt();
        assert!(
            (output - input).abs() < scale && (output - weight).abs() < scale,
            "{:?}: {output} {input} {weight}",
            case.kernel
        );
    }
}

#[test]
fn outputs_do_not_depend_on_how_images_are_split() {
    for case in Case::all() {
        let shape = case.kernel.convolution().shape();
        let (inputs, outputs) = (2 * shape.in_elements(), 2 * shape.out_elements());
        let scratch = &mut Scratch::new();
        let mut parts = case.forward(&case.x[..inputs], scratch);
        parts.extend(case.forward(&case.x[inputs..], scratch));
        assert_eq!(case.forward(&case.x, scratch), parts, "{shape:?}");
        let mut parts = case.grad_input(&case.dy[..outputs], scratch);
        parts.extend(case.grad_input(&case.dy[outputs..], scratch));
        assert_eq!(case.grad_input(&case.dy, scratch), parts, "{shape:?}");
    }
}

#[test]
fn other_shapes_are_left_to_the_direct_kernels() {
    let good = shape([16, 16], [8, 8]);
    let others = [
        ConvolutionShape {
            in_channels: 3,
            ..good
        },
        ConvolutionShape {
            out_channels: 24,
            ..good
        },
        ConvolutionShape {
            stride: [2, 2],
            ..good
        },
        ConvolutionShape {
            padding: Pads::even([0, 1]),
            ..good
        },
        ConvolutionShape {
            kernel: [1, 1],
            ..good
        },
        ConvolutionShape {
            padding: Pads::even([2, 2]),
            dilation: [2, 2],
            ..good
        },
        ConvolutionShape {
            padding: Pads::even([1, 1]),
            dilation: [1, 2],
            ..good
        },
        ConvolutionShape {
            padding: Pads::onnx([1, 1, 1, 0]),
            ..good
        },
        ConvolutionShape {
            padding: Pads::onnx([0, 1, 2, 1]),
            ..good
        },
        ConvolutionShape { groups: 2, ..good },
        ConvolutionShape {
            in_height: 5,
            in_width: 5,
            ..good
        },
    ];
    for other in others {
        assert!(
            Convolution::new(Isa::PORTABLE, other).winograd().is_none(),
            "{other:?}"
        );
    }
}

#[test]
#[should_panic(expected = "weights transformed for")]
fn weights_transformed_for_another_direction_are_refused() {
    let case = Case::all().next().unwrap();
    let weights = case.kernel.grad_input_weights(&case.packed()[1]);
    let mut y = vec![0.0; case.dy.len()];
    let scratch = &mut Scratch::new();
    case.kernel.forward(&case.x, &weights, &mut y, scratch);
}
