//! The operators of ONNX, opset 9 to 25, and how each is read.

use super::super::call::{Call, Value, place, places};
use super::super::evaluate::{self, Compare, Cut, Number, Reduction, Steps};
use super::super::lowered::Operation;
use super::super::source::{Attribute, Node, Read};
use super::super::tensor::Tensor;
use super::elementwise::Pair;
use super::layer::{Convolution, Product, scaled, turned};
use super::norm::Norm;
use super::pooling::{Placing, Pool};
use super::table::{CURVED, Entry, NOT_KNOWN};
use super::{Parsed, Translator, made};

/// All of them.
pub(super) const ENTRIES: &[Entry] = &[
    Entry::parsed("Conv", "convolution over rows and columns", conv),
    Entry::parsed("Gemm", "linear layer", gemm),
    Entry::parsed("MatMul", "linear layer, or convolution of 1x1", matmul),
    Entry::parsed("BatchNormalization", "batch normalisation", batch_norm),
    Entry::parsed("MaxPool", "maximum pooling", max_pool),
    Entry::parsed("AveragePool", "average pooling", average_pool),
    Entry::parsed("GlobalAveragePool", "mean of each channel", |of, node| {
        of.mean(node, Some(&[2, 3]), true)
    }),
    Entry::parsed("GlobalMaxPool", "maximum of each channel", |of, node| {
        of.global_max(node)
    }),
    Entry::both(
        "ReduceMean",
        "mean of each channel",
        |c| reduce(c, Reduction::Mean),
        reduce_mean,
    ),
    Entry::parsed("Relu", "rectifier", |of, node| {
        let wire = of.wire(node, 0)?;
        of.pointwise(node, &wire, Operation::Relu)
    }),
    Entry::both("Clip", "between two bounds, such as ReLU6", clipped, clip),
    Entry::parsed("LeakyRelu", "rectifier with a slope", leaky),
    Entry::parsed("PRelu", "rectifier with slopes that are learnt", prelu),
    Entry::both(
        "Add",
        "sum, bias or shift of each channel",
        |c| two(c, "Add"),
        |of, node| pair(of, node, Pair::Add),
    ),
    Entry::both(
        "Sub",
        "shift of each channel",
        |c| two(c, "Sub"),
        |of, node| pair(of, node, Pair::Sub),
    ),
    Entry::both(
        "Mul",
        "factor of each channel",
        |c| two(c, "Mul"),
        |of, node| pair(of, node, Pair::Mul),
    ),
    Entry::both(
        "Div",
        "factor of each channel",
        |c| two(c, "Div"),
        |of, node| pair(of, node, Pair::Div),
    ),
    Entry::both("Sum", "sum", sum, |of, node| of.sum_of(node)),
    Entry::both(
        "Max",
        "lower bound",
        |c| all(c, "Max"),
        |of, node| bound(of, node, true),
    ),
    Entry::both(
        "Min",
        "upper bound",
        |c| all(c, "Min"),
        |of, node| bound(of, node, false),
    ),
    Entry::both(
        "Concat",
        "channels one after another",
        concat_constants,
        concat,
    ),
    Entry::both("Split", "parts of the channels", split_constants, split),
    Entry::both(
        "Slice",
        "part of channels, rows or columns",
        slice_constants,
        slice,
    ),
    Entry::parsed("Pad", "constants around a map", pad),
    Entry::both(
        "Reshape",
        "another view, or features",
        reshape_constants,
        reshape,
    ),
    Entry::both("Flatten", "features", flatten_constants, flatten),
    Entry::both("Squeeze", "another view", squeeze_constants, squeeze),
    Entry::both("Unsqueeze", "another view", unsqueeze_constants, unsqueeze),
    Entry::both("Transpose", "another view", transpose_constants, transpose),
    Entry::both("Identity", "nothing", same, keep),
    Entry::both("Dropout", "nothing", same, dropout),
    Entry::both("Cast", "nothing, to floats", cast_constants, cast),
    Entry::both("CastLike", "nothing", cast_like_constants, cast_like),
    Entry::both(
        "Expand",
        "nothing, to its own shape",
        expand_constants,
        expand,
    ),
    Entry::both("Shape", "of constants and images", shape_constants, shape),
    Entry::both("Size", "of constants and images", size_constants, size),
    Entry::parsed("Softmax", "taken off the end", softmax),
    Entry::parsed("LogSoftmax", "taken off the end", softmax),
    Entry::evaluated("Constant", constant),
    Entry::evaluated("ConstantOfShape", constant_of_shape),
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
    Entry::evaluated("DequantizeLinear", dequantize),
    Entry::evaluated("Mod", |c| {
        let has_sign_of_first = c.flag("fmod", false)?;
        two(c, if has_sign_of_first { "FMod" } else { "Mod" })
    }),
    Entry::evaluated("Pow", |c| two(c, "Pow")),
    Entry::evaluated("And", |c| two(c, "And")),
    Entry::evaluated("Or", |c| two(c, "Or")),
    Entry::evaluated("Equal", |c| compare(c, Compare::Equal)),
    Entry::evaluated("Less", |c| compare(c, Compare::Less)),
    Entry::evaluated("LessOrEqual", |c| compare(c, Compare::LessOrEqual)),
    Entry::evaluated("Greater", |c| compare(c, Compare::Greater)),
    Entry::evaluated("GreaterOrEqual", |c| compare(c, Compare::GreaterOrEqual)),
    Entry::evaluated("Neg", |c| one(c, "Neg")),
    Entry::evaluated("Not", |c| one(c, "Not")),
    Entry::evaluated("Abs", |c| one(c, "Abs")),
    Entry::evaluated("Sign", |c| one(c, "Sign")),
    Entry::evaluated("Ceil", |c| one(c, "Ceil")),
    Entry::evaluated("Floor", |c| one(c, "Floor")),
    Entry::evaluated("Round", |c| one(c, "Round")),
    Entry::evaluated("Reciprocal", |c| one(c, "Reciprocal")),
    Entry::refused_but("Sqrt", |c| one(c, "Sqrt")),
    Entry::refused_but("Exp", |c| one(c, "Exp")),
    Entry::refused_but("Log", |c| one(c, "Log")),
    Entry::evaluated("ReduceSum", |c| reduce(c, Reduction::Sum)),
    Entry::evaluated("ReduceProd", |c| reduce(c, Reduction::Product)),
    Entry::evaluated("ReduceMax", |c| reduce(c, Reduction::Max)),
    Entry::evaluated("ReduceMin", |c| reduce(c, Reduction::Min)),
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

fn conv<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let weights = call.constant(1)?.clone();
    let kernel = call.integers("kernel_shape")?.unwrap_or_default();
    let here = weights
        .tensor
        .shape
        .iter()
        .skip(2)
        .map(|&extent| extent as i64);
    if !kernel.is_empty() && !here.eq(kernel.iter().copied()) {
        return Err(format!(
            "its kernel_shape is {kernel:?}, that of its weights another"
        ));
    }
    let convolution = Convolution {
        input: of.wire(node, 0)?,
        bias: call.optional(2)?.cloned(),
        placing: Placing::of(&call)?,
        groups: usize::try_from(call.integer("group", 1)?).unwrap_or(0),
        weights,
    };
    of.convolution(node, convolution)
}

