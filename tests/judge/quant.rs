//! `Quant` nodes: weights on their grids, activations within the range of theirs.

use crate::compare::{Case, case, judged};
use crate::onnx::{File, Tensor};

const QUANT: &str = "qonnx.custom_op.general.Quant";
const OLDER: &str = "onnx.brevitas.Quant";

/// Weights through a node that reads `s`, `z` and `b`.
fn weights(operation: &str, scales: &[f32], [zero, bits]: [f32; 2]) -> File {
    let dims: &[i64] = if scales.len() == 1 { &[] } else { &[3, 1] };
    File::of(&[0, 4])
        .tensor(Tensor::floats("q", &[3, 4], &numbers()))
        .tensor(Tensor::floats("s", dims, scales))
        .float("z", zero)
        .float("b", bits)
        .node(&format!("{operation} q s z b -> w"))
}

fn numbers() -> Vec<f32> {
    (-6..6).map(|at| at as f32 * 0.3 + 0.05).collect()
}

fn multiplied(file: File) -> File {
    file.node("Gemm x w -> y").with("transB", 1)
}

/// The layer with what the nodes above make of the numbers, told outright.
fn told(of: impl Fn(usize, f32) -> f32) -> File {
    let values = numbers().into_iter().enumerate();
    let values: Vec<f32> = values.map(|(at, value)| of(at / 4, value)).collect();
    multiplied(File::of(&[0, 4]).tensor(Tensor::floats("w", &[3, 4], &values)))
}

/// Images through a node of 3 bits, and what is left of it: a clip.
fn images(is_signed: i64, [least, most]: [f32; 2]) -> (File, File) {
    let image = || File::of(&[0, 2, 3, 3]);
    let quant = image()
        .float("s", 0.1)
        .float("z", 0.0)
        .float("b", 3.0)
        .node(&format!("{QUANT} x s z b -> a"))
        .with("signed", is_signed)
        .with("narrow", is_signed)
        .with("rounding_mode", "ROUND")
        .flat("a");
    let clip = image().float("least", least).float("most", most);
    (quant, clip.node("Clip x least most -> a").flat("a"))
}

pub fn all() -> Vec<Case> {
    let narrow = multiplied(
        weights(QUANT, &[0.25], [0.0, 3.0])
            .with("signed", 1)
            .with("narrow", 1)
            .with("rounding_mode", "ROUND"),
    );
    let wide = multiplied(weights(OLDER, &[0.25, 0.5, 0.125], [0.0, 3.0]).with("narrow", 0));
    let floor = multiplied(weights(QUANT, &[0.25], [2.0, 4.0]).with("signed", 0));
    let steps = [0.25, 0.5, 0.125];
    let (signed, between) = images(1, [-0.3, 0.3]);
    let (unsigned, above) = images(0, [0.0, 0.7]);
    vec![
        case("weights on a narrow grid", narrow).twin(told(|_, w| {
            (w / 0.25).round_ties_even().clamp(-3.0, 3.0) * 0.25
        })),
        case("weights on a grid each", wide).twin(told(move |row, w| {
            (w / steps[row]).round_ties_even().clamp(-4.0, 3.0) * steps[row]
        })),
        case("weights with a zero point", floor).twin(told(|_, w| {
            ((w / 0.25 + 2.0).round_ties_even().clamp(0.0, 15.0) - 2.0) * 0.25
        })),
        case("images on a signed grid", signed).twin(between),
        case("images on an unsigned grid", unsigned).twin(above),
    ]
}

#[test]
fn quantizers_leave_weights_on_grids_and_images_in_ranges() {
    judged(&all());
}
