//! Functions of each number, sums, and constants that go with channels.

use crate::compare::{Case, case, judged};
use crate::onnx::File;

fn image() -> File {
    File::of(&[0, 4, 3, 5])
}

fn activations() -> Vec<Case> {
    let sloped = |name: &'static str, dims: &[i64]| {
        case(
            name,
            image().weights("s", dims).node("PRelu x s -> a").flat("a"),
        )
    };
    let clipped = |name: &'static str, line: &str| {
        let file = image().float("lo", -0.25).float("hi", 0.5).node(line);
        case(name, file.flat("a"))
    };
    vec![
        case("rectified", image().node("Relu x -> a").flat("a")),
        case("sloped", image().node("LeakyRelu x -> a").flat("a")),
        case(
            "sloped by a number",
            image()
                .node("LeakyRelu x -> a")
                .with("alpha", 0.3_f32)
                .flat("a"),
        ),
        case(
            "sloped upwards",
            image()
                .node("LeakyRelu x -> a")
                .with("alpha", -0.5_f32)
                .flat("a"),
        ),
        sloped("a slope each", &[4, 1, 1]),
        sloped("one slope", &[1]),
        sloped("one slope, without extents", &[]),
        sloped("one slope, with extents", &[1, 1, 1]),
        case(
            "slopes of features",
            File::of(&[0, 7]).weights("s", &[7]).node("PRelu x s -> y"),
        ),
        clipped("two bounds", "Clip x lo hi -> a"),
        clipped("a lower bound", "Clip x lo -> a"),
        clipped("an upper bound", "Clip x _ hi -> a"),
        clipped("no bound", "Clip x -> a"),
        clipped("the larger", "Max x lo -> a"),
        clipped("the larger, the other way round", "Max lo x -> a"),
        clipped("the smaller", "Min x hi -> a"),
        case(
            "bounds as settings",
            image()
                .opset(9)
                .node("Clip x -> a")
                .with("min", 0.0_f32)
                .with("max", 0.375_f32)
                .flat("a"),
        ),
        case(
            "one bound as a setting",
            image()
                .opset(9)
                .node("Clip x -> a")
                .with("max", 0.375_f32)
                .flat("a"),
        ),
        case(
            "the largest with zero",
            image().float("zero", 0.0).node("Max x zero -> a").flat("a"),
        ),
        case(
            "the largest with bounds that are computed",
            image()
                .float("lo", -0.25)
                .node("Neg lo -> hi")
                .node("Clip x lo hi -> a")
                .flat("a"),
        ),
    ]
}

fn nothings() -> Vec<Case> {
    vec![
        case(
            "nothing",
            image()
                .node("Identity x -> b")
                .node("Cast b -> a")
                .with("to", 1)
                .flat("a"),
        ),
        case(
            "a dropout",
            image()
                .float("ratio", 0.5)
                .node("Dropout x ratio -> a m")
                .flat("a"),
        )
        .twin(image().flat("x")),
        case(
            "an old dropout",
            image()
                .opset(9)
                .node("Dropout x -> a")
                .with("ratio", 0.5_f32)
                .flat("a"),
        )
        .twin(image().flat("x")),
        case("a dropout that is not at work", {
            let file = image().float("ratio", 0.5).tensor(crate::onnx::Tensor::raw(
                "off",
                &[],
                (9, vec![0]),
            ));
            file.node("Dropout x ratio off -> a")
                .with("seed", 3)
                .flat("a")
        })
        .twin(image().flat("x")),
        case(
            "like another",
            image()
                .node("Relu x -> b")
                .node("CastLike b x -> a")
                .flat("a"),
        ),
    ]
}

fn sums() -> Vec<Case> {
    let two = || {
        image()
            .weights("k", &[4, 4, 1, 1])
            .node("Conv x k -> b")
            .with("kernel_shape", [1, 1])
    };
    vec![
        case("two", two().node("Add x b -> a").flat("a")),
        case("twice the same", image().node("Add x x -> a").flat("a")),
        case("three", two().node("Sum x b b -> a").flat("a")),
        case("one alone", image().node("Sum x -> a").flat("a")),
        case(
            "maps and constants",
            two()
                .weights("c", &[4, 1, 1])
                .node("Sum c x b -> a")
                .flat("a"),
        ),
        case(
            "features",
            File::of(&[0, 6]).node("Relu x -> a").node("Add a x -> y"),
        ),
        case(
            "a bias behind a layer that others read too",
            two()
                .weights("c", &[4, 1, 1])
                .node("Add b c -> d")
                .node("Relu b -> e")
                .node("Add d e -> a")
                .flat("a"),
        ),
        case(
            "a bias behind a view of a layer that others read too",
            two()
                .weights("c", &[4, 1, 1])
                .node("Identity b -> v")
                .node("Add v c -> d")
                .node("Relu b -> e")
                .node("Add d e -> a")
                .flat("a"),
        ),
        case(
            "biases behind two views of one layer",
            two()
                .weights("c", &[4])
                .node("Transpose b -> v")
                .with("perm", [0, 2, 3, 1])
                .node("Add v c -> d")
                .node("Transpose d -> e")
                .with("perm", [0, 3, 1, 2])
                .node("Identity b -> f")
                .node("Relu f -> g")
                .node("Add e g -> a")
                .flat("a"),
        ),
        case(
            "a shift behind a factor that others read too",
            image()
                .weights("f", &[4, 1, 1])
                .weights("c", &[4, 1, 1])
                .node("Mul x f -> b")
                .node("Identity b -> v")
                .node("Add v c -> d")
                .node("Add d b -> a")
                .flat("a"),
        ),
        case(
            "two biases, one after another",
            two()
                .weights("c", &[4, 1, 1])
                .weights("e", &[4, 1, 1])
                .node("Add b c -> d")
                .node("Add d e -> a")
                .flat("a"),
        ),
    ]
}