fn gemm<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    if call.flag("transA", false)? {
        return Err("it turns what it reads (transA)".into());
    }
    let (alpha, beta) = (call.float("alpha", 1.0)?, call.float("beta", 1.0)?);
    let matrix = call.constant(1)?;
    let weights = if call.flag("transB", false)? {
        matrix.clone()
    } else {
        turned(matrix, of)?
    };
    let weights = scaled(&weights, alpha as f32);
    let outputs = weights.tensor.shape.first().copied().unwrap_or(0);
    let bias = call.optional(2)?.map(|bias| scaled(bias, beta as f32));
    let bias = match bias {
        Some(mut bias) if bias.tensor.len() == 1 && outputs > 1 => {
            bias.tensor = evaluate::between(&bias.tensor, &[1, outputs], &of.budget)?;
            Some(bias)
        }
        other => other,
    };
    let product = Product {
        input: of.wire(node, 0)?,
        weights,
        bias,
    };
    of.product(node, product)
}

fn matmul<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let input = of.wire(node, 0)?;
    let Some(matrix) = of.constant(node, 1) else {
        return Err("both of its operands are computed from the image".into());
    };
    let product = Product {
        weights: turned(&matrix, of)?,
        bias: None,
        input,
    };
    of.product(node, product)
}

fn batch_norm<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let written = node
        .outputs
        .iter()
        .skip(1)
        .filter(|name| of.readers.contains_key(&***name));
    if call.flag("training_mode", false)? || written.count() > 0 {
        return Err("it is in training mode; export the network in evaluation mode".into());
    }
    let norm = Norm {
        gamma: call.optional(1)?.cloned(),
        beta: call.optional(2)?.cloned(),
        mean: call.constant(3)?.clone(),
        variance: call.constant(4)?.clone(),
        epsilon: call.float("epsilon", 1e-5)?,
    };
    of.batch_norm(node, &norm)
}

