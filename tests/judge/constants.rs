//! What is computed before any image is seen: constants, shape arithmetic, weights in other number formats.

use crate::compare::{Case, case, judged};
use crate::onnx::{BFLOAT16, DOUBLE, FLOAT16, File, INT4, INT8, INT64, Tensor, UINT8};

/// Features, and `c` with which `line` begins; `d` is added to them.
fn of(lines: &[&str]) -> File {
    let file = File::of(&[0, 4])
        .floats("c", &[-1.5, 0.25, 2.0, -0.5])
        .floats("p", &[0.5, 1.0, 2.5, 4.0])
        .integers("i", &[-7, 3, 8, -2])
        .integers("j", &[3, -2, 3, -5])
        .integers("zero", &[0])
        .integers("one", &[1])
        .integers("two", &[2])
        .integers("four", &[4]);
    lines.iter().fold(file, |file, line| file.node(line))
}

/// The same with `d` as whole numbers or truth values, which are cast.
fn whole(lines: &[&str]) -> File {
    answered(of(lines).node("Cast e -> d").with("to", 1))
}

fn floats(lines: &[&str]) -> File {
    answered(of(lines))
}

/// Features and `d`, and something that is computed even where that is zero.
fn answered(file: File) -> File {
    file.node("Add x d -> sum").node("LeakyRelu sum -> y")
}

fn arithmetic() -> Vec<Case> {
    let one = |line: &'static str| case(line, floats(&[line]));
    let int = |line: &'static str| case(line, whole(&[line]));
    vec![
        one("Add c p -> d"),
        one("Sub c p -> d"),
        one("Mul c p -> d"),
        one("Div c p -> d"),
        one("Pow p c -> d"),
        one("Sum c p c -> d"),
        one("Max c p -> d"),
        one("Min c p -> d"),
        one("Neg c -> d"),
        one("Abs c -> d"),
        one("Sign c -> d"),
        one("Ceil c -> d"),
        one("Floor c -> d"),
        one("Round c -> d"),
        one("Reciprocal c -> d"),
        one("Sqrt p -> d"),
        one("Exp c -> d"),
        one("Log p -> d"),
        one("Identity c -> d"),
        int("Add i j -> e"),
        int("Sub i j -> e"),
        int("Mul i j -> e"),
        int("Div i j -> e"),
        int("Mod i j -> e"),
        int("Neg i -> e"),
        int("Abs i -> e"),
        int("Sign i -> e"),
        int("Max i j -> e"),
        int("Min i j -> e"),
        int("Equal i j -> e"),
        int("Less i j -> e"),
        int("LessOrEqual i j -> e"),
        int("Greater i j -> e"),
        int("GreaterOrEqual c p -> e"),
        case(
            "logic",
            whole(&[
                "Less i j -> a",
                "Greater i zero -> b",
                "And a b -> f",
                "Not a -> g",
                "Or f g -> e",
            ]),
        ),
        case(
            "a choice",
            floats(&["Less c p -> a", "Greater i zero -> b", "Where b c p -> d"]),
        ),
        case("whole numbers of floats", whole(&["CastLike c i -> e"])),
    ]
}

fn casts() -> Vec<Case> {
    // The runtime has no truth values.
    let truth = |name: &'static str, tensor: Tensor| {
        let file = of(&["Cast k -> e"])
            .with("to", 9)
            .tensor(tensor)
            .node("Cast e -> d");
        let twin = of(&[]).floats("d", &[0.0, 1.0, 0.0, 1.0]);
        case(name, answered(file.with("to", 1))).twin(answered(twin))
    };
    vec![
        case(
            "to whole numbers",
            of(&["Cast c -> e"])
                .with("to", 7)
                .node("Cast e -> d")
                .with("to", 1)
                .node("Add x d -> sum")
                .node("LeakyRelu sum -> y"),
        ),
        truth(
            "floats to truth values",
            Tensor::floats("k", &[4], &[0.0, 0.5, -0.0, -2.0]),
        ),
        truth(
            "whole numbers to truth values",
            Tensor::integers("k", &[4], &[0, 5, 0, -1]),
        ),
        case("whole numbers raised", whole(&["Pow i two -> e"])),
        case(
            "bounds",
            floats(&["Clip c zero_f one_f -> d"])
                .float("zero_f", -1.0)
                .float("one_f", 1.0),
        ),
        case(
            "a rest of floats",
            of(&["Mod c p -> d"])
                .with("fmod", 1)
                .node("Add x d -> sum")
                .node("LeakyRelu sum -> y"),
        ),
        case(
            "a rest that has the sign of what is divided",
            of(&["Mod i j -> e"])
                .with("fmod", 1)
                .node("Cast e -> d")
                .with("to", 1)
                .node("Add x d -> sum")
                .node("LeakyRelu sum -> y"),
        ),
        case("a dropout of constants", floats(&["Dropout c -> d"]))
            .twin(floats(&["Identity c -> d"])),
    ]
}

