//! Convolutions, products with matrices, normalisation.

use crate::compare::{Case, case, judged};
use crate::onnx::{File, Tensor};

/// A convolution of 4 channels of 9x8 by 6 kernels of 3x3.
fn conv() -> File {
    File::of(&[0, 4, 9, 8])
        .weights("w", &[6, 4, 3, 3])
        .weights("b", &[6])
        .node("Conv x w b -> a")
        .with("kernel_shape", [3, 3])
}

/// The same in another words for `auto_pad`.
fn same(strides: [i64; 2], dilations: [i64; 2]) -> File {
    conv()
        .with("strides", strides)
        .with("dilations", dilations)
        .with("auto_pad", "SAME_LOWER")
        .flat("a")
}

fn convolutions() -> Vec<Case> {
    let lower = |strides, dilations, pads: [i64; 4]| {
        let twin = conv()
            .with("strides", strides)
            .with("dilations", dilations)
            .with("pads", pads);
        case("lower", same(strides, dilations)).twin(twin.flat("a"))
    };
    let without_kernel = File::of(&[0, 4, 9, 8])
        .weights("w", &[6, 4, 3, 3])
        .node("Conv x w -> a");
    let grouped = |group: i64, outputs: i64| {
        File::of(&[0, 4, 9, 8])
            .weights("w", &[outputs, 4 / group, 3, 2])
            .weights("b", &[outputs])
            .node("Conv x w b -> a")
            .with("kernel_shape", [3, 2])
            .with("group", group)
            .with("pads", [1, 0, 1, 1])
            .flat("a")
    };
    vec![
        case("plain", conv().flat("a")),
        case("four pads", conv().with("pads", [1, 0, 2, 3]).flat("a")),
        case(
            "strides and dilations",
            conv()
                .with("strides", [2, 1])
                .with("dilations", [1, 3])
                .with("pads", [0, 2, 1, 2])
                .flat("a"),
        ),
        case("valid", conv().with("auto_pad", "VALID").flat("a")),
        case(
            "not set",
            conv()
                .with("auto_pad", "NOTSET")
                .with("pads", [1, 1, 1, 1])
                .flat("a"),
        ),
        case(
            "upper",
            conv()
                .with("auto_pad", "SAME_UPPER")
                .with("strides", [2, 2])
                .flat("a"),
        ),
        case(
            "upper, stride 1",
            conv().with("auto_pad", "SAME_UPPER").flat("a"),
        ),
        case(
            "upper, dilated",
            conv()
                .with("auto_pad", "SAME_UPPER")
                .with("strides", [1, 1])
                .with("dilations", [2, 2])
                .flat("a"),
        ),
        // 9 rows need 2 more (1 and 1), 8 columns 1 more: before.
        lower([2, 2], [1, 1], [1, 1, 1, 0]),
        lower([1, 1], [2, 1], [2, 1, 2, 1]),
        case("no bias, no kernel_shape", without_kernel.clone().flat("a"))
            .twin(without_kernel.with("kernel_shape", [3, 3]).flat("a")),
        case("two groups", grouped(2, 6)),
        case("depthwise", grouped(4, 4)),
        case("depthwise, twice the channels", grouped(4, 8)),
        case(
            "one by one",
            File::of(&[0, 4, 3, 5])
                .weights("w", &[2, 4, 1, 1])
                .node("Conv x w -> a")
                .with("kernel_shape", [1, 1])
                .with("strides", [2, 2])
                .flat("a"),
        ),
        case(
            "a zero bias of the file",
            File::of(&[0, 2, 4, 4])
                .weights("w", &[3, 2, 3, 3])
                .floats("b", &[0.0; 3])
                .node("Conv x w b -> a")
                .with("kernel_shape", [3, 3])
                .flat("a"),
        ),
    ]
}

fn gemm(inputs: i64) -> File {
    File::of(&[0, inputs])
}

