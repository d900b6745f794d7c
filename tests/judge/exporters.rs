//! Habits of exporters: whole small networks in the words of each.

use crate::compare::{Case, case, judged};
use crate::onnx::{File, Style, Tensor};

fn kernels(file: File, line: &str, dims: &[i64]) -> File {
    let name = line.split_whitespace().nth(2).unwrap().to_owned();
    file.weights(&name, dims)
        .node(line)
        .with("kernel_shape", [dims[2], dims[3]])
}

/// TensorFlow: channels last, asymmetric pads, norms as factors and shifts, a softmax.
fn tensorflow() -> File {
    let file = File::of(&[0, 8, 8, 3])
        .opset(15)
        .node("Transpose x -> a")
        .with("perm", [0, 3, 1, 2]);
    let file = kernels(file, "Conv a k -> b", &[4, 3, 3, 3]);
    let file = file.with("pads", [0, 0, 1, 1]).with("strides", [2, 2]);
    let file = file.weights("f", &[1, 4, 1, 1]).weights("g", &[1, 4, 1, 1]);
    let file = file
        .node("Mul b f -> c")
        .node("Add c g -> d")
        .node("Relu d -> e");
    let file = file
        .node("GlobalAveragePool e -> h")
        .node("Squeeze h axes -> i")
        .integers("axes", &[2, 3]);
    let file = file.weights("w", &[4, 5]).weights("v", &[5]);
    file.node("MatMul i w -> j")
        .node("Add j v -> l")
        .node("Softmax l -> y")
}

/// Keras with channels last, whose head is a product over the features in that order.
fn keras() -> File {
    let file = File::of(&[0, 6, 6, 1])
        .opset(13)
        .integers("to", &[-1, 1, 6, 6]);
    let file = kernels(
        file.node("Reshape x to -> a"),
        "Conv a k -> b",
        &[2, 1, 3, 3],
    );
    let file = file
        .node("Clip b lo hi -> c")
        .float("lo", 0.0)
        .float("hi", 6.0);
    let file = file
        .node("MaxPool c -> d")
        .with("kernel_shape", [2, 2])
        .with("strides", [2, 2]);
    let file = file.node("Transpose d -> e").with("perm", [0, 2, 3, 1]);
    let file = file.integers("flat", &[-1, 8]).node("Reshape e flat -> f");
    let file = file.weights("w", &[8, 3]).weights("v", &[3]);
    file.node("MatMul f w -> g").node("Add g v -> y")
}

/// Caffe2 of old: norms with a factor and a shift behind, sums, a dropout, a softmax.
fn caffe2() -> File {
    let file = kernels(
        File::of(&[1, 3, 7, 7]).opset(9),
        "Conv x k -> a",
        &[4, 3, 3, 3],
    );
    let file = file
        .with("pads", [1, 1, 1, 1])
        .with("group", 1)
        .with("dilations", [1, 1]);
    let file = file.floats("ones", &[1.0; 4]).floats("zeros", &[0.0; 4]);
    let file = file
        .floats("mean", &[0.1, 0.2, 0.3, 0.4])
        .floats("variance", &[1.0, 2.0, 0.5, 0.25]);
    let file = file
        .node("BatchNormalization a ones zeros mean variance -> b")
        .with("epsilon", 1e-5_f32);
    let file = file
        .weights("f", &[4])
        .node("Unsqueeze f -> fs")
        .with("axes", [1, 2]);
    let file = file
        .weights("g", &[4])
        .node("Unsqueeze g -> gs")
        .with("axes", [1, 2]);
    let file = file
        .node("Mul b fs -> c")
        .node("Add c gs -> d")
        .node("Relu d -> e");
    let file = kernels(file, "Conv e l -> h", &[4, 4, 1, 1]).node("Sum h e -> i");
    let file = file
        .node("MaxPool i -> j")
        .with("kernel_shape", [3, 3])
        .with("strides", [2, 2])
        .with("pads", [0, 0, 1, 1]);
    let file = file.integers("flat", &[1, 36]).node("Reshape j flat -> m");
    let file = file.weights("w", &[5, 36]).weights("v", &[5]);
    file.node("Gemm m w v -> n")
        .with("transB", 1)
        .node("Softmax n -> y")
}

