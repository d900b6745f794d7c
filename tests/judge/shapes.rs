//! Views, parts and joins: what changes places and computes nothing.

use crate::compare::{Case, case, judged};
use crate::onnx::{File, Tensor};

fn image() -> File {
    File::of(&[0, 4, 6, 5])
}

/// A layer behind features.
fn layer(file: File, features: i64) -> File {
    file.weights("w", &[features, 5]).node("MatMul f w -> y")
}

fn views() -> Vec<Case> {
    let reshaped = |name: &'static str, shape: &[i64]| {
        let file = image()
            .integers("shape", shape)
            .node("Reshape x shape -> f");
        case(name, layer(file, 120))
    };
    let flattened = |name: &'static str, axis: i64| {
        case(
            name,
            layer(image().node("Flatten x -> f").with("axis", axis), 120),
        )
    };
    let pooled = || image().node("GlobalAveragePool x -> a");
    let squeezed = |opset: i64| {
        let file = pooled().opset(opset);
        let file = if opset < 13 {
            file.node("Squeeze a -> b").with("axes", [3, 2])
        } else {
            file.integers("axes", &[-1, 2]).node("Squeeze a axes -> b")
        };
        let file = if opset < 13 {
            file.node("Unsqueeze b -> c").with("axes", [2, 3])
        } else {
            file.integers("back", &[2, -1])
                .node("Unsqueeze b back -> c")
        };
        file.weights("k", &[3, 4, 1, 1])
            .node("Conv c k -> d")
            .with("kernel_shape", [1, 1])
            .flat("d")
    };
    vec![
        reshaped("all that is left", &[0, -1]),
        reshaped("the images that are left", &[-1, 120]),
        reshaped("nothing of the images", &[0, 120]),
        case("zeros that count nothing", {
            let file = image()
                .integers("shape", &[-1, 120])
                .node("Reshape x shape -> f");
            layer(file.with("allowzero", 1), 120)
        }),
        case("zeros in the middle", {
            let file = image()
                .integers("shape", &[0, 0, -1])
                .node("Reshape x shape -> a");
            layer(file.integers("to", &[0, -1]).node("Reshape a to -> f"), 120)
        }),
        flattened("flat", 1),
        flattened("flat, from the end", -3),
        case("flat in two steps", {
            let file = image()
                .node("Flatten x -> a")
                .node("Flatten a -> f")
                .with("axis", -1);
            layer(file, 120)
        }),
        case("extents of one go and come, as settings", squeezed(11)),
        case("extents of one go and come, as inputs", squeezed(13)),
        case("all extents of one", {
            let file = File::of(&[3, 4, 6, 5]).node("GlobalAveragePool x -> a");
            layer(file.node("Squeeze a -> f"), 4)
        }),
    ]
}

/// Rows, columns and channels of the images, in the file's order.
fn last() -> File {
    File::of(&[0, 6, 5, 4])
        .node("Transpose x -> a")
        .with("perm", [0, 3, 1, 2])
}

fn layouts() -> Vec<Case> {
    let conv = |file: File, line: &str, dims: &[i64]| {
        let name = line.split_whitespace().nth(2).unwrap().to_owned();
        file.weights(&name, dims)
            .node(line)
            .with("kernel_shape", [dims[2], dims[3]])
            .with("pads", [1, 0, 0, 1])
    };
    let back = |file: File, line: &str| file.node(line).with("perm", [0, 2, 3, 1]);
    let forth = |file: File, line: &str| file.node(line).with("perm", [0, 3, 1, 2]);
    vec![
        case(
            "channels last, once turned",
            conv(last(), "Conv a k -> b", &[3, 4, 2, 2]).flat("b"),
        ),
        case("two layers, turned to and fro", {
            let file = conv(last(), "Conv a k -> b", &[3, 4, 2, 2]);
            let file = back(file, "Transpose b -> c").floats("s", &[0.5, -1.0, 0.25]);
            let file = file.node("Add c s -> d").node("Relu d -> e");
            let file = forth(file, "Transpose e -> g");
            conv(file, "Conv g l -> h", &[2, 3, 2, 2]).flat("h")
        }),
        case("a layer over features in the file's order", {
            let file = conv(last(), "Conv a k -> b", &[3, 4, 2, 2]);
            let file = back(file, "Transpose b -> c").node("Flatten c -> f");
            layer(file, 90)
        }),
        case("rectified features in the file's order", {
            let file = conv(last(), "Conv a k -> b", &[3, 4, 2, 2]);
            let file = back(file, "Transpose b -> c").node("Flatten c -> d");
            layer(file.node("Relu d -> f"), 90)
        }),
        case("products with channels", {
            let file = File::of(&[0, 6, 5, 4])
                .weights("m", &[4, 3])
                .weights("b", &[3]);
            let file = file
                .node("MatMul x m -> c")
                .node("Add c b -> d")
                .node("Relu d -> e");
            let file = file.weights("n", &[3, 2]).node("MatMul e n -> g");
            let file = forth(file, "Transpose g -> h");
            file.flat("h")
        }),
        case("the mean of rows and columns, channels last", {
            let file = conv(last(), "Conv a k -> b", &[3, 4, 2, 2]);
            let file = back(file, "Transpose b -> c").node("ReduceMean c -> f");
            layer(file.with("axes", [1, 2]).with("keepdims", 0), 3)
        }),
        case("one channel", {
            let file = File::of(&[0, 6, 5, 1]).integers("shape", &[-1, 1, 6, 5]);
            conv(
                file.node("Reshape x shape -> a"),
                "Conv a k -> b",
                &[2, 1, 3, 3],
            )
            .flat("b")
        }),
        case("joined and padded, channels last", {
            let file = last();
            let file = back(file, "Transpose a -> c").integers("pads", &[0, 1, 0, 2, 0, 0, 3, 1]);
            let file = file
                .node("Pad c pads -> d")
                .node("Concat d d -> e")
                .with("axis", -1);
            forth(file, "Transpose e -> g").flat("g")
        }),
        case("an image without its channel", {
            let file = File::of(&[0, 6, 5])
                .integers("one", &[1])
                .node("Unsqueeze x one -> a");
            conv(file, "Conv a k -> b", &[2, 1, 3, 3]).flat("b")
        }),
    ]
}