fn products() -> Vec<Case> {
    let biased = |name: &'static str, dims: &[i64]| {
        let file = gemm(6)
            .weights("w", &[6, 5])
            .weights("b", dims)
            .node("Gemm x w b -> y")
            .with("beta", 0.5_f32)
            .with("alpha", -2.0_f32);
        case(name, file)
    };
    let matrix = |file: File| file.weights("w", &[6, 5]).node("MatMul x w -> y");
    vec![
        case(
            "not turned",
            gemm(6).weights("w", &[6, 5]).node("Gemm x w -> y"),
        ),
        case(
            "turned",
            gemm(6)
                .weights("w", &[5, 6])
                .weights("b", &[5])
                .node("Gemm x w b -> y")
                .with("transB", 1)
                .with("transA", 0),
        ),
        biased("a bias each", &[5]),
        biased("a bias each, as a row", &[1, 5]),
        biased("one bias for all", &[]),
        biased("one bias for all, as a vector", &[1]),
        biased("one bias for all, as a matrix", &[1, 1]),
        case("matrix", matrix(gemm(6))),
        case(
            "matrix and summand",
            gemm(6)
                .weights("w", &[6, 5])
                .weights("b", &[5])
                .node("MatMul x w -> a")
                .node("Add b a -> y"),
        ),
        case(
            "matrix whose weights are turned in the file",
            gemm(6)
                .weights("w", &[5, 6])
                .node("Transpose w -> t")
                .with("perm", [1, 0])
                .node("MatMul x t -> y"),
        ),
        case(
            "kernels whose extents change places in the file",
            File::of(&[0, 2, 5, 5])
                .weights("w", &[3, 3, 2, 4])
                .node("Transpose w -> t")
                .with("perm", [3, 2, 0, 1])
                .node("Conv x t -> a")
                .with("kernel_shape", [3, 3])
                .flat("a"),
        ),
        case(
            "over maps of one row and column",
            File::of(&[0, 4, 6, 6])
                .weights("w", &[5, 4])
                .node("GlobalAveragePool x -> a")
                .node("Flatten a -> b")
                .node("Gemm b w -> y")
                .with("transB", 1),
        ),
        case(
            "over a map's features",
            File::of(&[0, 3, 2, 4])
                .weights("w", &[24, 5])
                .node("Flatten x -> a")
                .with("axis", 1)
                .node("Gemm a w -> y"),
        ),
        case(
            "two, one after another",
            gemm(6)
                .weights("w", &[6, 4])
                .weights("v", &[3, 4])
                .node("MatMul x w -> a")
                .node("Relu a -> b")
                .node("Gemm b v -> y")
                .with("transB", 1),
        ),
    ]
}

/// Positive numbers.
fn variance(name: &str, channels: i64) -> Tensor {
    let values: Vec<f32> = (0..channels).map(|at| 0.25 + at as f32 * 0.5).collect();
    Tensor::floats(name, &[channels], &values)
}

fn normed(file: File, channels: i64) -> File {
    file.weights("g", &[channels])
        .weights("s", &[channels])
        .weights("m", &[channels])
        .tensor(variance("v", channels))
}

fn norms() -> Vec<Case> {
    let map = || normed(File::of(&[0, 4, 3, 5]), 4);
    vec![
        case(
            "over maps",
            map().node("BatchNormalization x g s m v -> a").flat("a"),
        ),
        case(
            "with an epsilon",
            map()
                .node("BatchNormalization x g s m v -> a")
                .with("epsilon", 0.125_f32)
                .with("momentum", 0.5_f32)
                .flat("a"),
        ),
        case(
            "in evaluation mode",
            map()
                .node("BatchNormalization x g s m v -> a")
                .with("training_mode", 0)
                .flat("a"),
        ),
        case(
            "over features",
            normed(File::of(&[0, 4]), 4).node("BatchNormalization x g s m v -> y"),
        ),
        case(
            "over a map's features",
            normed(File::of(&[0, 2, 2, 3]), 12)
                .node("Flatten x -> a")
                .node("BatchNormalization a g s m v -> y"),
        ),
        case(
            "behind a convolution",
            map()
                .weights("w", &[4, 4, 1, 1])
                .node("Conv x w -> c")
                .with("kernel_shape", [1, 1])
                .node("BatchNormalization c g s m v -> a")
                .flat("a"),
        ),
        case(
            "as its parts",
            File::of(&[0, 4, 3, 5])
                .weights("mean", &[1, 4, 1, 1])
                .tensor(variance("v", 4))
                .weights("g", &[4, 1, 1])
                .weights("s", &[4, 1, 1])
                .float("eps", 1e-3)
                .integers("channels", &[1, 2])
                .node("Sub x mean -> a")
                .node("Add v eps -> b")
                .node("Sqrt b -> c")
                .node("Unsqueeze c channels -> d")
                .node("Div a d -> e")
                .node("Mul e g -> f")
                .node("Add f s -> h")
                .flat("h"),
        ),
    ]
}

pub fn all() -> Vec<Case> {
    [convolutions(), products(), norms()]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn convolutions_are_those_of_the_runtime() {
    judged(&convolutions());
}

#[test]
fn products_with_matrices_are_those_of_the_runtime() {
    judged(&products());
}

#[test]
fn normalisation_is_that_of_the_runtime() {
    judged(&norms());
}