/// PaddlePaddle: every weight in a Constant node, shapes put together from slices.
fn paddle() -> File {
    let held = |file: File, name: &str, dims: &[i64]| {
        file.node(&format!("Constant -> {name}"))
            .with("value", Tensor::random(name, dims))
    };
    let file = held(
        File::of(&[0, 3, 6, 6]).opset(11),
        "conv_0.w_0",
        &[3, 1, 3, 3],
    );
    let file = file
        .node("Conv x conv_0.w_0 -> a")
        .with("kernel_shape", [3, 3])
        .with("group", 3);
    let file = file
        .with("pads", [1, 1, 1, 1])
        .with("strides", [1, 1])
        .with("dilations", [1, 1]);
    let file = held(held(file, "scale", &[3]), "offset", &[3]);
    let file = file
        .node("Constant -> mean")
        .with("value", Tensor::floats("", &[3], &[0.1, 0.2, 0.3]));
    let file = file
        .node("Constant -> var")
        .with("value", Tensor::floats("", &[3], &[1.0, 2.0, 3.0]));
    let file = file
        .node("BatchNormalization a scale offset mean var -> b")
        .with("epsilon", 1e-3_f32);
    let file = file
        .node("Relu b -> c")
        .node("GlobalAveragePool c -> d")
        .node("Shape d -> s");
    let file = file
        .integers("z", &[0])
        .integers("o", &[1])
        .node("Slice s z o -> n");
    let file = file
        .node("Constant -> rest")
        .with("value", Tensor::integers("", &[1], &[3]));
    let file = file
        .node("Concat n rest -> to")
        .with("axis", 0)
        .node("Reshape d to -> f");
    let file = held(held(file, "fc.w_0", &[3, 4]), "fc.b_0", &[4]);
    file.node("MatMul f fc.w_0 -> g")
        .node("Add g fc.b_0 -> h")
        .node("Softmax h -> y")
        .with("axis", 1)
}

/// PyTorch's newer exporter: a mean over rows and columns, a baked shape, biases of zeros that are computed.
fn dynamo() -> File {
    let file = File::of(&[2, 3, 6, 6]).opset(20);
    let file = file
        .weights("k", &[4, 3, 3, 3])
        .node("Shape k -> s")
        .with("start", 0)
        .with("end", 1);
    let file = file
        .float("zero", 0.0)
        .node("CastLike zero x -> z")
        .node("Expand z s -> b");
    let file = file
        .node("Conv x k b -> a")
        .with("kernel_shape", [3, 3])
        .with("auto_pad", "NOTSET")
        .with("pads", [1, 1, 1, 1]);
    let file = file.node("Relu a -> c").integers("axes", &[-1, -2]);
    let file = file
        .node("ReduceMean c axes -> d")
        .with("keepdims", 1)
        .with("noop_with_empty_axes", 0);
    let file = file
        .integers("to", &[2, 4])
        .node("Reshape d to -> f")
        .with("allowzero", 1);
    let file = file.weights("fc.weight", &[5, 4]).weights("fc.bias", &[5]);
    file.node("Gemm f fc.weight fc.bias -> y")
        .with("alpha", 1.0_f32)
        .with("beta", 1.0_f32)
        .with("transB", 1)
}

/// PyTorch's older exporter: bounds and pads as Constant nodes, option A shortcuts, flattening by arithmetic.
fn torchscript() -> File {
    let scalar = |file: File, name: &str, value: f32| {
        file.node(&format!("Constant -> {name}"))
            .with("value", Tensor::floats("", &[], &[value]))
    };
    let list = |file: File, name: &str, values: &[i64]| {
        let tensor = Tensor::integers("", &[values.len() as i64], values);
        file.node(&format!("Constant -> {name}"))
            .with("value", tensor)
    };
    let file = kernels(
        File::of(&[0, 2, 8, 8]).opset(11),
        "Conv x k -> a",
        &[4, 2, 3, 3],
    );
    let file = file.with("pads", [1, 1, 1, 1]).with("strides", [2, 2]);
    let file = scalar(scalar(file, "lo", 0.0), "hi", 6.0).node("Clip a lo hi -> b");
    let file = list(
        list(
            list(list(file, "st", &[0, 0]), "en", &[i64::from(i32::MAX); 2]),
            "ax",
            &[2, 3],
        ),
        "by",
        &[2, 2],
    );
    let file = file.node("Slice x st en ax by -> c");
    // Pads as pairs from the last extent on, turned into ONNX's order by arithmetic.
    let file = list(file, "pairs", &[0, 0, 0, 0, 1, 1, 0, 0]);
    let file = list(file, "two", &[-1, 2]).node("Reshape pairs two -> p0");
    let file = list(
        list(
            list(list(file, "ps", &[-1]), "pe", &[i64::from(i32::MIN)]),
            "pa",
            &[0],
        ),
        "pb",
        &[-1],
    );
    let file = file
        .node("Slice p0 ps pe pa pb -> p1")
        .node("Transpose p1 -> p2")
        .with("perm", [1, 0]);
    let file = list(file, "line", &[-1])
        .node("Reshape p2 line -> p3")
        .node("Cast p3 -> p4")
        .with("to", 7);
    let file = scalar(file, "none", 0.0)
        .node("Pad c p4 none -> d")
        .with("mode", "constant");
    let file = file
        .node("Add b d -> e")
        .node("Relu e -> g")
        .node("GlobalAveragePool g -> h")
        .node("Flatten h -> i")
        .with("axis", 1);
    let file = file.weights("fc.weight", &[3, 4]).weights("fc.bias", &[3]);
    file.node("Gemm i fc.weight fc.bias -> y").with("transB", 1)
}

