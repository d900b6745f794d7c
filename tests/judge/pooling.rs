//! Windows over maps, and what is taken of whole maps.

use crate::compare::{Case, case, judged};
use crate::loops::Pool;
use crate::onnx::File;

fn image() -> File {
    File::of(&[0, 3, 9, 8])
}

fn max() -> File {
    image().node("MaxPool x -> a").with("kernel_shape", [3, 2])
}

fn average() -> File {
    image()
        .node("AveragePool x -> a")
        .with("kernel_shape", [3, 2])
}

/// A window of 3x2 over the images.
const WINDOW: Pool = Pool {
    map: [3, 9, 8],
    kernel: [3, 2],
    strides: [2, 3],
    dilations: [1, 1],
    pads: [0; 4],
    out: [0; 2],
};

fn windows() -> Vec<Case> {
    let placed = |of: fn() -> File| {
        [
            of().flat("a"),
            of().with("strides", [2, 3]).flat("a"),
            of().with("pads", [1, 0, 2, 1])
                .with("strides", [2, 2])
                .flat("a"),
            of().with("auto_pad", "VALID")
                .with("strides", [3, 3])
                .flat("a"),
            of().with("auto_pad", "SAME_UPPER")
                .with("strides", [2, 3])
                .flat("a"),
            of().with("auto_pad", "SAME_UPPER")
                .with("strides", [1, 1])
                .flat("a"),
            of().with("strides", [2, 3]).with("ceil_mode", 1).flat("a"),
        ]
    };
    let largest = placed(max).into_iter().map(|file| case("largest", file));
    let mean = placed(average).into_iter().map(|file| case("mean", file));
    let padded = average().with("pads", [1, 1, 1, 0]).with("strides", [2, 3]);
    largest
        .chain(mean)
        .chain([
            case(
                "counted",
                padded.clone().with("count_include_pad", 1).flat("a"),
            ),
            case(
                "not counted",
                padded.clone().with("count_include_pad", 0).flat("a"),
            ),
            case(
                "counted, of four sides",
                average()
                    .with("count_include_pad", 1)
                    .with("pads", [2, 0, 1, 1])
                    .flat("a"),
            ),
            case("indices that nobody reads", {
                let file = image()
                    .node("MaxPool x -> a i")
                    .with("kernel_shape", [2, 2]);
                file.with("storage_order", 0).flat("a")
            })
            .twin(
                image()
                    .node("MaxPool x -> a")
                    .with("kernel_shape", [2, 2])
                    .with("strides", [1, 1])
                    .flat("a"),
            ),
        ])
        .collect()
}

/// What the runtime does otherwise than the standard, or not at all.
fn looped() -> Vec<Case> {
    let lower = |file: File| {
        file.with("auto_pad", "SAME_LOWER")
            .with("strides", [2, 3])
            .flat("a")
    };
    // 9 rows by steps of 2: 5 places need 11; 8 columns by steps of 3: 3 places need 8.
    let below = || Pool {
        pads: [1, 0, 1, 0],
        out: [5, 3],
        ..WINDOW
    };
    // 8 columns by a window of 2 in steps of 1: 8 places need 9, the odd one before.
    let odd = |file: File| {
        file.with("auto_pad", "SAME_LOWER")
            .with("strides", [2, 1])
            .flat("a")
    };
    let before = || Pool {
        strides: [2, 1],
        pads: [1, 1, 1, 0],
        out: [5, 8],
        ..WINDOW
    };
    let dilated = || Pool {
        strides: [1, 2],
        dilations: [2, 3],
        pads: [1, 2, 2, 0],
        out: [8, 4],
        ..WINDOW
    };
    let wide = |file: File| {
        file.with("dilations", [2, 3])
            .with("strides", [1, 2])
            .with("pads", [1, 2, 2, 0])
    };
    let hanging = || Pool {
        strides: [3, 3],
        pads: [1, 1, 1, 1],
        out: [4, 3],
        ..WINDOW
    };
    let over = |file: File| {
        file.with("strides", [3, 3])
            .with("pads", [1, 1, 1, 1])
            .with("ceil_mode", 1)
    };
    vec![
        case("lower, largest", lower(max())).by(move |x| below().largest(x)),
        case("lower, mean", lower(average())).by(move |x| below().mean(x, false)),
        case("lower and odd, largest", odd(max())).by(move |x| before().largest(x)),
        case("lower and odd, mean", odd(average())).by(move |x| before().mean(x, false)),
        case(
            "lower and odd, counted",
            odd(average().with("count_include_pad", 1)),
        )
        .by(move |x| before().mean(x, true)),
        case("dilated, largest", wide(max()).flat("a")).by(move |x| dilated().largest(x)),
        case("dilated, mean", wide(average()).flat("a").opset(19))
            .by(move |x| dilated().mean(x, false)),
        case(
            "dilated, counted",
            wide(average())
                .with("count_include_pad", 1)
                .flat("a")
                .opset(19),
        )
        .by(move |x| dilated().mean(x, true)),
        case("over the end, largest", over(max()).flat("a")).by(move |x| hanging().largest(x)),
        case("over the end, mean", over(average()).flat("a")).by(move |x| hanging().mean(x, false)),
        case(
            "over the end, counted",
            over(average()).with("count_include_pad", 1).flat("a"),
        )
        .by(move |x| hanging().mean(x, true)),
    ]
}