fn shapes() -> Vec<Case> {
    let reduced = |name: &'static str, line: &str, opset: i64| {
        let file = of(&[]).opset(opset).weights("m", &[3, 4]);
        let file = if opset < 13 || (opset < 18 && !line.starts_with("ReduceSum")) {
            file.node(&line.replace(" axes", "")).with("axes", [0])
        } else {
            file.integers("axes", &[0]).node(line)
        };
        case(
            name,
            file.with("keepdims", 0)
                .node("Add x d -> sum")
                .node("LeakyRelu sum -> y"),
        )
    };
    vec![
        reduced("sum, as a setting", "ReduceSum m axes -> d", 11),
        reduced("sum", "ReduceSum m axes -> d", 13),
        reduced("mean, as a setting", "ReduceMean m axes -> d", 17),
        reduced("mean", "ReduceMean m axes -> d", 18),
        reduced("product", "ReduceProd m axes -> d", 18),
        reduced("largest", "ReduceMax m axes -> d", 18),
        reduced("smallest", "ReduceMin m axes -> d", 18),
        case("sum of nothing", {
            let file = of(&["ReduceSum c -> d"]).with("noop_with_empty_axes", 1);
            file.node("Add x d -> sum").node("LeakyRelu sum -> y")
        }),
        case(
            "a range",
            whole(&["Range z f o -> e"])
                .tensor(Tensor::integers("z", &[], &[2]))
                .tensor(Tensor::integers("f", &[], &[10]))
                .tensor(Tensor::integers("o", &[], &[2])),
        ),
        case(
            "a range of floats",
            floats(&["Range z f o -> d"])
                .float("z", 2.0)
                .float("f", 0.1)
                .float("o", -0.5),
        ),
    ]
}

fn moved() -> Vec<Case> {
    vec![
        case(
            "repeated",
            floats(&["Slice c zero two -> a", "Tile a two -> d"]),
        ),
        case(
            "stretched",
            floats(&["Slice c one two -> a", "Expand a four -> d"]),
        ),
        case(
            "filled with zeros",
            floats(&["ConstantOfShape four -> a", "Add a c -> d"]),
        ),
        case("filled with a value", {
            let file = of(&["ConstantOfShape four -> d"]);
            file.with("value", Tensor::floats("v", &[1], &[2.5]))
                .node("Add x d -> sum")
                .node("LeakyRelu sum -> y")
        }),
        case(
            "gathered",
            floats(&["Gather c k -> d"]).integers("k", &[3, -4, 1, 1]),
        ),
        case("gathered along an axis", {
            let file = of(&[])
                .weights("m", &[4, 3])
                .tensor(Tensor::integers("k", &[], &[-1]));
            file.node("Gather m k -> d")
                .with("axis", 1)
                .node("Add x d -> sum")
                .node("LeakyRelu sum -> y")
        }),
        case("cut backwards", {
            let file = of(&[])
                .integers("s", &[-1])
                .integers("e", &[i64::from(i32::MIN)])
                .integers("a", &[0])
                .integers("t", &[-1]);
            file.node("Slice c s e a t -> d")
                .node("Add x d -> sum")
                .node("LeakyRelu sum -> y")
        }),
        case("parted and joined", {
            let file = of(&["Split c -> a b"])
                .with("axis", 0)
                .node("Concat b a -> d")
                .with("axis", 0);
            file.node("Add x d -> sum").node("LeakyRelu sum -> y")
        }),
        case("turned and flattened", {
            let file = of(&[])
                .weights("m", &[2, 2])
                .node("Transpose m -> a")
                .node("Flatten a -> b")
                .with("axis", 0);
            file.node("Squeeze b zero -> c2")
                .node("Unsqueeze c2 zero -> d")
                .node("Add x d -> sum")
                .node("LeakyRelu sum -> y")
        }),
        case("squeezed altogether", {
            let file = of(&[]).weights("m", &[1, 4, 1]).node("Squeeze m -> d");
            file.node("Add x d -> sum").node("LeakyRelu sum -> y")
        }),
        case("another shape", {
            let file = of(&[])
                .weights("m", &[2, 2])
                .integers("to", &[-1])
                .node("Reshape m to -> d");
            file.node("Add x d -> sum").node("LeakyRelu sum -> y")
        }),
        case("as many as a shape says", {
            let file = of(&["Shape x -> s"])
                .with("start", 1)
                .node("ConstantOfShape s -> a");
            file.with("value", Tensor::floats("v", &[1], &[0.75]))
                .node("Add a c -> d")
                .node("Add x d -> sum")
                .node("LeakyRelu sum -> y")
        }),
        case("as many as there are", {
            let file = of(&["Size c -> a", "Cast a -> b"]).with("to", 1);
            file.node("Div c b -> d")
                .node("Add x d -> sum")
                .node("LeakyRelu sum -> y")
        }),
    ]
}