/// Rounded up and counted: SqueezeNet's and GoogLeNet's pools, a classifier by a convolution.
fn squeeze() -> File {
    let file = kernels(
        File::of(&[0, 3, 9, 9]).opset(17),
        "Conv x k -> a",
        &[4, 3, 1, 1],
    )
    .node("Relu a -> b");
    let file = file
        .node("MaxPool b -> c")
        .with("kernel_shape", [3, 3])
        .with("strides", [2, 2])
        .with("ceil_mode", 1);
    let file = kernels(file, "Conv c l -> d", &[2, 4, 1, 1]);
    let file = kernels(file, "Conv c m -> e", &[3, 4, 3, 3]).with("pads", [1, 1, 1, 1]);
    let file = file
        .node("Concat d e -> f")
        .with("axis", 1)
        .node("Dropout f -> g");
    let file = kernels(file, "Conv g n -> h", &[6, 5, 1, 1]).node("Relu h -> i");
    file.node("GlobalAveragePool i -> j").node("Flatten j -> y")
}

fn networks() -> Vec<Case> {
    let plain = |mut file: File| {
        file.nodes
            .iter_mut()
            .filter(|node| node.operation == "Dropout")
            .for_each(|node| node.operation = "Identity".into());
        file
    };
    vec![
        case("TensorFlow", tensorflow()),
        case("Keras", keras()),
        case("Caffe2", caffe2()),
        case("PaddlePaddle", paddle()),
        case("PyTorch, dynamo", dynamo()),
        case("PyTorch, TorchScript", torchscript()),
        case("rounded up", squeeze()).twin(plain(squeeze())),
    ]
}

/// One network in the ways in which programs write files.
fn written() -> Vec<Case> {
    let net = || {
        let file = kernels(
            File::of(&[0, 3, 6, 6]).opset(11),
            "Conv x k -> a",
            &[4, 3, 3, 3],
        );
        let file = file.with("strides", [1, 2]).with("pads", [1, 0, 0, 1]);
        let file = file.node("LeakyRelu a -> b").with("alpha", 0.25_f32);
        let file = file.integers("to", &[0, -1]).node("Reshape b to -> f");
        let file = file
            .node("Constant -> w")
            .with("value", Tensor::random("w", &[60, 5]));
        file.node("Gemm f w -> y").with("alpha", 0.5_f32)
    };
    let styled = |name: &'static str, style: Style| case(name, net().style(style));
    let mut open = case("open rows and columns", {
        let file = kernels(File::of(&[0, 3, 0, 0]), "Conv x k -> a", &[4, 3, 3, 3]);
        file.node("GlobalAveragePool a -> b").node("Flatten b -> y")
    });
    open.size = Some([7, 5]);
    let statistics = |line: &str| {
        let file = File::of(&[0, 4, 3, 3])
            .opset(9)
            .weights("g", &[4])
            .weights("s", &[4]);
        let file = file.weights("m", &[4]).floats("v", &[0.5, 1.0, 2.0, 4.0]);
        file.node(line).flat("a")
    };
    vec![
        styled("plain", Style::Plain),
        styled("weights are inputs", Style::WeightsAreInputs),
        styled("settings without a type", Style::Untyped).twin(net()),
        styled("packed", Style::Packed).twin(net()),
        styled("lists of numbers", Style::Lists).twin(net()),
        styled("the long name of the domain", Style::LongDomain).twin(net()),
        open,
        case(
            "statistics that nobody reads",
            statistics("BatchNormalization x g s m v -> a b c d e"),
        )
        .twin(statistics("BatchNormalization x g s m v -> a")),
    ]
}

pub fn all() -> Vec<Case> {
    networks().into_iter().chain(written()).collect()
}

#[test]
fn files_are_read_however_they_are_written() {
    judged(&written());
}

#[test]
fn networks_in_the_words_of_every_exporter_are_those_of_the_runtime() {
    judged(&networks());
}

#[test]
fn operators_of_every_version_are_those_of_the_runtime() {
    // The same words in all versions; shapes and axes as inputs where the version has them so.
    let versions = [9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21];
    let of = |opset: i64| {
        let file = kernels(
            File::of(&[0, 3, 6, 6]).opset(opset),
            "Conv x k -> a",
            &[4, 3, 3, 3],
        );
        let file = file
            .node("Relu a -> b")
            .node("MaxPool b -> c")
            .with("kernel_shape", [2, 2]);
        let file = file
            .node("Flatten c -> d")
            .weights("w", &[36, 5])
            .weights("v", &[5]);
        file.node("Gemm d w v -> y")
    };
    let cases: Vec<Case> = versions
        .into_iter()
        .map(|opset| case("a version", of(opset)))
        .collect();
    judged(&cases);
}
