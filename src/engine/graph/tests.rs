//! What a graph accepts, what is read back of it, and what its identity depends on.

use serde_json::Value;

use super::operations::{Codes, Function, Pad};
use super::*;
use crate::engine::backend::{AverageWindow, Pads, Region, Span, Window};
use crate::engine::bits::Bits;

fn options(out_channels: usize, kernel: [usize; 2]) -> ConvolutionOptions {
    ConvolutionOptions::same(out_channels, kernel)
}

/// Every operation there is.
fn menagerie() -> Graph {
    let (mut b, image) = Builder::new(Shape::map(2, 9, 8));
    let uneven = ConvolutionOptions {
        stride: [2, 1],
        padding: Pads::onnx([0, 1, 2, 0]),
        bias: true,
        ..options(6, [3, 2])
    };
    let x = b.convolution("conv", image, &uneven).unwrap();
    let norm = NormOptions {
        epsilon: 1e-3,
        scale: false,
        shift: true,
    };
    let x = b.normalization("norm", x, &norm).unwrap();
    let x = b.clip("clip", x, [f64::NEG_INFINITY, 6.0]).unwrap();
    let x = b.scale("scale", x, [true, false]).unwrap();
    let y = b.prelu("prelu", x, 6).unwrap();
    let x = b.leaky_relu("leaky", x, 0.1).unwrap();
    let x = b.concat("concat", &[x, y]).unwrap();
    let window = Window {
        padding: Pads::onnx([0, 1, 1, 0]),
        ceil: true,
        ..Window::new([3, 3], [2, 2])
    };
    let y = b.max_pool("max", x, window).unwrap();
    let average = AverageWindow {
        window,
        counts_padding: false,
    };
    let x = b.average_pool("average", x, average).unwrap();
    let x = b.add("add", x, y).unwrap();
    let x = b
        .option_a(
            "shortcut",
            x,
            OptionA {
                stride: 2,
                out_channels: 15,
            },
        )
        .unwrap();
    let x = b.relu("relu", x).unwrap();
    let y = b.global_average_pool("pool", x).unwrap();
    let y = b.linear("fc", y, 4).unwrap();
    let codes = Codes::Unsigned(Bits::new(4).unwrap());
    let x = b.quantize("quantize", x, codes).unwrap();
    let x = b.flatten("flat", x).unwrap();
    let x = b.unflatten("map", x).unwrap();
    let bias = false;
    let x = b
        .linear_layer("other", x, LinearOptions { outputs: 4, bias })
        .unwrap();
    b.add("logits", x, y).unwrap();
    b.finish()
}