fn max_pool<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let (kernel, placing) = (call.pair("kernel_shape", 0)?, Placing::of(&call)?);
    of.pool(node, Pool::Max, kernel, &placing)
}

fn average_pool<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let (kernel, placing) = (call.pair("kernel_shape", 0)?, Placing::of(&call)?);
    let counted = call.flag("count_include_pad", false)?;
    of.pool(node, Pool::Average(counted), kernel, &placing)
}

fn reduce_mean<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let axes = call.setting("axes", 1)?.filter(|axes| !axes.is_empty());
    if axes.is_none() && call.flag("noop_with_empty_axes", false)? {
        return keep(of, node);
    }
    let kept = call.flag("keepdims", true)?;
    of.mean(node, axes.as_deref(), kept)
}

fn leaky<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let slope = of.call(node).float("alpha", 0.01)? as f32;
    let wire = of.wire(node, 0)?;
    of.pointwise(node, &wire, Operation::LeakyRelu { slope })
}

fn prelu<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let slope = of.call(node).constant(1)?.clone();
    of.prelu(node, &slope)
}

/// The bounds of a Clip: settings before opset 11, inputs since.
fn bounds(call: &Call) -> Read<[f32; 2]> {
    let input = |at: usize, name: &str, none: f32| {
        Ok::<f32, String>(match call.optional(at)? {
            Some(bound) => *bound.tensor.to_floats().first().ok_or("a bound is empty")?,
            None => call.float(name, none.into())? as f32,
        })
    };
    Ok([
        input(1, "min", f32::NEG_INFINITY)?,
        input(2, "max", f32::INFINITY)?,
    ])
}

fn clip<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let bounds = bounds(&of.call(node))?;
    of.clip(node, bounds)
}

fn clipped(call: &Call) -> Read<Vec<Tensor>> {
    let [min, max] = bounds(call)?;
    let tensor = call.tensor(0)?;
    let clip = |tensor: &Tensor, how: &str, bound: f32| {
        if bound.is_infinite() {
            return Ok(tensor.clone());
        }
        let bound = evaluate::cast(&Tensor::float(bound), Number::of(tensor), call.budget)?;
        evaluate::binary(how, tensor, &bound, call.budget)
    };
    let above = clip(tensor, "Max", min)?;
    Ok(vec![clip(&above, "Min", max)?])
}