fn sliced(opset: i64, starts: &[i64], ends: &[i64], axes: &[i64]) -> File {
    let file = image().opset(opset);
    assert!(opset >= 10);
    file.integers("starts", starts)
        .integers("ends", ends)
        .integers("axes", axes)
}

fn parts() -> Vec<Case> {
    vec![
        case(
            "channels, as settings",
            image()
                .opset(9)
                .node("Slice x -> a")
                .with("starts", [1])
                .with("ends", [3])
                .with("axes", [1])
                .flat("a"),
        ),
        case(
            "without axes, as settings",
            image()
                .opset(9)
                .node("Slice x -> a")
                .with("starts", [0, 1, -4])
                .with("ends", [i64::from(i32::MAX), 4, -1])
                .flat("a"),
        )
        .twin(
            image()
                .node("Slice x s e t -> a")
                .integers("t", &[0, 1, 2])
                .integers("s", &[0, 1, 2])
                .integers("e", &[100, 4, 5])
                .flat("a"),
        ),
        case(
            "rows and columns in steps",
            sliced(11, &[0, 1], &[i64::from(i32::MAX), 5], &[2, 3])
                .integers("steps", &[2, 3])
                .node("Slice x starts ends axes steps -> a")
                .flat("a"),
        ),
        case(
            "from the end",
            sliced(13, &[-3], &[-1], &[-3])
                .node("Slice x starts ends axes -> a")
                .flat("a"),
        ),
        case(
            "option A",
            sliced(13, &[0, 0], &[100, 100], &[2, 3])
                .integers("steps", &[2, 2])
                .node("Slice x starts ends axes steps -> a")
                .integers("pads", &[0, 2, 0, 0, 0, 2, 0, 0])
                .node("Pad a pads -> b")
                .flat("b"),
        ),
        case(
            "one row",
            sliced(13, &[2], &[3], &[2])
                .node("Slice x starts ends axes -> a")
                .flat("a"),
        ),
        case(
            "one channel, and a layer over it",
            sliced(13, &[2], &[3], &[1])
                .node("Slice x starts ends axes -> a")
                .weights("k", &[2, 1, 3, 3])
                .node("Conv a k -> b")
                .with("kernel_shape", [3, 3])
                .flat("b"),
        ),
        case("features", {
            let file = File::of(&[0, 9])
                .integers("s", &[2])
                .integers("e", &[7])
                .integers("a", &[1]);
            file.node("Slice x s e a -> y")
        }),
    ]
}

fn splits() -> Vec<Case> {
    vec![
        case(
            "equal parts",
            image()
                .node("Split x -> a b")
                .with("axis", 1)
                .node("Add a b -> c")
                .flat("c"),
        ),
        case(
            "parts of lengths, as a setting",
            image()
                .opset(11)
                .node("Split x -> a b")
                .with("axis", 1)
                .with("split", [1, 3])
                .node("Concat b a -> c")
                .with("axis", 1)
                .flat("c"),
        ),
        case(
            "parts of lengths, as an input",
            image()
                .integers("lengths", &[1, 2, 1])
                .node("Split x lengths -> a b c")
                .with("axis", -3)
                .node("Concat c b a -> d")
                .with("axis", 1)
                .flat("d"),
        ),
        case(
            "a number of parts that does not divide",
            image()
                .opset(18)
                .node("Split x -> a b")
                .with("axis", 2)
                .with("num_outputs", 2)
                .node("Relu a -> c")
                .flat("c"),
        ),
        case(
            "a number of parts, the last smaller",
            image()
                .opset(18)
                .node("Split x -> a b c")
                .with("axis", 3)
                .with("num_outputs", 3)
                .flat("c"),
        ),
    ]
}