fn held() -> Vec<Case> {
    let held = |name: &'static str, set: &'static str, value: crate::onnx::Setting| {
        let file = of(&["Constant -> d"]).with(set, value);
        case(name, file.node("Add x d -> sum").node("LeakyRelu sum -> y"))
    };
    let int = |name: &'static str, set: &'static str, value: crate::onnx::Setting| {
        let file = of(&["Constant -> e"]).with(set, value);
        case(
            name,
            file.node("Cast e -> d")
                .with("to", 1)
                .node("Add x d -> sum")
                .node("LeakyRelu sum -> y"),
        )
    };
    vec![
        held(
            "a tensor",
            "value",
            Tensor::floats("", &[4], &[1.0, 2.0, 3.0, 4.5]).into(),
        ),
        held("a float", "value_float", 1.5_f32.into()),
        held("floats", "value_floats", [1.0_f32, 2.0, 3.0, 4.5].into()),
        int("an integer", "value_int", 3.into()),
        int("integers", "value_ints", [3, 2, 1, -4].into()),
        case("weights that are constants", {
            let file = File::of(&[0, 3, 5, 5])
                .node("Constant -> w")
                .with("value", Tensor::random("w", &[2, 3, 3, 3]));
            file.node("Conv x w -> a")
                .with("kernel_shape", [3, 3])
                .flat("a")
        }),
    ]
}

/// A layer of 3 by 4 whose weights are `w`.
fn layer() -> File {
    File::of(&[0, 4])
}

fn multiplied(file: File) -> File {
    file.node("Gemm x w -> y").with("transB", 1)
}

/// The layer with these weights, in plain floats.
fn plain(values: impl IntoIterator<Item = f32>) -> File {
    let values: Vec<f32> = values.into_iter().collect();
    multiplied(layer().tensor(Tensor::floats("w", &[3, 4], &values)))
}

/// Codes from -6 to 5.
fn codes() -> Vec<i64> {
    (-6..6).collect()
}

fn formats() -> Vec<Case> {
    // Multiples of 1/8 are exact in every format.
    let values: Vec<f32> = codes().iter().map(|&code| code as f32 * 0.125).collect();
    let half = |code: i64| half::f16::from_f32(code as f32 * 0.125).to_le_bytes();
    let brain = |code: i64| half::bf16::from_f32(code as f32 * 0.125).to_le_bytes();
    let stored =
        |data_type: u64, raw: Vec<u8>| layer().tensor(Tensor::raw("w", &[3, 4], (data_type, raw)));
    let halves: Vec<u8> = codes().into_iter().flat_map(half).collect();
    let cast = |data_type: u64, raw: Vec<u8>| {
        let file = layer().tensor(Tensor::raw("s", &[3, 4], (data_type, raw)));
        multiplied(file.node("Cast s -> w").with("to", 1))
    };
    let doubles = values
        .iter()
        .flat_map(|&value| f64::from(value).to_le_bytes());
    vec![
        case("float16", multiplied(stored(FLOAT16, halves.clone()))),
        case("float16, cast", cast(FLOAT16, halves)),
        case("float64", multiplied(stored(DOUBLE, doubles.collect()))),
        case(
            "bfloat16",
            multiplied(stored(
                BFLOAT16,
                codes().into_iter().flat_map(brain).collect(),
            )),
        )
        .twin(plain(values)),
    ]
}