/// A maximum or minimum with a constant is a bound.
fn bound<'g>(of: &mut Translator<'g>, node: &'g Node, lower: bool) -> Parsed {
    let [first, second] = &node.inputs[..] else {
        return Err("expected a wire and a bound".into());
    };
    let constants = [of.constant(node, 0), of.constant(node, 1)];
    let bound = constants.iter().flatten().next();
    let bound = bound.filter(|bound| bound.tensor.len() == 1).ok_or_else(|| {
        format!("it takes the larger or smaller of {first} and {second}: expected one constant bound")
    })?;
    let bound = bound.tensor.to_floats()[0];
    let at = usize::from(constants[0].is_some());
    let wire = of.wire(node, at)?;
    let [min, max] = if lower {
        [bound, f32::INFINITY]
    } else {
        [f32::NEG_INFINITY, bound]
    };
    let operation = match (min, max) {
        (0.0, f32::INFINITY) => Operation::Relu,
        _ => Operation::Clip { min, max },
    };
    of.pointwise(node, &wire, operation)
}

fn pair<'g>(of: &mut Translator<'g>, node: &'g Node, pair: Pair) -> Parsed {
    let operands = [of.operand(node, 0)?, of.operand(node, 1)?];
    of.pair(node, pair, operands)
}

fn concat<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let axis = of.call(node).integer("axis", 1)?;
    let wires = (0..node.inputs.len()).map(|at| of.wire(node, at));
    let wires = wires.collect::<Read<Vec<_>>>()?;
    of.concat(node, &wires, axis)
}

fn concat_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensors = (0..call.node.inputs.len()).map(|at| call.tensor(at));
    let tensors = tensors.collect::<Read<Vec<_>>>()?;
    Ok(vec![evaluate::concat(
        &tensors,
        call.integer("axis", 0)?,
        call.budget,
    )?])
}

/// The axis of a Split and the lengths of its parts.
fn parts(call: &Call, shape: &[usize]) -> Read<(usize, Vec<usize>)> {
    let axis = place(call.integer("axis", 0)?, shape.len())?;
    if let Some(lengths) = call.setting("split", 1)? {
        let lengths = lengths.iter().map(|&length| usize::try_from(length).ok());
        let lengths: Option<Vec<usize>> = lengths.collect();
        return Ok((axis, lengths.ok_or("a part has a negative length")?));
    }
    let count = call.integer("num_outputs", call.node.outputs.len() as i64)?;
    let count = usize::try_from(count)
        .ok()
        .filter(|count| (1..=shape[axis]).contains(count));
    let count = count.ok_or("it makes no parts, or too many")?;
    let each = shape[axis].div_ceil(count);
    let length = |at: usize| each.min(shape[axis].saturating_sub(at * each));
    Ok((axis, (0..count).map(length).collect()))
}

fn split<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let (axis, lengths) = parts(&of.call(node), &wire.shape())?;
    of.split(node, axis, &lengths)
}

fn split_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let (axis, lengths) = parts(call, &tensor.shape)?;
    let sum = lengths
        .iter()
        .try_fold(0_usize, |sum, &length| sum.checked_add(length));
    if sum != Some(tensor.shape[axis]) {
        let extent = tensor.shape[axis];
        return Err(format!("its parts do not make the whole, {extent} places"));
    }
    evaluate::split(tensor, axis, &lengths, call.budget)
}

/// The cuts of a Slice: settings before opset 10, inputs since.
fn cuts(call: &Call, rank: usize) -> Read<Vec<Cut>> {
    let starts = call.setting("starts", 1)?.ok_or("its starts are missing")?;
    let ends = call.setting("ends", 2)?.ok_or("its ends are missing")?;
    let axes = call.setting("axes", 3)?;
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = call.setting("steps", 4)?;
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    let count = starts.len();
    if [ends.len(), axes.len(), steps.len()] != [count; 3] {
        return Err("its starts, ends, axes and steps are of several lengths".into());
    }
    let axes = places(&axes, rank)?;
    let cut = |at: usize| Cut {
        axis: axes[at],
        start: starts[at],
        end: ends[at],
        step: steps[at],
    };
    Ok((0..count).map(cut).collect())
}

fn slice<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let mut wire = of.wire(node, 0)?;
    for cut in cuts(&of.call(node), wire.axes.len())? {
        wire = of.cut(node, &wire, &cut)?;
    }
    Ok(vec![Value::Wire(wire)])
}