fn padded() -> Vec<Case> {
    vec![
        case(
            "zeros, as a setting",
            image()
                .opset(9)
                .node("Pad x -> a")
                .with("pads", [0, 1, 2, 0, 0, 0, 1, 3])
                .flat("a"),
        ),
        case(
            "zeros, with a value as a setting",
            image()
                .opset(9)
                .node("Pad x -> a")
                .with("pads", [0, 0, 2, 0, 0, 0, 1, 3])
                .with("value", 0.0_f32)
                .with("mode", "constant")
                .flat("a"),
        ),
        case(
            "zeros of axes, as inputs",
            image()
                .opset(18)
                .integers("pads", &[1, 2, 0, 1])
                .integers("axes", &[-1, 2])
                .node("Pad x pads _ axes -> a")
                .flat("a"),
        )
        .twin(
            image()
                .integers("pads", &[0, 0, 2, 1, 0, 0, 1, 0])
                .node("Pad x pads -> a")
                .flat("a"),
        ),
    ]
}

fn zeros_in_front() -> Vec<Case> {
    let lowest = |value: f32| {
        image()
            .integers("pads", &[0, 0, 1, 1, 0, 0, 1, 1])
            .float("value", value)
            .node("Pad x pads value -> a")
            .node("MaxPool a -> b")
            .with("kernel_shape", [3, 3])
            .with("strides", [2, 2])
            .flat("b")
    };
    vec![
        case(
            "zeros in front of a convolution",
            image()
                .integers("pads", &[0, 0, 1, 0, 0, 0, 2, 1])
                .node("Pad x pads -> a")
                .weights("k", &[3, 4, 3, 3])
                .node("Conv a k -> b")
                .with("kernel_shape", [3, 3])
                .with("pads", [1, 1, 0, 0])
                .flat("b"),
        ),
        case(
            "zeros in front of a convolution that pads by itself",
            image()
                .integers("pads", &[0, 0, 1, 0, 0, 0, 2, 1])
                .node("Pad x pads -> a")
                .weights("k", &[3, 4, 3, 3])
                .node("Conv a k -> b")
                .with("kernel_shape", [3, 3])
                .with("strides", [2, 2])
                .with("auto_pad", "SAME_UPPER")
                .flat("b"),
        ),
        case(
            "zeros that two read",
            image()
                .integers("pads", &[0, 0, 1, 0, 0, 0, 2, 1])
                .node("Pad x pads -> a")
                .weights("k", &[4, 4, 3, 3])
                .node("Conv a k -> b")
                .with("kernel_shape", [3, 3])
                .with("pads", [1, 1, 1, 1])
                .node("Add a b -> c")
                .flat("c"),
        ),
        case(
            "zeros in front of pooling",
            image()
                .integers("pads", &[0, 0, 1, 1, 0, 0, 1, 1])
                .node("Pad x pads -> a")
                .node("AveragePool a -> b")
                .with("kernel_shape", [3, 3])
                .node("MaxPool a -> c")
                .with("kernel_shape", [3, 3])
                .node("Add b c -> d")
                .flat("d"),
        ),
        case(
            "the lowest number in front of maximum pooling",
            lowest(f32::MIN),
        ),
        case(
            "minus infinity in front of maximum pooling",
            lowest(f32::NEG_INFINITY),
        ),
        case(
            "nothing around",
            image()
                .integers("pads", &[0; 8])
                .node("Pad x pads -> a")
                .flat("a"),
        ),
    ]
}

fn joined() -> Vec<Case> {
    vec![
        case(
            "channels of several",
            image()
                .weights("k", &[2, 4, 1, 1])
                .node("Conv x k -> a")
                .with("kernel_shape", [1, 1])
                .node("Concat a x a -> b")
                .with("axis", 1)
                .flat("b"),
        ),
        case(
            "one alone",
            image().node("Concat x -> a").with("axis", -3).flat("a"),
        ),
        case(
            "features",
            image()
                .node("Flatten x -> a")
                .node("GlobalAveragePool x -> b")
                .node("Flatten b -> c")
                .node("Concat a c -> y")
                .with("axis", -1),
        ),
        case("a list of one for each", {
            let file = image().tensor(Tensor::integers("one", &[1], &[-1]));
            file.node("Shape x -> s")
                .node("Gather s first -> n")
                .integers("first", &[0])
                .node("Concat n one -> shape")
                .with("axis", 0)
                .node("Reshape x shape -> y")
        }),
    ]
}

pub fn all() -> Vec<Case> {
    [
        views(),
        layouts(),
        parts(),
        splits(),
        padded(),
        zeros_in_front(),
        joined(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn views_are_those_of_the_runtime() {
    judged(&views());
}

#[test]
fn layouts_are_those_of_the_runtime() {
    judged(&layouts());
}

#[test]
fn parts_are_those_of_the_runtime() {
    judged(&parts());
    judged(&splits());
}

#[test]
fn constants_around_maps_are_those_of_the_runtime() {
    judged(&padded());
    judged(&zeros_in_front());
}

#[test]
fn joins_are_those_of_the_runtime() {
    judged(&joined());
}
