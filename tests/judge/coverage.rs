//! The table has every operation and every setting that is supported.

use std::collections::BTreeSet;

use hawqeye::engine::import::{Container, supported};

use crate::compare::Case;
use crate::{constants, elementwise, exporters, layers, pooling, quant, shapes};

/// Settings of operations, and inputs that are settings in other versions.
const SETTINGS: &[(&str, &[&str])] = &[
    (
        "AveragePool",
        &[
            "auto_pad",
            "ceil_mode",
            "count_include_pad",
            "dilations",
            "kernel_shape",
            "pads",
            "strides",
        ],
    ),
    (
        "BatchNormalization",
        &["epsilon", "momentum", "training_mode"],
    ),
    ("Cast", &["to"]),
    ("Clip", &["max", "min"]),
    ("Concat", &["axis"]),
    (
        "Constant",
        &[
            "value",
            "value_float",
            "value_floats",
            "value_int",
            "value_ints",
        ],
    ),
    ("ConstantOfShape", &["value"]),
    (
        "Conv",
        &[
            "auto_pad",
            "dilations",
            "group",
            "kernel_shape",
            "pads",
            "strides",
        ],
    ),
    ("DequantizeLinear", &["axis", "block_size"]),
    ("Dropout", &["ratio", "seed"]),
    ("Flatten", &["axis"]),
    ("Gather", &["axis"]),
    ("Gemm", &["alpha", "beta", "transA", "transB"]),
    ("LeakyRelu", &["alpha"]),
    ("LogSoftmax", &["axis"]),
    (
        "MaxPool",
        &[
            "auto_pad",
            "ceil_mode",
            "dilations",
            "kernel_shape",
            "pads",
            "storage_order",
            "strides",
        ],
    ),
    ("Mod", &["fmod"]),
    ("Pad", &["mode", "pads", "value"]),
    ("ReduceMean", &["axes", "keepdims", "noop_with_empty_axes"]),
    ("ReduceProd", &["keepdims"]),
    ("ReduceSum", &["axes", "keepdims", "noop_with_empty_axes"]),
    ("Reshape", &["allowzero"]),
    ("Shape", &["end", "start"]),
    ("Slice", &["axes", "ends", "starts"]),
    ("Softmax", &["axis"]),
    ("Split", &["axis", "num_outputs", "split"]),
    ("Squeeze", &["axes"]),
    ("Transpose", &["perm"]),
    ("Unsqueeze", &["axes"]),
    (
        "qonnx.custom_op.general.Quant",
        &["narrow", "rounding_mode", "signed"],
    ),
];

fn cases() -> Vec<Case> {
    let all = [
        layers::all(),
        pooling::all(),
        shapes::all(),
        elementwise::all(),
        constants::all(),
        exporters::all(),
        quant::all(),
    ];
    all.into_iter().flatten().collect()
}

#[test]
fn every_operation_that_is_supported_is_judged() {
    let cases = cases();
    let nodes = cases.iter().flat_map(|case| &case.file.nodes);
    let judged: BTreeSet<&str> = nodes.map(|node| &*node.operation).collect();
    let missing: Vec<&str> = supported()
        .iter()
        .filter(|listed| listed.container == Container::Onnx)
        .map(|listed| listed.operation)
        .filter(|operation| !judged.contains(operation))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_setting_is_judged() {
    let cases = cases();
    let nodes = cases.iter().flat_map(|case| &case.file.nodes);
    let judged: BTreeSet<(&str, &str)> = nodes
        .flat_map(|node| {
            node.settings
                .iter()
                .map(|(name, _)| (&*node.operation, *name))
        })
        .collect();
    let missing: Vec<(&str, &str)> = SETTINGS
        .iter()
        .flat_map(|(operation, names)| names.iter().map(|name| (*operation, *name)))
        .filter(|setting| !judged.contains(setting))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