fn slice_constants(call: &Call) -> Read<Vec<Tensor>> {
    let mut tensor = call.tensor(0)?.clone();
    for cut in cuts(call, tensor.shape.len())? {
        tensor = evaluate::slice(&tensor, &cut, call.budget)?;
    }
    Ok(vec![tensor])
}

fn pad<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let rank = of.wire(node, 0)?.axes.len();
    let call = of.call(node);
    if !matches!(call.text("mode"), "" | "constant") {
        return Err(format!(
            "its mode is {}: expected constant",
            call.text("mode")
        ));
    }
    let pads = call.setting("pads", 1)?.ok_or("its pads are missing")?;
    let value = match call.optional(2)? {
        Some(value) => value.tensor.to_floats().first().copied().unwrap_or(0.0),
        None => call.float("value", 0.0)? as f32,
    };
    let axes = match call.optional(3)? {
        Some(axes) => places(&axes.tensor.to_integers(), rank)?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!(
            "it has {} pads for {} axes",
            pads.len(),
            axes.len()
        ));
    }
    let mut around = vec![[0; 2]; rank];
    for (at, &axis) in axes.iter().enumerate() {
        around[axis] = [pads[at], pads[at + axes.len()]];
    }
    of.pad(node, &around, value)
}

fn reshape<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let call = of.call(node);
    let shape = call.tensor(1)?.to_integers();
    of.reshape(&wire, &shape, call.flag("allowzero", false)?)
}

fn reshape_constants(call: &Call) -> Read<Vec<Tensor>> {
    let (tensor, request) = (call.tensor(0)?, call.tensor(1)?.to_integers());
    let zeros_count = call.flag("allowzero", false)?;
    let shape = evaluate::resized(&tensor.shape, &request, zeros_count)?;
    Ok(vec![tensor.reshaped(shape)])
}

/// The shape of a Flatten: two extents, parted at an axis.
fn flat(call: &Call, shape: &[usize]) -> Read<usize> {
    let axis = call.integer("axis", 1)?;
    if axis == shape.len() as i64 {
        return Ok(shape.len());
    }
    place(axis, shape.len())
}

fn flatten<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let shape = wire.shape();
    let at = flat(&of.call(node), &shape)?;
    let product = |extents: &[usize]| extents.iter().product::<usize>();
    let flat = [product(&shape[..at]), product(&shape[at..])];
    Ok(vec![Value::Wire(wire.reshaped(&flat)?)])
}

fn flatten_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let at = flat(call, &tensor.shape)?;
    let product = |extents: &[usize]| extents.iter().product::<usize>();
    let shape = vec![product(&tensor.shape[..at]), product(&tensor.shape[at..])];
    Ok(vec![tensor.reshaped(shape)])
}

fn squeeze<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let mut axes = of.call(node).setting("axes", 1)?;
    if axes.is_none() {
        // The images stay, however many they are.
        let ones = wire
            .shape()
            .into_iter()
            .enumerate()
            .skip(1)
            .filter(|(_, extent)| *extent == 1);
        axes = Some(ones.map(|(at, _)| at as i64).collect());
    }
    let shape = evaluate::squeezed(&wire.shape(), axes.as_deref())?;
    Ok(vec![Value::Wire(wire.reshaped(&shape)?)])
}

fn squeeze_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let axes = call.setting("axes", 1)?;
    let shape = evaluate::squeezed(&tensor.shape, axes.as_deref())?;
    Ok(vec![tensor.reshaped(shape)])
}

fn unsqueeze<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let axes = of
        .call(node)
        .setting("axes", 1)?
        .ok_or("its axes are missing")?;
    let shape = evaluate::unsqueezed(&wire.shape(), &axes)?;
    Ok(vec![Value::Wire(wire.reshaped(&shape)?)])
}

