//! The operators of ONNX, opset 9 to 25, and how each is read.

mod constants;
mod elementwise;
mod layers;
mod parts;
mod pooling;
mod quant;
mod shapes;

pub(super) use shapes::order_of;

use super::common;
use super::elementwise::Pair;
use super::pooling::Pool;
use super::table::{CURVED, Entry, NOT_KNOWN};
use crate::engine::import::evaluate::{self, Compare, Reduction};
use crate::engine::import::lowered::Operation;

/// All of them.
pub(super) const ENTRIES: &[Entry] = &[
    Entry::parsed("Conv", "convolution over rows and columns", layers::conv),
    Entry::parsed("Gemm", "linear layer", layers::gemm),
    Entry::parsed(
        "MatMul",
        "linear layer, or convolution of 1x1",
        common::matmul,
    ),
    Entry::parsed(
        "BatchNormalization",
        "batch normalisation",
        layers::batch_norm,
    ),
    Entry::parsed("MaxPool", "maximum pooling", pooling::max_pool),
    Entry::parsed("AveragePool", "average pooling", pooling::average_pool),
    Entry::parsed("GlobalAveragePool", "mean of each channel", |of, node| {
        of.reduced(node, Pool::Average(true), (Some(&[2, 3]), true))
    }),
    Entry::parsed("GlobalMaxPool", "maximum of each channel", |of, node| {
        of.global_max(node)
    }),
    Entry::both(
        "ReduceMean",
        "mean of each channel",
        |c| constants::reduce(c, Reduction::Mean),
        pooling::reduce_mean,
    ),
    Entry::both(
        "ReduceMax",
        "maximum of each channel",
        |c| constants::reduce(c, Reduction::Max),
        pooling::reduce_max,
    ),
    Entry::parsed("Relu", "rectifier", |of, node| {
        let wire = of.wire(node, 0)?;
        of.pointwise(node, &wire, Operation::Relu)
    }),
    Entry::both(
        "Clip",
        "between two bounds, such as ReLU6",
        elementwise::clipped,
        elementwise::clip,
    ),
    Entry::parsed("LeakyRelu", "rectifier with a slope", elementwise::leaky),
    Entry::parsed(
        "PRelu",
        "rectifier with slopes that are learnt",
        elementwise::prelu,
    ),
    Entry::both(
        "Add",
        "sum, bias or shift of each channel",
        |c| constants::two(c, "Add"),
        |of, node| elementwise::pair(of, node, Pair::Add),
    ),
    Entry::both(
        "Sub",
        "shift of each channel",
        |c| constants::two(c, "Sub"),
        |of, node| elementwise::pair(of, node, Pair::Sub),
    ),
    Entry::both(
        "Mul",
        "factor of each channel",
        |c| constants::two(c, "Mul"),
        |of, node| elementwise::pair(of, node, Pair::Mul),
    ),
    Entry::both(
        "Div",
        "factor of each channel",
        |c| constants::two(c, "Div"),
        |of, node| elementwise::pair(of, node, Pair::Div),
    ),
    Entry::both("Sum", "sum", constants::sum, |of, node| of.sum_of(node)),
    Entry::both(
        "Max",
        "lower bound",
        |c| constants::all(c, "Max"),
        |of, node| elementwise::bound(of, node, true),
    ),
    Entry::both(
        "Min",
        "upper bound",
        |c| constants::all(c, "Min"),
        |of, node| elementwise::bound(of, node, false),
    ),
    Entry::both(
        "Concat",
        "channels one after another",
        parts::concat_constants,
        parts::concat,
    ),
    Entry::both(
        "Split",
        "parts of the channels",
        parts::split_constants,
        parts::split,
    ),
    Entry::both(
        "Slice",
        "part of channels, rows or columns",
        parts::slice_constants,
        parts::slice,
    ),
    Entry::parsed("Pad", "constants around a map", parts::pad),
    Entry::both(
        "Reshape",
        "another view, or features",
        shapes::reshape_constants,
        shapes::reshape,
    ),
    Entry::both(
        "Flatten",
        "features",
        shapes::flatten_constants,
        shapes::flatten,
    ),
    Entry::both(
        "Squeeze",
        "another view",
        shapes::squeeze_constants,
        shapes::squeeze,
    ),
    Entry::both(
        "Unsqueeze",
        "another view",
        shapes::unsqueeze_constants,
        shapes::unsqueeze,
    ),
    Entry::both(
        "Transpose",
        "another view",
        shapes::transpose_constants,
        shapes::transpose,
    ),
    Entry::both("Identity", "nothing", common::same, common::keep),
    Entry::both("Dropout", "nothing", common::same, elementwise::dropout),
    Entry::both(
        "Cast",
        "nothing, to floats",
        elementwise::cast_constants,
        elementwise::cast,
    ),
    Entry::both(
        "CastLike",
        "nothing",
        elementwise::cast_like_constants,
        elementwise::cast_like,
    ),
    Entry::both(
        "Expand",
        "nothing, to its own shape",
        shapes::expand_constants,
        shapes::expand,
    ),
    Entry::both(
        "Shape",
        "of constants and images",
        shapes::shape_constants,
        shapes::shape,
    ),
    Entry::both(
        "Size",
        "of constants and images",
        shapes::size_constants,
        shapes::size,
    ),
    Entry::both(
        "qonnx.custom_op.general.Quant",
        "grid of weights; range of activations",
        quant::constants,
        quant::range,
    ),
    Entry::both(
        "onnx.brevitas.Quant",
        "grid of weights; range of activations",
        quant::constants,
        quant::range,
    ),
    Entry::parsed("Softmax", "taken off the end", elementwise::softmax),
    Entry::parsed("LogSoftmax", "taken off the end", elementwise::softmax),
    Entry::evaluated("Constant", constants::constant),
    Entry::evaluated("ConstantOfShape", constants::constant_of_shape),
    Entry::evaluated("Range", |c| {
        Ok(vec![evaluate::range(
            [c.tensor(0)?, c.tensor(1)?, c.tensor(2)?],
            c.budget,
        )?])
    }),
    Entry::evaluated("Where", |c| {
        Ok(vec![evaluate::select(
            c.tensor(0)?,
            [c.tensor(1)?, c.tensor(2)?],
            c.budget,
        )?])
    }),
    Entry::evaluated("Gather", |c| {
        let axis = c.integer("axis", 0)?;
        Ok(vec![evaluate::gather(
            c.tensor(0)?,
            c.tensor(1)?,
            axis,
            c.budget,
        )?])
    }),
    Entry::evaluated("Tile", |c| {
        let repeats = c.tensor(1)?.to_integers();
        Ok(vec![evaluate::tiled(c.tensor(0)?, &repeats, c.budget)?])
    }),
    Entry::evaluated("DequantizeLinear", constants::dequantize),
    Entry::evaluated("Mod", |c| {
        let has_sign_of_first = c.flag("fmod", false)?;
        constants::two(c, if has_sign_of_first { "FMod" } else { "Mod" })
    }),
    Entry::evaluated("Pow", |c| constants::two(c, "Pow")),
    Entry::evaluated("And", |c| constants::two(c, "And")),
    Entry::evaluated("Or", |c| constants::two(c, "Or")),
    Entry::evaluated("Equal", |c| constants::compare(c, Compare::Equal)),
    Entry::evaluated("Less", |c| constants::compare(c, Compare::Less)),
    Entry::evaluated("LessOrEqual", |c| {
        constants::compare(c, Compare::LessOrEqual)
    }),
    Entry::evaluated("Greater", |c| constants::compare(c, Compare::Greater)),
    Entry::evaluated("GreaterOrEqual", |c| {
        constants::compare(c, Compare::GreaterOrEqual)
    }),
    Entry::evaluated("Neg", |c| common::one(c, "Neg")),
    Entry::evaluated("Not", |c| common::one(c, "Not")),
    Entry::evaluated("Abs", |c| common::one(c, "Abs")),
    Entry::evaluated("Sign", |c| common::one(c, "Sign")),
    Entry::evaluated("Ceil", |c| common::one(c, "Ceil")),
    Entry::evaluated("Floor", |c| common::one(c, "Floor")),
    Entry::evaluated("Round", |c| common::one(c, "Round")),
    Entry::evaluated("Reciprocal", |c| common::one(c, "Reciprocal")),
    Entry::refused_but("Sqrt", |c| common::one(c, "Sqrt")),
    Entry::refused_but("Exp", |c| common::one(c, "Exp")),
    Entry::refused_but("Log", |c| common::one(c, "Log")),
    Entry::evaluated("ReduceSum", |c| constants::reduce(c, Reduction::Sum)),
    Entry::evaluated("ReduceProd", |c| constants::reduce(c, Reduction::Product)),
    Entry::evaluated("ReduceMin", |c| constants::reduce(c, Reduction::Min)),
    Entry::refused("Sigmoid", CURVED),
    Entry::refused("Tanh", CURVED),
    Entry::refused("Erf", CURVED),
    Entry::refused("Elu", CURVED),
    Entry::refused("Selu", CURVED),
    Entry::refused("Celu", CURVED),
    Entry::refused("Gelu", CURVED),
    Entry::refused("Swish", CURVED),
    Entry::refused("Mish", CURVED),
    Entry::refused("Softplus", CURVED),
    Entry::refused("Softsign", CURVED),
    Entry::refused("HardSigmoid", NOT_KNOWN),
    Entry::refused("HardSwish", CURVED),
    Entry::refused("ThresholdedRelu", NOT_KNOWN),
    Entry::refused("LRN", CURVED),
    Entry::refused("InstanceNormalization", CURVED),
    Entry::refused("LayerNormalization", CURVED),
    Entry::refused("GroupNormalization", CURVED),
    Entry::refused("RMSNormalization", CURVED),
    Entry::refused("QuantizeLinear", NOT_KNOWN),
];