fn refused<T: std::fmt::Debug>(result: crate::engine::Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn names_are_unique() {
    let (mut b, image) = Builder::new(Shape::map(2, 4, 4));
    let x = b.relu("a", image).unwrap();
    assert_eq!(
        refused(b.relu("a", x)),
        "two nodes are called a: give every node a name of its own"
    );
    assert!(refused(b.relu("image", x)).contains("called image"));
    b.convolution("c", x, &options(3, [1, 1])).unwrap();
    let twice = refused(b.parameter("c.weight".to_owned(), &[1], Role::Slope));
    assert!(
        twice.contains("two parameters are called c.weight"),
        "{twice}"
    );
    // What was refused has left nothing behind.
    b.relu("b", x).unwrap();
}

#[test]
fn a_parameter_belongs_to_one_node_and_has_its_shape() {
    let (mut b, image) = Builder::new(Shape::map(3, 4, 4));
    let x = b.convolution("a", image, &options(3, [3, 3])).unwrap();
    let convolution = b.clone().finish().node(x).operation.clone();
    let twice = refused(b.insert("b", convolution, &[x]));
    assert!(
        twice.contains("a.weight is used by a and by b") && twice.contains("not supported"),
        "{twice}"
    );
    let slope = b.parameter("slope".to_owned(), &[3], Role::Bias).unwrap();
    let function = Function::PRelu {
        slope,
        slopes: 3,
        channels: 3,
    };
    let other = refused(b.insert("p", operations::Activate { function }, &[x]));
    assert!(other.contains("needs Slope of shape [3]"), "{other}");
}

#[test]
fn windows_are_counted_as_pytorch_does() {
    // Input, kernel, stride, pads before and after, ceil_mode, windows.
    let cases = [
        (112, 3, 2, [0, 0], true, 56),
        (112, 3, 2, [0, 0], false, 55),
        (7, 3, 2, [1, 1], true, 4),
        (6, 3, 2, [1, 1], true, 4),
        (6, 3, 2, [1, 1], false, 3),
        // The last window would begin behind the map.
        (4, 2, 3, [1, 1], true, 2),
        (5, 1, 2, [0, 0], true, 3),
        (6, 1, 2, [0, 0], true, 3),
        (32, 3, 2, [0, 1], false, 16),
    ];
    for (input, kernel, stride, [before, after], ceil, expected) in cases {
        let window = Window {
            padding: Pads::onnx([before, 0, after, 0]),
            ceil,
            ..Window::new([kernel, 1], [stride, 1])
        };
        let found = window.windows(0, input);
        assert_eq!(found, Some(expected), "{input} {window:?}");
    }
    // A window that holds nothing of the map.
    let beside = Window {
        padding: Pads::onnx([2, 0, 2, 0]),
        ..Window::new([2, 1], [1, 1])
    };
    assert_eq!(beside.windows(0, 5), None);
}

const HUGE: usize = usize::MAX;

/// Images that the networks of these tests read.
const SMALL: Shape = Shape::map(2, 5, 5);

/// Why a graph over images of this shape is refused, in one short sentence.
#[track_caller]
fn reason(
    image: Shape,
    make: impl Fn(&mut Builder, NodeId) -> crate::engine::Result<NodeId>,
) -> String {
    let (mut b, image) = Builder::new(image);
    let reason = refused(make(&mut b, image));
    assert!(reason.len() < 250 && !reason.contains('\n'), "{reason}");
    reason
}

#[test]
fn images_that_cannot_be_are_refused() {
    let large = reason(Shape::map(3, 1 << 40, 1 << 40), |b, x| b.relu("r", x));
    assert!(large.contains("more than 4294967295 numbers"), "{large}");
    assert!(reason(Shape::map(0, 3, 3), |b, x| b.relu("r", x)).contains("none"));
}

#[test]
fn convolutions_that_cannot_be_are_refused() {
    let bases = [
        ConvolutionOptions {
            out_channels: HUGE,
            ..options(4, [3, 3])
        },
        ConvolutionOptions {
            out_channels: 1 << 31,
            ..options(4, [3, 3])
        },
        ConvolutionOptions {
            kernel: [HUGE, 1],
            ..options(4, [3, 3])
        },
        ConvolutionOptions {
            kernel: [0, 3],
            ..options(4, [3, 3])
        },
        ConvolutionOptions {
            dilation: [HUGE / 2, 1],
            ..options(4, [3, 3])
        },
        ConvolutionOptions {
            dilation: [0, 1],
            ..options(4, [3, 3])
        },
        ConvolutionOptions {
            stride: [1, 0],
            ..options(4, [3, 3])
        },
        ConvolutionOptions {
            groups: 0,
            ..options(4, [3, 3])
        },
        ConvolutionOptions {
            groups: 3,
            ..options(4, [3, 3])
        },
        ConvolutionOptions {
            padding: Pads::onnx([HUGE, 0, HUGE, 0]),
            ..options(4, [3, 3])
        },
        ConvolutionOptions {
            padding: Pads::onnx([0, 1 << 40, 0, 0]),
            ..options(4, [3, 3])
        },
        ConvolutionOptions {
            padding: Pads::NONE,
            ..options(4, [6, 3])
        },
    ];
    for options in bases {
        reason(SMALL, |b, x| b.convolution("c", x, &options));
    }
}

#[test]
fn windows_that_cannot_be_are_refused() {
    let windows = [
        Window {
            stride: [0, 1],
            ..Window::new([2, 2], [2, 2])
        },
        Window {
            dilation: [HUGE, HUGE],
            ..Window::new([2, 2], [2, 2])
        },
        Window {
            padding: Pads::even([HUGE, HUGE]),
            ..Window::new([2, 2], [2, 2])
        },
        Window {
            padding: Pads::even([2, 2]),
            ..Window::new([2, 2], [2, 2])
        },
        Window {
            ceil: true,
            stride: [HUGE, HUGE],
            ..Window::new([9, 9], [2, 2])
        },
        Window::new([0, 0], [1, 1]),
    ];
    for window in windows {
        reason(SMALL, |b, x| b.max_pool("p", x, window));
        let average = AverageWindow {
            window,
            counts_padding: true,
        };
        reason(SMALL, |b, x| b.average_pool("p", x, average));
    }
}

#[test]
fn parts_that_cannot_be_are_refused() {
    let pads = [
        Pad {
            channels: [HUGE, 1],
            places: Pads::NONE,
        },
        Pad {
            channels: [0, 0],
            places: Pads::onnx([HUGE, HUGE, HUGE, HUGE]),
        },
        Pad {
            channels: [1 << 40, 0],
            places: Pads::NONE,
        },
    ];
    for pad in pads {
        reason(SMALL, |b, x| b.pad("p", x, pad));
    }
    let spans = [
        Span {
            start: 4,
            step: 1,
            count: 2,
        },
        Span {
            start: 0,
            step: 0,
            count: 1,
        },
        Span {
            start: 0,
            step: HUGE,
            count: 3,
        },
        Span {
            start: HUGE,
            step: 1,
            count: 1,
        },
        Span {
            start: 0,
            step: 1,
            count: 0,
        },
    ];
    for rows in spans {
        let region = Region {
            rows,
            ..Region::whole(SMALL)
        };
        reason(SMALL, |b, x| b.slice("s", x, region));
    }
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    reason(SMALL, |b, x| b.linear("l", x, 3));
    reason(Shape::Features(1 << 20), |b, x| b.linear("l", x, 1 << 20));
    reason(Shape::Features(4), |b, x| {
        b.pad(
            "p",
            x,
            Pad {
                channels: [0, 0],
                places: Pads::even([1, 1]),
            },
        )
    });
    reason(SMALL, |b, x| b.clip("c", x, [1.0, 0.5]));
    reason(SMALL, |b, x| b.clip("c", x, [f64::NAN, 0.5]));
    reason(SMALL, |b, x| b.leaky_relu("l", x, f64::INFINITY));
    reason(SMALL, |b, x| b.prelu("p", x, 3));
    reason(SMALL, |b, x| {
        b.normalization(
            "n",
            x,
            &NormOptions {
                epsilon: -1.0,
                ..NormOptions::default()
            },
        )
    });
    reason(SMALL, |b, x| {
        b.option_a(
            "s",
            x,
            OptionA {
                stride: 2,
                out_channels: 1,
            },
        )
    });
    reason(SMALL, |b, x| {
        b.option_a(
            "s",
            x,
            OptionA {
                stride: 0,
                out_channels: 4,
            },
        )
    });
}

#[test]
fn adaptive_pools_divide() {
    let (mut b, image) = Builder::new(Shape::map(2, 6, 4));
    let one = b.adaptive_average_pool("one", image, [1, 1]).unwrap();
    assert_eq!(b.shape(one), Shape::map(2, 1, 1));
    let some = b.adaptive_average_pool("some", image, [3, 2]).unwrap();
    assert_eq!(b.shape(some), Shape::map(2, 3, 2));
    let same = b.adaptive_average_pool("same", image, [6, 4]).unwrap();
    assert_eq!(same, image);
    for wanted in [[4, 2], [0, 1], [12, 4]] {
        let reason = refused(b.adaptive_average_pool("none", image, wanted));
        assert!(reason.contains("divide"), "{reason}");
    }
}

#[test]
fn the_option_a_shortcut_is_a_slice_between_zeros() {
    let (mut b, image) = Builder::new(Shape::map(3, 7, 4));
    let option = OptionA {
        stride: 2,
        out_channels: 8,
    };
    let x = b.option_a("short", image, option).unwrap();
    assert_eq!(b.shape(x), Shape::map(8, 4, 2));
    let graph = b.finish();
    let names: Vec<&str> = graph.nodes().iter().map(|node| &*node.name).collect();
    assert_eq!(names, ["image", "short.sliced", "short"]);
}

#[test]
fn an_image_that_is_moved_stays_the_image() {
    let (mut b, image) = Builder::new(Shape::map(3, 8, 8));
    let pad = Pad {
        channels: [0, 0],
        places: Pads::onnx([0, 0, 1, 1]),
    };
    let x = b.pad("pad", image, pad).unwrap();
    let some = Region::of_channels(Shape::map(3, 9, 9), Span::run(0, 2));
    let x = b.slice("slice", x, some).unwrap();
    let x = b.convolution("a", x, &options(4, [3, 3])).unwrap();
    b.convolution("b", x, &options(4, [3, 3])).unwrap();
    let reads: Vec<bool> = b.finish().layers().iter().map(|l| l.reads_image).collect();
    assert_eq!(reads, [true, false]);
}

#[test]
fn a_graph_is_read_back_as_it_was_written() {
    let graph = menagerie();
    let text = serde_json::to_string(&graph).unwrap();
    let back: Graph = serde_json::from_str(&text).unwrap();
    assert_eq!(back, graph);
    assert_eq!(back.identity(), graph.identity());
    assert_eq!(back.layers(), graph.layers());
}

#[test]
fn an_identity_knows_what_is_computed_and_not_how_other_nodes_are_called() {
    let graph = menagerie();
    let identity = graph.identity();
    assert_eq!(identity.len(), 64);
    let text = serde_json::to_string(&graph).unwrap();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let changed: Graph = serde_json::from_str(&text.replacen(from, to, 1)).unwrap();
        changed.identity()
    };
    assert_eq!(
        with("\"clip\",\"operation", "\"relu6\",\"operation"),
        identity
    );
    for (from, to) in [
        (
            "\"name\":\"other\",\"operation",
            "\"name\":\"head\",\"operation",
        ),
        ("norm.running_mean", "norm.mean"),
        ("\"epsilon\":0.001", "\"epsilon\":0.00001"),
        ("\"high\":6.0", "\"high\":7.0"),
        ("\"slope\":0.1", "\"slope\":0.2"),
        ("\"counts_padding\":false", "\"counts_padding\":true"),
        ("\"unsigned\":4", "\"unsigned\":5"),
    ] {
        assert_ne!(with(from, to), identity, "{from}");
    }
}