fn unsqueeze_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let axes = call.setting("axes", 1)?.ok_or("its axes are missing")?;
    let shape = evaluate::unsqueezed(&tensor.shape, &axes)?;
    Ok(vec![tensor.reshaped(shape)])
}

fn transpose<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let order = evaluate::order(of.call(node).integers("perm")?, wire.axes.len())?;
    Ok(vec![Value::Wire(wire.transposed(&order))])
}

fn transpose_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let order = evaluate::order(call.integers("perm")?, tensor.shape.len())?;
    Ok(vec![evaluate::permuted(tensor, &order, call.budget)?])
}

fn keep<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    Ok(vec![Value::Wire(of.wire(node, 0)?)])
}

fn same(call: &Call) -> Read<Vec<Tensor>> {
    Ok(vec![call.tensor(0)?.clone()])
}

fn dropout<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let training = of.call(node).optional(2)?;
    let is_on = training.is_some_and(|t| t.tensor.to_integers().iter().any(|&on| on != 0));
    if is_on {
        return Err("it is in training mode; export the network in evaluation mode".into());
    }
    keep(of, node)
}

/// What a Cast makes, by the number of `TensorProto.DataType`.
fn number(call: &Call) -> Read<Number> {
    Ok(match call.integer("to", 1)? {
        1 | 11 => Number::Float,
        10 => Number::Half,
        16 => Number::Brain,
        9 => Number::Truth,
        2..=7 | 12 | 13 => Number::Whole,
        other => {
            return Err(format!(
                "it casts to numbers of type {other}: expected floats of 16, 32 or 64 bits, or whole \
                 numbers"
            ));
        }
    })
}

fn cast<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    if number(&of.call(node))?.is_float() {
        return keep(of, node);
    }
    Err("it makes whole numbers of what the image gives".into())
}

fn cast_constants(call: &Call) -> Read<Vec<Tensor>> {
    let to = number(call)?;
    Ok(vec![evaluate::cast(call.tensor(0)?, to, call.budget)?])
}

fn cast_like_constants(call: &Call) -> Read<Vec<Tensor>> {
    let to = Number::of(call.tensor(1)?);
    Ok(vec![evaluate::cast(call.tensor(0)?, to, call.budget)?])
}

/// What it is like, or what is cast, is a wire, whose elements are floats.
fn cast_like<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let Some(constant) = of.constant(node, 0) else {
        if of
            .constant(node, 1)
            .is_some_and(|like| !Number::of(&like.tensor).is_float())
        {
            return Err("it makes whole numbers of what the image gives".into());
        }
        return keep(of, node);
    };
    let tensor = evaluate::cast(&constant.tensor, Number::Float, &of.budget)?;
    Ok(vec![made(tensor)])
}

fn expand<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let request = of.call(node).tensor(1)?.to_integers();
    let request: Vec<usize> = request
        .iter()
        .map(|&e| usize::try_from(e).unwrap_or(1))
        .collect();
    if evaluate::broadcast_shape(&wire.shape(), &request)? == wire.shape() {
        return Ok(vec![Value::Wire(wire)]);
    }
    Err("it repeats what the image gives".into())
}

fn expand_constants(call: &Call) -> Read<Vec<Tensor>> {
    let request = call.tensor(1)?.to_integers();
    Ok(vec![evaluate::expand(
        call.tensor(0)?,
        &request,
        call.budget,
    )?])
}

/// The extents of a shape from a start to an end.
fn extents(call: &Call, shape: &[usize]) -> Read<Tensor> {
    let cut = Cut {
        axis: 0,
        start: call.integer("start", 0)?,
        end: call.integer("end", i64::MAX)?,
        step: 1,
    };
    let all = Tensor::list(shape.iter().map(|&extent| extent as i64).collect());
    evaluate::slice(&all, &cut, call.budget)
}

fn shape<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    Ok(vec![made(extents(&of.call(node), &wire.shape())?)])
}

fn shape_constants(call: &Call) -> Read<Vec<Tensor>> {
    Ok(vec![extents(call, &call.tensor(0)?.shape)?])
}