/// A layer behind the features `b`.
fn layer(file: File) -> File {
    file.weights("w", &[5, 3])
        .node("Gemm b w -> y")
        .with("transB", 1)
}

fn largest() -> Vec<Case> {
    vec![
        case(
            "largest of all, by axes",
            image()
                .opset(18)
                .integers("axes", &[2, 3])
                .node("ReduceMax x axes -> a")
                .flat("a"),
        ),
        case(
            "largest of all, without the extents, and a layer",
            layer(
                image()
                    .node("ReduceMax x -> b")
                    .with("axes", [2, 3])
                    .with("keepdims", 0),
            ),
        ),
        case(
            "largest of each column",
            image().node("ReduceMax x -> a").with("axes", [2]).flat("a"),
        ),
    ]
}

fn globals() -> Vec<Case> {
    let reduced = |name: &'static str, opset: i64, axes: [i64; 2], kept: i64| {
        let file = image().opset(opset);
        let file = if opset < 18 {
            file.node("ReduceMean x -> a").with("axes", axes)
        } else {
            file.integers("axes", &axes).node("ReduceMean x axes -> a")
        };
        case(name, file.with("keepdims", kept).flat("a"))
    };
    vec![
        case(
            "mean of all",
            image().node("GlobalAveragePool x -> a").flat("a"),
        ),
        case(
            "largest of all",
            image().node("GlobalMaxPool x -> a").flat("a"),
        ),
        reduced("axes as a setting", 9, [2, 3], 1),
        reduced("axes as a setting, from the end", 13, [-1, -2], 0),
        reduced("axes as an input", 18, [2, 3], 1),
        reduced("axes as an input, from the end", 21, [-2, -1], 0),
        case(
            "one axis after the other",
            image()
                .node("ReduceMean x -> c")
                .with("axes", [3])
                .node("ReduceMean c -> a")
                .with("axes", [2])
                .flat("a"),
        ),
        case(
            "without the extents, and a layer",
            layer(
                image()
                    .node("ReduceMean x -> b")
                    .with("axes", [2, 3])
                    .with("keepdims", 0),
            ),
        ),
        case(
            "nothing to reduce",
            image()
                .opset(18)
                .node("ReduceMean x -> a")
                .with("noop_with_empty_axes", 1)
                .flat("a"),
        ),
        case(
            "a whole map as a window",
            layer(
                image()
                    .node("AveragePool x -> a")
                    .with("kernel_shape", [9, 8])
                    .node("Flatten a -> b"),
            ),
        ),
        case(
            "a window of one place does nothing",
            image()
                .node("AveragePool x -> a")
                .with("kernel_shape", [1, 1])
                .flat("a"),
        ),
        case(
            "a map of one channel",
            File::of(&[0, 1, 5, 4])
                .node("GlobalAveragePool x -> a")
                .flat("a"),
        ),
        case(
            "the largest of a map of one channel",
            File::of(&[0, 1, 5, 4])
                .node("GlobalMaxPool x -> a")
                .flat("a"),
        ),
    ]
}

pub fn all() -> Vec<Case> {
    [windows(), looped(), globals(), largest()]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn windows_are_those_of_the_runtime() {
    judged(&windows());
}

#[test]
fn windows_that_the_runtime_places_otherwise_are_those_of_the_standard() {
    judged(&looped());
}

#[test]
fn whole_maps_are_taken_as_by_the_runtime() {
    judged(&globals());
    judged(&largest());
}
