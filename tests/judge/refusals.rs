//! What is not taken is refused in one sentence: expected what, found what, what to do. Nothing here may be
//! computed in another way than its file says.

use std::path::Path;

use hawqeye::engine::import::Options;
use hawqeye::engine::model::Model;

use crate::onnx::{FLOAT, FLOAT16, File, INT8, Tensor};

fn image() -> File {
    File::of(&[0, 4, 6, 5])
}

fn told_of(folder: &Path, bytes: &[u8]) -> String {
    let path = folder.join("net.onnx");
    std::fs::write(&path, bytes).unwrap();
    let told = Model::import(&path, Options::default(), None)
        .unwrap_err()
        .to_string();
    assert!(told.contains("net.onnx"), "{told}");
    let told = told.replace(&folder.display().to_string(), "");
    assert!(
        !told.chars().any(char::is_control) && told.len() < 400,
        "{told:?}"
    );
    told
}

fn told(file: &File) -> String {
    let folder = tempfile::tempdir().unwrap();
    told_of(folder.path(), &file.bytes())
}

/// Every file with a piece of what is said of it.
#[track_caller]
fn refused(files: impl IntoIterator<Item = (File, &'static str)>) {
    let wrong: Vec<String> = files
        .into_iter()
        .filter_map(|(file, piece)| {
            let told = told(&file);
            (!told.contains(piece)).then(|| format!("{told}\n    lacks {piece:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn operations_that_are_not_known_are_all_named() {
    let file = image()
        .node("Sigmoid x -> a")
        .node("Mul x a -> b")
        .node("org.example.Special b -> c")
        .node("Sigmoid c -> d")
        .flat("d");
    let told = told(&file);
    for piece in ["2 Sigmoid", "1 Mul", "1 org.example.Special", "first at"] {
        assert!(told.contains(piece), "{told}");
    }
    let later = [
        "HardSigmoid",
        "HardSwish",
        "Elu",
        "Gelu",
        "Tanh",
        "LRN",
        "QuantizeLinear",
        "Resize",
    ];
    for operation in later {
        let told = self::told(&image().node(&format!("{operation} x -> a")).flat("a"));
        assert!(told.contains(operation), "{told}");
    }
}

#[test]
fn graphs_without_order_are_refused() {
    refused([
        (
            image().node("Add x b -> a").node("Relu a -> b").flat("b"),
            "without circles",
        ),
        (
            image().node("Add x nothing -> a").flat("a"),
            "which nothing writes",
        ),
        (
            image().node("Relu x -> a").node("Relu x -> a").flat("a"),
            "written twice",
        ),
        (
            image().weights("w", &[1]).weights("w", &[1]).flat("x"),
            "there twice",
        ),
        (
            image().node("Constant -> y").with("value_float", 1.0_f32),
            "reads no input",
        ),
    ]);
}

#[test]
fn files_that_are_cut_off_are_refused() {
    let file = image()
        .weights("w", &[2, 4, 3, 3])
        .node("Conv x w -> a")
        .with("kernel_shape", [3, 3])
        .flat("a");
    let bytes = file.bytes();
    let folder = tempfile::tempdir().unwrap();
    for end in 0..bytes.len() {
        told_of(folder.path(), &bytes[..end]);
    }
}

/// A product with weights of another file.
fn outside(entries: &[(&'static str, &str)]) -> File {
    let mut tensor = Tensor::raw("w", &[3, 4], (FLOAT, Vec::new()));
    tensor.external = entries
        .iter()
        .map(|&(key, value)| (key, value.to_owned()))
        .collect();
    File::of(&[0, 4])
        .tensor(tensor)
        .node("Gemm x w -> y")
        .with("transB", 1)
}

#[test]
fn data_in_other_files_are_there_and_stay_in_the_folder() {
    refused([
        (
            outside(&[("location", "none.data")]),
            "put that file beside",
        ),
        (
            outside(&[("location", "../none.data")]),
            "outside of the network's folder",
        ),
        (
            outside(&[("location", "/etc/hosts")]),
            "outside of the network's folder",
        ),
        (
            outside(&[("location", "")]),
            "outside of the network's folder",
        ),
        (outside(&[("offset", "0")]), "in no file"),
        (
            outside(&[("location", "net.onnx"), ("offset", "-4")]),
            "expected a whole number",
        ),
        (
            outside(&[("location", "net.onnx"), ("length", "47")]),
            "expected 48",
        ),
        (
            outside(&[("location", "net.onnx"), ("offset", "18446744073709551615")]),
            "ends before",
        ),
        (
            outside(&[("location", "net.onnx"), ("offset", "4000")]),
            "ends before",
        ),
    ]);
}

#[test]
fn what_a_small_file_claims_takes_no_memory() {
    let claimed = |dims: &[i64]| {
        let tensor = Tensor::raw("w", dims, (FLOAT, vec![0; 16]));
        image()
            .tensor(tensor)
            .node("Conv x w -> a")
            .with("kernel_shape", [3, 3])
            .flat("a")
    };
    let made = |extents: &[i64], line: &str| {
        image()
            .integers("s", extents)
            .node("ConstantOfShape s -> a")
            .node(line)
            .flat("b")
    };
    let many: Vec<i64> = vec![1; 100_000];
    let distinct: Vec<i64> = (0..100_000).collect();
    refused([
        (claimed(&[50_000, 50_000, 1, 1]), "the file holds 16"),
        (claimed(&[1 << 40, 1 << 40, 1, 1]), "any file"),
        (claimed(&[-1, 4, 3, 3]), "extent of -1"),
        (claimed(&many), "extents"),
        (
            made(&[1 << 20, 1 << 20], "Add x a -> b"),
            "larger than the file",
        ),
        (made(&[1 << 40], "Add x a -> b"), "larger than the file"),
        (made(&many, "Add x a -> b"), "extents"),
        (
            image()
                .weights("c", &[1])
                .integers("axes", &distinct)
                .node("Unsqueeze c axes -> a")
                .node("Add x a -> b")
                .flat("b"),
            "extents",
        ),
        (
            image()
                .weights("c", &[1])
                .integers("to", &many)
                .node("Reshape c to -> a")
                .node("Add x a -> b")
                .flat("b"),
            "extents",
        ),
        (
            image()
                .weights("c", &[1])
                .integers("to", &many)
                .node("Expand c to -> a")
                .node("Add x a -> b")
                .flat("b"),
            "extents",
        ),
        (
            image().integers("to", &many).node("Reshape x to -> y"),
            "extents",
        ),
        (
            image()
                .integers("axes", &distinct)
                .node("Unsqueeze x axes -> y"),
            "extents",
        ),
        (
            File::of(&[1, 65_536, 65_536, 65_536])
                .node("GlobalAveragePool x -> a")
                .flat("a"),
            "65536",
        ),
    ]);
}

#[test]
fn numbers_that_are_none_are_refused() {
    let half = |bits: u16| {
        let raw = [bits.to_le_bytes(); 4].concat();
        Tensor::raw("c", &[4, 1, 1], (FLOAT16, raw))
    };
    let with = |tensor: Tensor| image().tensor(tensor).node("Add x c -> a").flat("a");
    let cast = |value: f32, to: i64| {
        image()
            .floats("big", &[value])
            .node("Cast big -> c")
            .with("to", to)
            .node("Add x c -> a")
            .flat("a")
    };
    refused([
        (with(half(0x7c00)), "c holds inf"),
        (with(half(0xfc00)), "c holds -inf"),
        (with(half(0x7e00)), "c holds NaN"),
        (
            with(Tensor::floats("c", &[], &[f32::INFINITY])),
            "c holds inf",
        ),
        (
            with(Tensor::raw(
                "c",
                &[],
                (11, 1e300_f64.to_le_bytes().to_vec()),
            )),
            "c holds inf",
        ),
        (cast(1e5, 10), "holds inf"),
        (
            image().float("zero", 0.0).node("Div x zero -> a").flat("a"),
            "inf",
        ),
    ]);
}

#[test]
fn names_that_cannot_be_shown_are_refused() {
    let mut named = image().node("Relu x -> a").flat("a");
    named.nodes[0].outputs[0] = "a\u{1b}[2J".into();
    named.nodes[1].inputs[0] = "a\u{1b}[2J".into();
    let mut weights = image().weights("w\n", &[1]).node("Add x w -> a").flat("a");
    weights.nodes[0].inputs[1] = "w\n".into();
    let mut operation = image().node("Relu x -> a").flat("a");
    operation.nodes[0].operation = "Re\u{7}lu".into();
    refused([
        (named, "cannot be shown"),
        (weights, "cannot be shown"),
        (operation, "cannot be shown"),
    ]);
}

#[test]
fn weights_of_two_layers_are_refused() {
    let twice = image()
        .weights("w", &[4, 4, 1, 1])
        .node("Conv x w -> a")
        .with("kernel_shape", [1, 1])
        .node("Conv a w -> b")
        .with("kernel_shape", [1, 1])
        .flat("b");
    let turned = File::of(&[0, 4])
        .weights("w", &[4, 4])
        .node("MatMul x w -> a")
        .node("Transpose w -> t")
        .node("MatMul a t -> y");
    refused([(twice, "used twice"), (turned, "used twice")]);
}

#[test]
fn answers_that_are_no_classes_are_refused() {
    let mut several = image()
        .node("GlobalAveragePool x -> a")
        .flat("a")
        .node("Relu y -> z");
    several.outputs.push("z".into());
    let mut image_itself = image();
    image_itself.outputs = vec!["x".into()];
    refused([
        (several, "2 outputs (y, z)"),
        (image().node("Relu x -> y"), "is a map of"),
        (image_itself, ""),
        (
            image()
                .node("Constant -> c")
                .with("value_float", 1.0_f32)
                .node("Shape x -> y"),
            "",
        ),
    ]);
}

#[test]
fn images_that_are_none_are_refused() {
    let mut two = image().node("Add x z -> a").flat("a");
    two.nodes.insert(0, two.nodes[0].clone());
    two.nodes.remove(0);
    refused([
        (
            File::of(&[0, 3, 4, 4, 4]).node("Relu x -> a").flat("a"),
            "5 extents",
        ),
        (File::of(&[0]).node("Relu x -> y"), "1 extent;"),
        (
            File::of(&[0, 0, 4, 4]).node("Relu x -> a").flat("a"),
            "channels",
        ),
        (
            File::of(&[0, 3, 0, 0])
                .node("GlobalAveragePool x -> a")
                .flat("a"),
            "--size",
        ),
        (two, "which nothing writes"),
        (image().opset(8).node("Relu x -> a").flat("a"), "version 8"),
        (
            image().opset(99).node("Relu x -> a").flat("a"),
            "version 99",
        ),
    ]);
}

/// What the file says cannot be done with images in extents of their own, or not in this order.
#[test]
fn what_would_be_computed_otherwise_is_refused() {
    let last = || {
        File::of(&[0, 3, 3, 3])
            .node("Transpose x -> a")
            .with("perm", [0, 2, 3, 1])
    };
    let three = |file: File, line: &str, dims: &[i64]| file.weights("w", dims).node(line);
    refused([
        (
            three(last(), "Conv a w -> b", &[2, 3, 2, 2])
                .with("kernel_shape", [2, 2])
                .flat("b"),
            "channels",
        ),
        (
            last()
                .node("MaxPool a -> b")
                .with("kernel_shape", [2, 2])
                .flat("b"),
            "channels",
        ),
        (
            last()
                .node("AveragePool a -> b")
                .with("kernel_shape", [2, 2])
                .flat("b"),
            "channels",
        ),
        (
            last().node("GlobalAveragePool a -> b").flat("b"),
            "mean over",
        ),
        (last().node("GlobalMaxPool a -> b").flat("b"), "channels"),
        (
            last()
                .weights("s", &[3])
                .floats("v", &[1.0; 3])
                .node("BatchNormalization a s s s v -> b")
                .flat("b"),
            "channels",
        ),
        (
            last()
                .weights("s", &[3, 1, 1])
                .node("PRelu a s -> b")
                .flat("b"),
            "channels",
        ),
        (last().node("Add a x -> b").flat("b"), ""),
        (
            last()
                .node("Flatten a -> f")
                .weights("c", &[27])
                .node("Mul f c -> g")
                .weights("w", &[27, 2])
                .node("MatMul g w -> y"),
            "in another order",
        ),
    ]);
}

#[test]
fn constants_of_anything_but_channels_are_refused() {
    let four = || File::of(&[4, 4, 2, 3]);
    refused([
        (
            four()
                .node("Flatten x -> f")
                .weights("c", &[4, 1])
                .node("Add f c -> y"),
            "not its channels",
        ),
        (
            four()
                .node("GlobalAveragePool x -> p")
                .node("Flatten p -> f")
                .weights("c", &[4, 1])
                .node("Mul f c -> y"),
            "",
        ),
        (
            File::of(&[4, 6])
                .weights("w", &[6, 4])
                .weights("c", &[4, 1])
                .node("Gemm x w c -> y"),
            "bias",
        ),
        (
            File::of(&[1, 1, 4, 4])
                .tensor(Tensor::floats("c", &[1, 5, 1, 1], &[1.0; 5]))
                .node("Mul x c -> a")
                .flat("a"),
            "one a channel",
        ),
        (
            File::of(&[1, 1, 4, 4])
                .tensor(Tensor::floats("c", &[1, 5, 1, 1], &[0.0; 5]))
                .node("Add x c -> a")
                .flat("a"),
            "one a channel",
        ),
        (
            image()
                .tensor(Tensor::floats("c", &[1, 1, 6, 5], &[0.5; 30]))
                .node("Add x c -> a")
                .flat("a"),
            "one a channel",
        ),
    ]);
}

#[test]
fn turned_images_and_pads_that_are_no_zeros_are_refused() {
    refused([
        (
            image()
                .node("LeakyRelu x -> a")
                .with("alpha", f32::INFINITY)
                .flat("a"),
            "finite",
        ),
        (
            image()
                .float("nan", f32::NAN)
                .node("Max x nan -> a")
                .flat("a"),
            "bounds",
        ),
        (
            File::of(&[4, 6])
                .weights("w", &[4, 3])
                .node("Gemm x w -> y")
                .with("transA", 1),
            "transA",
        ),
        (
            image()
                .integers("p", &[0, 0, 1, 1, 0, 0, 1, 1])
                .node("Pad x p -> a")
                .with("mode", "reflect")
                .flat("a"),
            "reflect",
        ),
        (
            image()
                .integers("p", &[0, 0, -1, 0, 0, 0, 0, 0])
                .node("Pad x p -> a")
                .flat("a"),
            "-1",
        ),
        (
            image()
                .integers("p", &[1, 0, 0, 0, 0, 0, 0, 0])
                .node("Pad x p -> a")
                .flat("a"),
            "axis 0",
        ),
        (
            image()
                .integers("p", &[0, 0, 1, 1, 0, 0, 1, 1])
                .float("v", 1.0)
                .node("Pad x p v -> a")
                .flat("a"),
            "expected zeros",
        ),
        (
            image()
                .integers("p", &[0, 0, 1, 1, 0, 0, 1, 1])
                .float("v", f32::MIN)
                .node("Pad x p v -> a")
                .flat("a"),
            "maximum pooling",
        ),
    ]);
}

#[test]
fn networks_that_are_in_training_or_end_otherwise_are_refused() {
    refused([
        (
            image()
                .floats("g", &[1.0; 4])
                .node("BatchNormalization x g g g g -> a")
                .with("training_mode", 1)
                .flat("a"),
            "training mode",
        ),
        (
            image()
                .float("r", 0.5)
                .tensor(Tensor::raw("on", &[], (9, vec![1])))
                .node("Dropout x r on -> a")
                .flat("a"),
            "training mode",
        ),
        (
            image().node("Softmax x -> b").node("Relu b -> a").flat("a"),
            "not at the end",
        ),
    ]);
}

#[test]
fn windows_parts_and_kernels_that_do_not_fit_are_refused() {
    let pooled = |file: File| file.flat("a");
    let max = |image: File| image.node("MaxPool x -> a").with("kernel_shape", [2, 2]);
    refused([
        (
            pooled(
                max(File::of(&[0, 1, 1, 1]))
                    .with("pads", [1, 1, 1, 1])
                    .with("dilations", [2, 2]),
            ),
            "outside",
        ),
        (pooled(max(image()).with("pads", [3, 0, 0, 0])), "outside"),
        (pooled(max(File::of(&[0, 1, 1, 1]))), "does not fit"),
        (
            image()
                .integers("p", &[0, 0, 3, 3, 0, 0, 3, 3])
                .float("v", f32::MIN)
                .node("Pad x p v -> b")
                .node("MaxPool b -> a")
                .with("kernel_shape", [2, 2])
                .flat("a"),
            "",
        ),
        (
            image()
                .integers("l", &[1, 2])
                .node("Split x l -> a b")
                .with("axis", 1)
                .flat("a"),
            "do not make",
        ),
        (
            image()
                .integers("l", &[i64::MAX, i64::MAX])
                .node("Split x l -> a b")
                .with("axis", 1)
                .flat("a"),
            "do not make",
        ),
        (
            image()
                .integers("s", &[-1])
                .integers("e", &[-9])
                .integers("a", &[2])
                .node("Slice x s e a a -> b")
                .flat("b"),
            "",
        ),
        (
            image()
                .float("lo", 1.0)
                .float("hi", -1.0)
                .node("Clip x lo hi -> a")
                .flat("a"),
            "bounds",
        ),
        (
            image().node("Cast x -> a").with("to", 7).flat("a"),
            "whole numbers",
        ),
        (
            image()
                .weights("k", &[2, 4, 3])
                .node("Conv x k -> a")
                .flat("a"),
            "shape",
        ),
        (
            image()
                .weights("k", &[3, 2, 3, 3])
                .node("Conv x k -> a")
                .with("group", 2)
                .flat("a"),
            "groups",
        ),
        (
            image()
                .tensor(Tensor::raw("q", &[4, 1, 1], (INT8, vec![1; 4])))
                .floats("s", &[1.0; 3])
                .node("DequantizeLinear q s -> c")
                .with("axis", 0)
                .node("Add x c -> a")
                .flat("a"),
            "step sizes",
        ),
    ]);
}