fn size<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let count = wire.form.elements() * wire.batch;
    Ok(vec![made(Tensor::integer(count as i64))])
}

fn size_constants(call: &Call) -> Read<Vec<Tensor>> {
    Ok(vec![Tensor::integer(call.tensor(0)?.len() as i64)])
}

fn softmax<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let default = if of.graph.opset < 13 { 1 } else { -1 };
    let axis = of.call(node).integer("axis", default)?;
    of.softmax(node, axis)
}

fn constant(call: &Call) -> Read<Vec<Tensor>> {
    let attributes = &call.node.attributes;
    let mut values = attributes
        .iter()
        .filter(|(name, _)| name.starts_with("value"));
    let (Some((_, value)), None) = (values.next(), values.next()) else {
        return Err("expected a constant with one value".into());
    };
    let floats = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
    Ok(vec![match value {
        Attribute::Tensor(tensor) => tensor.clone(),
        Attribute::Integer(value) => Tensor::integer(*value),
        Attribute::Float(value) => Tensor::float(*value as f32),
        Attribute::Integers(values) => Tensor::list(values.clone()),
        Attribute::Floats(values) => Tensor::floats(vec![values.len()], floats(values)),
        _ => return Err("its value is no number".into()),
    }])
}

fn constant_of_shape(call: &Call) -> Read<Vec<Tensor>> {
    let zero = Tensor::float(0.0);
    let value = match call.node.attributes.get("value") {
        Some(Attribute::Tensor(value)) => value,
        _ => &zero,
    };
    let request = call.tensor(0)?.to_integers();
    Ok(vec![evaluate::filled(&request, value, call.budget)?])
}

fn dequantize(call: &Call) -> Read<Vec<Tensor>> {
    let steps = Steps {
        sizes: call.tensor(1)?,
        zeros: call.optional(2)?.map(|zeros| &zeros.tensor),
        axis: call.integer("axis", 1)?,
        block: call.integer("block_size", 0)?,
    };
    Ok(vec![evaluate::dequantized(
        call.tensor(0)?,
        &steps,
        call.budget,
    )?])
}

fn one(call: &Call, operation: &str) -> Read<Vec<Tensor>> {
    Ok(vec![evaluate::unary(
        operation,
        call.tensor(0)?,
        call.budget,
    )?])
}

fn two(call: &Call, operation: &str) -> Read<Vec<Tensor>> {
    Ok(vec![evaluate::binary(
        operation,
        call.tensor(0)?,
        call.tensor(1)?,
        call.budget,
    )?])
}

fn all(call: &Call, operation: &str) -> Read<Vec<Tensor>> {
    let mut tensor = call.tensor(0)?.clone();
    for at in 1..call.node.inputs.len() {
        tensor = evaluate::binary(operation, &tensor, call.tensor(at)?, call.budget)?;
    }
    Ok(vec![tensor])
}

fn sum(call: &Call) -> Read<Vec<Tensor>> {
    all(call, "Add")
}

fn compare(call: &Call, how: Compare) -> Read<Vec<Tensor>> {
    Ok(vec![evaluate::compare(
        how,
        call.tensor(0)?,
        call.tensor(1)?,
        call.budget,
    )?])
}

fn reduce(call: &Call, how: Reduction) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let rank = tensor.shape.len();
    let axes = match call.setting("axes", 1)?.filter(|axes| !axes.is_empty()) {
        Some(axes) => places(&axes, rank)?,
        None if call.flag("noop_with_empty_axes", false)? => return Ok(vec![tensor.clone()]),
        None => (0..rank).collect(),
    };
    let reduced = evaluate::reduce(how, tensor, &axes, call.budget)?;
    if call.flag("keepdims", true)? {
        return Ok(vec![reduced]);
    }
    let kept = reduced
        .shape
        .iter()
        .enumerate()
        .filter(|(at, _)| !axes.contains(at));
    let shape = kept.map(|(_, &extent)| extent).collect();
    Ok(vec![reduced.reshaped(shape)])
}