/// Every number of a document in turn, replaced by others.
fn with_other_numbers(document: &Value, visit: &mut dyn FnMut(&Value)) {
    fn places(value: &Value, path: String, found: &mut Vec<String>) {
        match value {
            Value::Number(_) => found.push(path),
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    places(item, format!("{path}/{i}"), found);
                }
            }
            Value::Object(fields) => {
                for (key, item) in fields {
                    places(item, format!("{path}/{key}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    places(document, String::new(), &mut found);
    for place in found {
        for other in [
            Value::from(0),
            Value::from(1),
            Value::from(3),
            Value::from(-1),
            Value::from(1u64 << 20),
            Value::from(1u64 << 62),
            Value::from(u64::MAX),
            Value::from(1e300),
            Value::from(0.5),
            Value::Null,
        ] {
            let mut changed = document.clone();
            *changed.pointer_mut(&place).unwrap() = other;
            visit(&changed);
        }
    }
}

#[test]
fn no_number_in_a_file_can_bring_the_reader_down() {
    let document = serde_json::to_value(menagerie()).unwrap();
    let mut refused = 0;
    with_other_numbers(&document, &mut |changed| {
        match serde_json::from_value::<Graph>(changed.clone()) {
            // What is accepted is a graph like any other.
            Ok(graph) => {
                let again = serde_json::to_string(&graph).unwrap();
                assert_eq!(serde_json::from_str::<Graph>(&again).unwrap(), graph);
            }
            Err(_) => refused += 1,
        }
    });
    assert!(refused > 500, "{refused}");
}

#[test]
fn a_damaged_graph_is_a_sentence() {
    let text = serde_json::to_string(&menagerie()).unwrap();
    let said = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let changed = text.replacen(from, to, 1);
        let reason = serde_json::from_str::<Graph>(&changed).unwrap_err();
        reason.to_string()
    };
    let shape = said(
        "\"shape\":{\"map\":{\"channels\":6,",
        "\"shape\":{\"map\":{\"channels\":7,",
    );
    assert!(shape.contains("but the file says 7x"), "{shape}");
    assert!(said("\"kind\":\"concat\"", "\"kind\":\"einsum\"").contains("einsum"));
    assert!(said("\"inputs\":[0]", "\"inputs\":[40]").contains("reads wire 40"));
    assert!(said("\"name\":\"norm\"", "\"name\":\"conv\"").contains("two nodes are called conv"));
    let role = said("\"role\":\"slope\"", "\"role\":\"shift\"");
    assert!(role.contains("prelu needs Slope"), "{role}");
    let unread = said(
        "\"parameters\":[",
        "\"parameters\":[{\"name\":\"x\",\"shape\":[1],\"role\":\"bias\"},",
    );
    assert!(!unread.is_empty());
}

#[test]
fn signs_pass_where_they_can() {
    let base = menagerie();
    let mut signs: Vec<bool> = Vec::new();
    for node in base.nodes() {
        let inputs: Vec<bool> = node.inputs.iter().map(|id| signs[id.index()]).collect();
        signs.push(node.operation.is_nonnegative(&inputs));
    }
    let named = |name: &str| {
        let mut each = base.nodes().iter().zip(&signs);
        *each.find(|(node, _)| &*node.name == name).unwrap().1
    };
    for name in ["relu", "pool", "quantize", "flat"] {
        assert!(named(name), "{name}");
    }
    for name in [
        "image", "conv", "norm", "clip", "prelu", "leaky", "max", "average", "shortcut", "fc",
    ] {
        assert!(!named(name), "{name}");
    }
    let of = |function: Function, reads: bool| {
        Operation::from(operations::Activate { function }).is_nonnegative(&[reads])
    };
    let clip = |low, high| Function::Clip { low, high };
    assert!(of(clip(0.0, 6.0), false) && of(clip(-1.0, 1.0), true));
    assert!(!of(clip(-1.0, 1.0), false) && !of(clip(-3.0, -1.0), true));
    let leaky = |slope| Function::LeakyRelu { slope };
    assert!(of(leaky(-0.5), false) && of(leaky(0.1), true) && !of(leaky(0.1), false));
}