fn quantized() -> Vec<Case> {
    let bytes: Vec<u8> = codes().iter().map(|&code| code as u8).collect();
    let eight =
        |data_type: u64| layer().tensor(Tensor::raw("q", &[3, 4], (data_type, bytes.clone())));
    let dequantized = |file: File, line: &str| file.node(line);
    let each = |scales: [f32; 3]| {
        let of = move |(at, code): (usize, i64)| code as f32 * scales[at / 4];
        codes().into_iter().enumerate().map(of)
    };
    let four: Vec<u8> = codes()
        .chunks(2)
        .map(|pair| (pair[0] as u8 & 15) | (pair[1] as u8) << 4)
        .collect();
    let four = || {
        layer()
            .opset(21)
            .tensor(Tensor::raw("q", &[3, 4], (INT4, four.clone())))
    };
    vec![
        case("8 bits, one step", {
            multiplied(dequantized(
                eight(INT8).float("s", 0.25),
                "DequantizeLinear q s -> w",
            ))
        }),
        case("8 bits, a step each", {
            let file = eight(INT8).floats("s", &[0.25, 0.5, 2.0]);
            multiplied(dequantized(file, "DequantizeLinear q s -> w").with("axis", 0))
        }),
        case("8 bits, a step each of the inputs", {
            let file = eight(INT8).floats("s", &[0.25, 0.5, 2.0, 1.5]);
            multiplied(dequantized(file, "DequantizeLinear q s -> w"))
        }),
        case("8 bits with zeros", {
            let zeros = Tensor::raw("z", &[3], (INT8, vec![1, 0xff, 5]));
            let file = eight(INT8).floats("s", &[0.25, 0.5, 2.0]).tensor(zeros);
            multiplied(dequantized(file, "DequantizeLinear q s z -> w").with("axis", 0))
        }),
        case("unsigned 8 bits with a zero", {
            let zero = Tensor::raw("z", &[], (UINT8, vec![128]));
            let file = eight(UINT8).float("s", 0.25).tensor(zero);
            multiplied(dequantized(file, "DequantizeLinear q s z -> w"))
        }),
        case("4 bits", {
            multiplied(
                dequantized(
                    four().floats("s", &[0.25, 0.5, 2.0]),
                    "DequantizeLinear q s -> w",
                )
                .with("axis", 0),
            )
        })
        .twin(plain(each([0.25, 0.5, 2.0]))),
        case("4 bits in blocks", {
            let file = four().tensor(Tensor::floats(
                "s",
                &[3, 2],
                &[0.25, 0.5, 2.0, 1.0, 0.75, 4.0],
            ));
            multiplied(
                dequantized(file, "DequantizeLinear q s -> w")
                    .with("axis", 1)
                    .with("block_size", 2),
            )
        })
        .twin(plain({
            let steps = [0.25, 0.5, 2.0, 1.0, 0.75, 4.0];
            codes()
                .into_iter()
                .enumerate()
                .map(move |(at, code)| code as f32 * steps[at / 2])
        })),
        case("kernels of 8 bits that are turned", {
            let raw: Vec<u8> = (0..36).map(|code| (code * 7) as u8).collect();
            let file = File::of(&[0, 2, 5, 5]).tensor(Tensor::raw("q", &[3, 3, 2, 2], (INT8, raw)));
            let file = file
                .floats("s", &[0.25, 0.5])
                .node("DequantizeLinear q s -> t")
                .with("axis", 3);
            let file = file.node("Transpose t -> w").with("perm", [3, 2, 0, 1]);
            file.node("Conv x w -> a")
                .with("kernel_shape", [3, 3])
                .flat("a")
        }),
    ]
}