fn constants() -> Vec<Case> {
    let with = |name: &'static str, line: &str, dims: &[i64]| {
        case(name, image().weights("c", dims).node(line).flat("a"))
    };
    vec![
        with("a summand each", "Add x c -> a", &[1, 4, 1, 1]),
        with("a summand for all", "Add x c -> a", &[]),
        with("less a number each", "Sub x c -> a", &[4, 1, 1]),
        with("a number each, less it", "Sub c x -> a", &[4, 1, 1]),
        with("a factor each", "Mul c x -> a", &[4, 1, 1]),
        with("a factor for all", "Mul x c -> a", &[1]),
        with("by a number each", "Div x c -> a", &[1, 4, 1, 1]),
        with("by a number for all", "Div x c -> a", &[1, 1]),
        case("factor, shift, factor", {
            let file = image().weights("c", &[4, 1, 1]).weights("d", &[4, 1, 1]);
            file.node("Mul x c -> e")
                .node("Add e d -> f")
                .node("Mul f c -> a")
                .flat("a")
        }),
        case("of features", {
            let file = File::of(&[0, 6]).weights("c", &[6]).weights("d", &[1, 6]);
            file.node("Mul x c -> a").node("Sub a d -> y")
        }),
        case("one number for all features of a map", {
            image()
                .weights("c", &[1])
                .node("Flatten x -> b")
                .node("Mul b c -> y")
        }),
        case("zeros and ones that change nothing", {
            let file = image().floats("one", &[1.0]).floats("zero", &[0.0]);
            file.node("Mul x one -> b")
                .node("Add b zero -> c")
                .node("Div c one -> a")
                .flat("a")
        }),
        case("an image that is scaled first", {
            let file = image()
                .weights("mean", &[4, 1, 1])
                .float("by", 255.0)
                .weights("k", &[2, 4, 3, 3]);
            file.node("Div x by -> b")
                .node("Sub b mean -> c")
                .node("Conv c k -> a")
                .with("kernel_shape", [3, 3])
                .with("pads", [1, 1, 1, 1])
                .flat("a")
        }),
    ]
}

fn ends() -> Vec<Case> {
    let layer = |opset: i64| {
        File::of(&[0, 6])
            .opset(opset)
            .weights("w", &[5, 6])
            .node("Gemm x w -> a")
            .with("transB", 1)
    };
    vec![
        case("softmax", layer(17).node("Softmax a -> y")),
        case(
            "softmax of an axis",
            layer(13).node("Softmax a -> y").with("axis", 1),
        ),
        case(
            "softmax of old",
            layer(11).node("Softmax a -> y").with("axis", 1),
        ),
        case(
            "its logarithm",
            layer(17).node("LogSoftmax a -> y").with("axis", -1),
        ),
        case(
            "softmax of a map of one place",
            File::of(&[0, 4, 3, 3])
                .node("GlobalAveragePool x -> a")
                .node("Softmax a -> y")
                .with("axis", 1),
        ),
        case(
            "softmax, and a name of its own",
            layer(17).node("Softmax a -> b").node("Identity b -> y"),
        ),
        case(
            "softmax of a map, and its extents of one off",
            File::of(&[0, 4, 3, 3])
                .node("GlobalAveragePool x -> a")
                .node("Softmax a -> b")
                .with("axis", 1)
                .node("Flatten b -> y"),
        ),
    ]
}

pub fn all() -> Vec<Case> {
    [activations(), nothings(), sums(), constants(), ends()]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn functions_of_each_number_are_those_of_the_runtime() {
    judged(&activations());
    judged(&nothings());
}

#[test]
fn sums_are_those_of_the_runtime() {
    judged(&sums());
}

#[test]
fn constants_of_channels_are_those_of_the_runtime() {
    judged(&constants());
}

#[test]
fn ends_are_those_of_the_runtime() {
    judged(&ends());
}
