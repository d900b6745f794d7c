//! The operations of `torch.export`, and how each is read. Those that work in place are read as those
//! that do not: that nobody sees the difference was checked before.

mod elementwise;
mod layers;
mod parts;
mod pooling;
mod shapes;

pub(super) use shapes::order_of;

use super::common;
use super::elementwise::Pair;
use super::table::{CURVED, Entry, NOT_KNOWN};
use crate::engine::import::call::{Call, place};
use crate::engine::import::lowered::Operation;
use crate::engine::import::source::Read;

/// All of them.
pub(super) const ENTRIES: &[Entry] = &[
    Entry::parsed(
        "aten.conv2d.default",
        "convolution over rows and columns",
        layers::conv,
    ),
    Entry::parsed(
        "aten.conv2d.padding",
        "convolution over rows and columns",
        layers::conv,
    ),
    Entry::parsed(
        "aten.convolution.default",
        "convolution over rows and columns",
        layers::conv,
    ),
    Entry::parsed("aten.linear.default", "linear layer", layers::linear),
    Entry::parsed("aten.addmm.default", "linear layer", layers::addmm),
    Entry::parsed("aten.mm.default", "linear layer", common::matmul),
    Entry::parsed(
        "aten.matmul.default",
        "linear layer, or convolution of 1x1",
        common::matmul,
    ),
    Entry::parsed(
        "aten.batch_norm.default",
        "batch normalisation",
        layers::batch_norm,
    ),
    Entry::parsed(
        "aten.native_batch_norm.default",
        "batch normalisation",
        layers::batch_norm,
    ),
    Entry::parsed(
        "aten._native_batch_norm_legit.default",
        "batch normalisation",
        layers::batch_norm,
    ),
    Entry::parsed(
        "aten._native_batch_norm_legit_no_training.default",
        "batch normalisation",
        layers::batch_norm,
    ),
    Entry::parsed(
        "aten.max_pool2d.default",
        "maximum pooling",
        pooling::max_pool,
    ),
    Entry::parsed(
        "aten.max_pool2d_with_indices.default",
        "maximum pooling",
        pooling::max_pool,
    ),
    Entry::parsed(
        "aten.avg_pool2d.default",
        "average pooling",
        pooling::average_pool,
    ),
    Entry::parsed(
        "aten.adaptive_avg_pool2d.default",
        "average pooling into equal parts",
        pooling::adaptive,
    ),
    Entry::parsed(
        "aten._adaptive_avg_pool2d.default",
        "average pooling into equal parts",
        pooling::adaptive,
    ),
    Entry::parsed(
        "aten.adaptive_max_pool2d.default",
        "maximum of each channel",
        pooling::adaptive_max,
    ),
    Entry::parsed("aten.mean.dim", "mean of each channel", pooling::mean),
    Entry::parsed(
        "aten.amax.default",
        "maximum of each channel",
        pooling::largest,
    ),
    Entry::parsed("aten.relu.default", "rectifier", |of, node| {
        let wire = of.wire(node, 0)?;
        of.pointwise(node, &wire, Operation::Relu)
    }),
    Entry::parsed("aten.relu6.default", "between two bounds", |of, node| {
        let wire = of.wire(node, 0)?;
        of.clip(node, &wire, [0.0, 6.0])
    }),
    Entry::parsed(
        "aten.hardtanh.default",
        "between two bounds, such as ReLU6",
        |of, node| elementwise::between(of, node, [("min_val", -1.0), ("max_val", 1.0)]),
    ),
    Entry::parsed("aten.clamp.default", "between two bounds", |of, node| {
        elementwise::between(
            of,
            node,
            [("min", f64::NEG_INFINITY), ("max", f64::INFINITY)],
        )
    }),
    Entry::parsed("aten.clamp_min.default", "lower bound", |of, node| {
        elementwise::between(
            of,
            node,
            [("min", f64::NEG_INFINITY), ("max", f64::INFINITY)],
        )
    }),
    Entry::parsed("aten.clamp_max.default", "upper bound", |of, node| {
        elementwise::between(
            of,
            node,
            [("min", f64::NEG_INFINITY), ("max", f64::INFINITY)],
        )
    }),
    Entry::parsed(
        "aten.leaky_relu.default",
        "rectifier with a slope",
        elementwise::leaky,
    ),
    Entry::parsed(
        "aten.prelu.default",
        "rectifier with slopes that are learnt",
        elementwise::prelu,
    ),
    Entry::parsed(
        "aten._prelu_kernel.default",
        "rectifier with slopes that are learnt",
        elementwise::prelu,
    ),
    Entry::both(
        "aten.add.Tensor",
        "sum, bias or shift of each channel",
        |c| elementwise::two(c, "Add"),
        |of, n| elementwise::pair(of, n, Pair::Add),
    ),
    Entry::both(
        "aten.sub.Tensor",
        "shift of each channel",
        |c| elementwise::two(c, "Sub"),
        |of, n| elementwise::pair(of, n, Pair::Sub),
    ),
    Entry::both(
        "aten.mul.Tensor",
        "factor of each channel",
        |c| elementwise::two(c, "Mul"),
        |of, n| elementwise::pair(of, n, Pair::Mul),
    ),
    Entry::both(
        "aten.div.Tensor",
        "factor of each channel",
        |c| elementwise::two(c, "Div"),
        |of, n| elementwise::pair(of, n, Pair::Div),
    ),
    Entry::both(
        "aten.add.Scalar",
        "shift",
        |c| elementwise::two(c, "Add"),
        |of, n| elementwise::pair(of, n, Pair::Add),
    ),
    Entry::both(
        "aten.sub.Scalar",
        "shift",
        |c| elementwise::two(c, "Sub"),
        |of, n| elementwise::pair(of, n, Pair::Sub),
    ),
    Entry::both(
        "aten.mul.Scalar",
        "factor",
        |c| elementwise::two(c, "Mul"),
        |of, n| elementwise::pair(of, n, Pair::Mul),
    ),
    Entry::both(
        "aten.div.Scalar",
        "factor",
        |c| elementwise::two(c, "Div"),
        |of, n| elementwise::pair(of, n, Pair::Div),
    ),
    Entry::parsed("aten.cat.default", "channels one after another", parts::cat),
    Entry::parsed(
        "aten.concat.default",
        "channels one after another",
        parts::cat,
    ),
    Entry::parsed("aten.split.Tensor", "parts of the channels", parts::split),
    Entry::parsed(
        "aten.split_with_sizes.default",
        "parts of the channels",
        parts::split,
    ),
    Entry::parsed("aten.chunk.default", "parts of the channels", parts::chunk),
    Entry::both(
        "aten.slice.Tensor",
        "part of channels, rows or columns",
        parts::slice_constants,
        parts::slice,
    ),
    Entry::parsed(
        "aten.narrow.default",
        "part of channels, rows or columns",
        parts::narrow,
    ),
    Entry::parsed("aten.pad.default", "constants around a map", parts::pad),
    Entry::parsed(
        "aten.constant_pad_nd.default",
        "constants around a map",
        parts::pad,
    ),
    Entry::both(
        "aten.view.default",
        "another view, or features",
        shapes::view_constants,
        shapes::view,
    ),
    Entry::both(
        "aten._unsafe_view.default",
        "another view, or features",
        shapes::view_constants,
        shapes::view,
    ),
    Entry::both(
        "aten.reshape.default",
        "another view, or features",
        shapes::view_constants,
        shapes::view,
    ),
    Entry::both(
        "aten.flatten.using_ints",
        "features",
        shapes::flatten_constants,
        shapes::flatten,
    ),
    Entry::both(
        "aten.squeeze.default",
        "another view",
        shapes::squeeze_constants,
        shapes::squeeze,
    ),
    Entry::both(
        "aten.squeeze.dim",
        "another view",
        shapes::squeeze_constants,
        shapes::squeeze,
    ),
    Entry::both(
        "aten.squeeze.dims",
        "another view",
        shapes::squeeze_constants,
        shapes::squeeze,
    ),
    Entry::both(
        "aten.unsqueeze.default",
        "another view",
        shapes::unsqueeze_constants,
        shapes::unsqueeze,
    ),
    Entry::both(
        "aten.permute.default",
        "another view",
        shapes::turn_constants,
        shapes::turn,
    ),
    Entry::both(
        "aten.transpose.int",
        "another view",
        shapes::turn_constants,
        shapes::turn,
    ),
    Entry::both(
        "aten.t.default",
        "another view",
        shapes::turn_constants,
        shapes::turn,
    ),
    Entry::parsed("aten.dropout.default", "nothing", elementwise::dropout),
    Entry::parsed(
        "aten.feature_dropout.default",
        "nothing",
        elementwise::dropout,
    ),
    Entry::parsed(
        "aten.alpha_dropout.default",
        "nothing",
        elementwise::dropout,
    ),
    Entry::parsed(
        "aten.native_dropout.default",
        "nothing",
        elementwise::dropout,
    ),
    Entry::both("aten.clone.default", "nothing", common::same, common::keep),
    Entry::both(
        "aten.contiguous.default",
        "nothing",
        common::same,
        common::keep,
    ),
    Entry::both("aten.alias.default", "nothing", common::same, common::keep),
    Entry::both("aten.detach.default", "nothing", common::same, common::keep),
    Entry::both(
        "aten.lift_fresh_copy.default",
        "nothing",
        common::same,
        common::keep,
    ),
    Entry::both(
        "aten.to.dtype",
        "nothing, to floats",
        elementwise::cast_constants,
        elementwise::cast,
    ),
    Entry::both(
        "aten.to.dtype_layout",
        "nothing, to floats",
        elementwise::cast_constants,
        elementwise::cast,
    ),
    Entry::both(
        "aten._to_copy.default",
        "nothing, to floats",
        elementwise::cast_constants,
        elementwise::cast,
    ),
    Entry::parsed(
        "aten.softmax.int",
        "taken off the end",
        elementwise::softmax,
    ),
    Entry::parsed(
        "aten._softmax.default",
        "taken off the end",
        elementwise::softmax,
    ),
    Entry::parsed(
        "aten.log_softmax.int",
        "taken off the end",
        elementwise::softmax,
    ),
    Entry::parsed(
        "aten._log_softmax.default",
        "taken off the end",
        elementwise::softmax,
    ),
    Entry::both(
        "aten.sym_size.int",
        "of constants and images",
        shapes::size_constants,
        shapes::size,
    ),
    Entry::evaluated("aten.neg.default", |c| common::one(c, "Neg")),
    Entry::evaluated("aten.sqrt.default", |c| common::one(c, "Sqrt")),
    Entry::evaluated("aten.rsqrt.default", |c| common::one(c, "Rsqrt")),
    Entry::evaluated("aten.reciprocal.default", |c| common::one(c, "Reciprocal")),
    Entry::evaluated("_operator.add", |c| elementwise::sizes(c, "Add")),
    Entry::evaluated("_operator.sub", |c| elementwise::sizes(c, "Sub")),
    Entry::evaluated("_operator.mul", |c| elementwise::sizes(c, "Mul")),
    Entry::evaluated("_operator.floordiv", |c| elementwise::sizes(c, "FloorDiv")),
    Entry::evaluated("_operator.mod", |c| elementwise::sizes(c, "Mod")),
    Entry::refused("aten.sigmoid.default", CURVED),
    Entry::refused("aten.silu.default", CURVED),
    Entry::refused("aten.gelu.default", CURVED),
    Entry::refused("aten.tanh.default", CURVED),
    Entry::refused("aten.elu.default", CURVED),
    Entry::refused("aten.selu.default", CURVED),
    Entry::refused("aten.celu.default", CURVED),
    Entry::refused("aten.mish.default", CURVED),
    Entry::refused("aten.softplus.default", CURVED),
    Entry::refused("aten.exp.default", CURVED),
    Entry::refused("aten.hardswish.default", CURVED),
    Entry::refused("aten.hardsigmoid.default", NOT_KNOWN),
    Entry::refused("aten.layer_norm.default", CURVED),
    Entry::refused("aten.group_norm.default", CURVED),
    Entry::refused("aten.instance_norm.default", CURVED),
];

/// The name under which an operation is listed: without the mark of those that work in place.
pub(super) fn listed(operation: &str) -> String {
    let mut parts: Vec<&str> = operation.split('.').collect();
    if let ["aten", name, _] = &mut parts[..] {
        *name = name.strip_suffix('_').unwrap_or(name);
    }
    parts.join(".")
}

/// The axis that an argument names.
fn axis(call: &Call, rank: usize) -> Read<usize> {
    place(call.integer("dim", 0)?, rank)
}