fn beside() -> Vec<Case> {
    let numbers: Vec<f32> = (0..12).map(|at| at as f32 * 0.5 - 3.0).collect();
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let mut padded = vec![7; 16];
    padded.extend(&bytes);
    let external = |location: &str, offset: Option<u64>, length: Option<u64>| {
        let mut tensor = Tensor::raw("w", &[3, 4], (1, Vec::new()));
        tensor.external.push(("location", location.to_owned()));
        let more = [("offset", offset), ("length", length)];
        let more = more
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?.to_string())));
        tensor.external.extend(more);
        multiplied(layer().tensor(tensor))
    };
    let mut whole =
        case("all of a file", external("net.data", None, None)).twin(plain(numbers.clone()));
    whole.beside = vec![("net.data", bytes)];
    let mut part = case("part of a file", external("net.data", Some(16), Some(48)));
    part.beside = vec![("net.data", padded)];
    vec![whole, part]
}

/// Shapes of the images that are asked for and put together again.
fn shape_arithmetic() -> Vec<Case> {
    let layer = |file: File| file.weights("w", &[24, 5]).node("MatMul f w -> y");
    let image = |batch: i64, opset: i64| File::of(&[batch, 4, 2, 3]).opset(opset);
    let scalar = Tensor::integers("at", &[], &[0]);
    vec![
        case("images and all that is left", {
            let file = image(0, 17)
                .tensor(scalar.clone())
                .integers("axis", &[0])
                .integers("rest", &[-1]);
            let file = file
                .node("Shape x -> s")
                .node("Gather s at -> n")
                .with("axis", 0);
            let file = file
                .node("Unsqueeze n axis -> m")
                .node("Concat m rest -> to")
                .with("axis", 0);
            layer(file.node("Reshape x to -> f"))
        }),
        case("images and a product", {
            let file = image(0, 17)
                .integers("z", &[0])
                .integers("o", &[1])
                .integers("e", &[4]);
            let file = file
                .node("Shape x -> s")
                .node("Slice s z o -> n")
                .node("Slice s o e -> r");
            let file = file.node("ReduceProd r -> p").with("keepdims", 1);
            let file = file.node("Concat n p -> to").with("axis", 0);
            layer(file.node("Reshape x to -> f"))
        }),
        case("images and a product, of old", {
            let file = image(0, 11).tensor(scalar.clone()).integers("rest", &[-1]);
            let file = file
                .node("Shape x -> s")
                .node("Cast s -> t")
                .with("to", INT64 as i64);
            let file = file
                .node("Gather t at -> n")
                .node("Unsqueeze n -> m")
                .with("axes", [0]);
            layer(
                file.node("Concat m rest -> to")
                    .with("axis", 0)
                    .node("Reshape x to -> f"),
            )
        }),
        case("a batch of one is written into the file", {
            layer(
                image(1, 13)
                    .integers("to", &[1, 24])
                    .node("Reshape x to -> f"),
            )
        }),
        case("a batch of four is written into the file", {
            layer(
                image(4, 13)
                    .integers("to", &[4, 24])
                    .node("Reshape x to -> f"),
            )
        }),
        case("a batch of four, and what is left of it", {
            layer(
                image(4, 13)
                    .integers("to", &[-1, 24])
                    .node("Reshape x to -> f"),
            )
        }),
        case("to its own shape", {
            let file = image(0, 17).node("Shape x -> s").node("Expand x s -> a");
            layer(file.node("Flatten a -> f"))
        }),
    ]
}

pub fn all() -> Vec<Case> {
    let first = [arithmetic(), casts(), shapes(), moved(), held()]
        .into_iter()
        .flatten();
    first
        .chain(
            [formats(), quantized(), beside(), shape_arithmetic()]
                .into_iter()
                .flatten(),
        )
        .collect()
}

#[test]
fn arithmetic_is_that_of_the_runtime() {
    judged(&arithmetic());
    judged(&casts());
}

#[test]
fn shapes_of_constants_are_those_of_the_runtime() {
    judged(&shapes());
    judged(&moved());
    judged(&held());
}

#[test]
fn number_formats_are_those_of_the_runtime() {
    judged(&formats());
    judged(&quantized());
    judged(&beside());
}

#[test]
fn shape_arithmetic_is_that_of_the_runtime() {
    judged(&shape_arithmetic());
}
