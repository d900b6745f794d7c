//! The operations of `torch.export`, and how each is read. Those that work in place are read as those
//! that do not: that nobody sees the difference was checked before.

use super::super::call::{Call, Constant, Value, place, places};
use super::super::evaluate::{self, Cut, Number};
use super::super::lowered::Operation;
use super::super::source::{Attribute, Node, Read};
use super::super::tensor::Tensor;
use super::super::view::Wire;
use super::elementwise::{Operand, Pair};
use super::layer::{Convolution, Product, scaled, turned};
use super::norm::Norm;
use super::pooling::{Around, Placing, Pool};
use super::shape::flattened;
use super::table::{CURVED, Entry, NOT_KNOWN};
use super::{Parsed, Translator, made};

/// All of them.
pub(super) const ENTRIES: &[Entry] = &[
    Entry::parsed(
        "aten.conv2d.default",
        "convolution over rows and columns",
        conv,
    ),
    Entry::parsed(
        "aten.conv2d.padding",
        "convolution over rows and columns",
        conv,
    ),
    Entry::parsed(
        "aten.convolution.default",
        "convolution over rows and columns",
        conv,
    ),
    Entry::parsed("aten.linear.default", "linear layer", linear),
    Entry::parsed("aten.addmm.default", "linear layer", addmm),
    Entry::parsed("aten.mm.default", "linear layer", matmul),
    Entry::parsed(
        "aten.matmul.default",
        "linear layer, or convolution of 1x1",
        matmul,
    ),
    Entry::parsed("aten.batch_norm.default", "batch normalisation", batch_norm),
    Entry::parsed(
        "aten.native_batch_norm.default",
        "batch normalisation",
        batch_norm,
    ),
    Entry::parsed(
        "aten._native_batch_norm_legit.default",
        "batch normalisation",
        batch_norm,
    ),
    Entry::parsed(
        "aten._native_batch_norm_legit_no_training.default",
        "batch normalisation",
        batch_norm,
    ),
    Entry::parsed("aten.max_pool2d.default", "maximum pooling", max_pool),
    Entry::parsed(
        "aten.max_pool2d_with_indices.default",
        "maximum pooling",
        max_pool,
    ),
    Entry::parsed("aten.avg_pool2d.default", "average pooling", average_pool),
    Entry::parsed(
        "aten.adaptive_avg_pool2d.default",
        "average pooling into equal parts",
        adaptive,
    ),
    Entry::parsed(
        "aten._adaptive_avg_pool2d.default",
        "average pooling into equal parts",
        adaptive,
    ),
    Entry::parsed(
        "aten.adaptive_max_pool2d.default",
        "maximum of each channel",
        adaptive_max,
    ),
    Entry::parsed("aten.mean.dim", "mean of each channel", mean),
    Entry::parsed("aten.relu.default", "rectifier", |of, node| {
        let wire = of.wire(node, 0)?;
        of.pointwise(node, &wire, Operation::Relu)
    }),
    Entry::parsed("aten.relu6.default", "between two bounds", |of, node| {
        of.clip(node, [0.0, 6.0])
    }),
    Entry::parsed(
        "aten.hardtanh.default",
        "between two bounds, such as ReLU6",
        |of, node| between(of, node, [("min_val", -1.0), ("max_val", 1.0)]),
    ),
    Entry::parsed("aten.clamp.default", "between two bounds", |of, node| {
        between(
            of,
            node,
            [("min", f64::NEG_INFINITY), ("max", f64::INFINITY)],
        )
    }),
    Entry::parsed("aten.clamp_min.default", "lower bound", |of, node| {
        between(
            of,
            node,
            [("min", f64::NEG_INFINITY), ("max", f64::INFINITY)],
        )
    }),
    Entry::parsed("aten.clamp_max.default", "upper bound", |of, node| {
        between(
            of,
            node,
            [("min", f64::NEG_INFINITY), ("max", f64::INFINITY)],
        )
    }),
    Entry::parsed("aten.leaky_relu.default", "rectifier with a slope", leaky),
    Entry::parsed(
        "aten.prelu.default",
        "rectifier with slopes that are learnt",
        prelu,
    ),
    Entry::parsed(
        "aten._prelu_kernel.default",
        "rectifier with slopes that are learnt",
        prelu,
    ),
    Entry::both(
        "aten.add.Tensor",
        "sum, bias or shift of each channel",
        |c| two(c, "Add"),
        |of, n| pair(of, n, Pair::Add),
    ),
    Entry::both(
        "aten.sub.Tensor",
        "shift of each channel",
        |c| two(c, "Sub"),
        |of, n| pair(of, n, Pair::Sub),
    ),
    Entry::both(
        "aten.mul.Tensor",
        "factor of each channel",
        |c| two(c, "Mul"),
        |of, n| pair(of, n, Pair::Mul),
    ),
    Entry::both(
        "aten.div.Tensor",
        "factor of each channel",
        |c| two(c, "Div"),
        |of, n| pair(of, n, Pair::Div),
    ),
    Entry::both(
        "aten.add.Scalar",
        "shift",
        |c| two(c, "Add"),
        |of, n| pair(of, n, Pair::Add),
    ),
    Entry::both(
        "aten.sub.Scalar",
        "shift",
        |c| two(c, "Sub"),
        |of, n| pair(of, n, Pair::Sub),
    ),
    Entry::both(
        "aten.mul.Scalar",
        "factor",
        |c| two(c, "Mul"),
        |of, n| pair(of, n, Pair::Mul),
    ),
    Entry::both(
        "aten.div.Scalar",
        "factor",
        |c| two(c, "Div"),
        |of, n| pair(of, n, Pair::Div),
    ),
    Entry::parsed("aten.cat.default", "channels one after another", cat),
    Entry::parsed("aten.concat.default", "channels one after another", cat),
    Entry::parsed("aten.split.Tensor", "parts of the channels", split),
    Entry::parsed(
        "aten.split_with_sizes.default",
        "parts of the channels",
        split,
    ),
    Entry::parsed("aten.chunk.default", "parts of the channels", chunk),
    Entry::both(
        "aten.slice.Tensor",
        "part of channels, rows or columns",
        slice_constants,
        slice,
    ),
    Entry::parsed(
        "aten.narrow.default",
        "part of channels, rows or columns",
        narrow,
    ),
    Entry::parsed("aten.pad.default", "constants around a map", pad),
    Entry::parsed(
        "aten.constant_pad_nd.default",
        "constants around a map",
        pad,
    ),
    Entry::both(
        "aten.view.default",
        "another view, or features",
        view_constants,
        view,
    ),
    Entry::both(
        "aten._unsafe_view.default",
        "another view, or features",
        view_constants,
        view,
    ),
    Entry::both(
        "aten.reshape.default",
        "another view, or features",
        view_constants,
        view,
    ),
    Entry::both(
        "aten.flatten.using_ints",
        "features",
        flatten_constants,
        flatten,
    ),
    Entry::both(
        "aten.squeeze.default",
        "another view",
        squeeze_constants,
        squeeze,
    ),
    Entry::both(
        "aten.squeeze.dim",
        "another view",
        squeeze_constants,
        squeeze,
    ),
    Entry::both(
        "aten.squeeze.dims",
        "another view",
        squeeze_constants,
        squeeze,
    ),
    Entry::both(
        "aten.unsqueeze.default",
        "another view",
        unsqueeze_constants,
        unsqueeze,
    ),
    Entry::both("aten.permute.default", "another view", turn_constants, turn),
    Entry::both("aten.transpose.int", "another view", turn_constants, turn),
    Entry::both("aten.t.default", "another view", turn_constants, turn),
    Entry::parsed("aten.dropout.default", "nothing", dropout),
    Entry::parsed("aten.feature_dropout.default", "nothing", dropout),
    Entry::parsed("aten.alpha_dropout.default", "nothing", dropout),
    Entry::parsed("aten.native_dropout.default", "nothing", dropout),
    Entry::both("aten.clone.default", "nothing", same, keep),
    Entry::both("aten.contiguous.default", "nothing", same, keep),
    Entry::both("aten.alias.default", "nothing", same, keep),
    Entry::both("aten.detach.default", "nothing", same, keep),
    Entry::both("aten.lift_fresh_copy.default", "nothing", same, keep),
    Entry::both("aten.to.dtype", "nothing, to floats", cast_constants, cast),
    Entry::both(
        "aten.to.dtype_layout",
        "nothing, to floats",
        cast_constants,
        cast,
    ),
    Entry::both(
        "aten._to_copy.default",
        "nothing, to floats",
        cast_constants,
        cast,
    ),
    Entry::parsed("aten.softmax.int", "taken off the end", softmax),
    Entry::parsed("aten._softmax.default", "taken off the end", softmax),
    Entry::parsed("aten.log_softmax.int", "taken off the end", softmax),
    Entry::parsed("aten._log_softmax.default", "taken off the end", softmax),
    Entry::both(
        "aten.sym_size.int",
        "of constants and images",
        size_constants,
        size,
    ),
    Entry::evaluated("aten.neg.default", |c| one(c, "Neg")),
    Entry::evaluated("aten.sqrt.default", |c| one(c, "Sqrt")),
    Entry::evaluated("aten.rsqrt.default", |c| one(c, "Rsqrt")),
    Entry::evaluated("aten.reciprocal.default", |c| one(c, "Reciprocal")),
    Entry::evaluated("_operator.add", |c| sizes(c, "Add")),
    Entry::evaluated("_operator.sub", |c| sizes(c, "Sub")),
    Entry::evaluated("_operator.mul", |c| sizes(c, "Mul")),
    Entry::evaluated("_operator.floordiv", |c| sizes(c, "FloorDiv")),
    Entry::evaluated("_operator.mod", |c| sizes(c, "Mod")),
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

/// A constant argument that must be there.
fn needed<'a>(call: &Call<'a>, name: &str) -> Read<&'a Constant> {
    call.named(name)?
        .ok_or_else(|| format!("its {name} is missing"))
}

fn conv<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    if call.flag("transposed", false)? {
        return Err("it is transposed".into());
    }
    let around = match call.text("padding") {
        "same" => Around::SameUpper,
        "valid" => Around::Pads([0; 4]),
        _ => {
            let [rows, columns] = call.pair("padding", 0)?;
            Around::Pads([rows, columns, rows, columns])
        }
    };
    let convolution = Convolution {
        input: of.wire(node, 0)?,
        weights: needed(&call, "weight")?.clone(),
        bias: call.named("bias")?.cloned(),
        placing: Placing {
            strides: call.pair("stride", 1)?,
            around,
            dilations: call.pair("dilation", 1)?,
            ceil_mode: false,
        },
        groups: usize::try_from(call.integer("groups", 1)?).unwrap_or(0),
    };
    of.convolution(node, convolution)
}

fn linear<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let product = Product {
        input: of.wire(node, 0)?,
        weights: needed(&call, "weight")?.clone(),
        bias: call.named("bias")?.cloned(),
    };
    of.product(node, product)
}

fn addmm<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let (alpha, beta) = (call.float("alpha", 1.0)?, call.float("beta", 1.0)?);
    let input = match call.argument("mat1") {
        Some(Value::Wire(wire)) => wire.clone(),
        _ => return Err("its first matrix is constant: expected what an image gives".into()),
    };
    let product = Product {
        input,
        weights: scaled(&turned(needed(&call, "mat2")?, of)?, alpha as f32),
        bias: Some(scaled(needed(&call, "self")?, beta as f32)),
    };
    of.product(node, product)
}

fn matmul<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let input = of.wire(node, 0)?;
    let Some(matrix) = of.constant(node, 1) else {
        return Err("both of its operands are computed from the image".into());
    };
    let product = Product {
        input,
        weights: turned(&matrix, of)?,
        bias: None,
    };
    of.product(node, product)
}

fn batch_norm<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    if call.flag("training", false)? {
        return Err("it is in training mode; export model.eval()".into());
    }
    let norm = Norm {
        gamma: call.named("weight")?.cloned(),
        beta: call.named("bias")?.cloned(),
        mean: needed(&call, "running_mean")?.clone(),
        variance: needed(&call, "running_var")?.clone(),
        epsilon: call.float("eps", 1e-5)?,
    };
    of.batch_norm(node, &norm)
}

/// The kernel of a pool and where it goes; without strides it stands beside itself.
fn window(call: &Call) -> Read<([usize; 2], Placing)> {
    let kernel = call.pair("kernel_size", 0)?;
    let strides = match call.integers("stride")? {
        Some(strides) if !strides.is_empty() => call.pair("stride", 1)?,
        _ => kernel,
    };
    let [rows, columns] = call.pair("padding", 0)?;
    let placing = Placing {
        strides,
        around: Around::Pads([rows, columns, rows, columns]),
        dilations: call.pair("dilation", 1)?,
        ceil_mode: call.flag("ceil_mode", false)?,
    };
    Ok((kernel, placing))
}

fn max_pool<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let (kernel, placing) = window(&of.call(node))?;
    of.pool(node, Pool::Max, kernel, &placing)
}

fn average_pool<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let (kernel, placing) = window(&call)?;
    let area = (kernel[0] * kernel[1]) as i64;
    if call.integer("divisor_override", area)? != area {
        return Err("it divides by another number than that of its places".into());
    }
    let counted = call.flag("count_include_pad", true)?;
    of.pool(node, Pool::Average(counted), kernel, &placing)
}

fn adaptive<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let asked = of.call(node).pair("output_size", 0)?;
    of.adaptive_average(node, asked)
}

fn adaptive_max<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    if of.call(node).pair("output_size", 0)? != [1, 1] {
        return Err("it makes several places: expected one".into());
    }
    of.global_max(node)
}

fn mean<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let (axes, kept) = (call.integers("dim")?, call.flag("keepdim", false)?);
    of.mean(node, axes.as_deref(), kept)
}

fn between<'g>(of: &mut Translator<'g>, node: &'g Node, bounds: [(&str, f64); 2]) -> Parsed {
    let call = of.call(node);
    let bound = |(name, default): (&str, f64)| call.float(name, default).map(|bound| bound as f32);
    let bounds = [bound(bounds[0])?, bound(bounds[1])?];
    of.clip(node, bounds)
}

fn leaky<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let slope = of.call(node).float("negative_slope", 0.01)? as f32;
    let wire = of.wire(node, 0)?;
    of.pointwise(node, &wire, Operation::LeakyRelu { slope })
}

fn prelu<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let slope = needed(&of.call(node), "weight")?.clone();
    of.prelu(node, &slope)
}

/// The operand of an argument, which may be a plain number.
fn operand(call: &Call, name: &str) -> Read<Operand> {
    match (call.node.attributes.get(name), call.argument(name)) {
        (_, Some(Value::Wire(wire))) => Ok(Operand::Wire(wire.clone())),
        (_, Some(Value::Constant(constant))) => Ok(Operand::Constant(constant.clone())),
        (Some(Attribute::Integer(_) | Attribute::Float(_)), _) => {
            let value = call.float(name, 0.0)?;
            Ok(Operand::Constant(Constant::made(Tensor::float(
                value as f32,
            ))))
        }
        _ => Err(format!("its {name} is missing")),
    }
}

fn pair<'g>(of: &mut Translator<'g>, node: &'g Node, pair: Pair) -> Parsed {
    let call = of.call(node);
    let alpha = call.float("alpha", 1.0)? as f32;
    if !call.text("rounding_mode").is_empty() {
        return Err("it rounds".into());
    }
    let operands = [operand(&call, "self")?, operand(&call, "other")?];
    let operands = match operands {
        [first, Operand::Constant(other)] => [first, Operand::Constant(scaled(&other, alpha))],
        _ if alpha != 1.0 => return Err(format!("it adds {alpha} times a wire")),
        both => both,
    };
    of.pair(node, pair, operands)
}

fn two(call: &Call, operation: &str) -> Read<Vec<Tensor>> {
    if call.float("alpha", 1.0)? != 1.0 {
        return Err("it adds a multiple of constants".into());
    }
    let tensor = |name| match operand(call, name)? {
        Operand::Constant(constant) => Ok(constant.tensor),
        Operand::Wire(_) => Err(format!("its {name} is computed from the image")),
    };
    let (a, b) = (tensor("self")?, tensor("other")?);
    Ok(vec![evaluate::binary(operation, &a, &b, call.budget)?])
}

/// Arithmetic of extents.
fn sizes(call: &Call, operation: &str) -> Read<Vec<Tensor>> {
    let names = ["a", "b"].map(|name| call.node.attributes.contains_key(name));
    let [a, b] = if names == [true, true] {
        ["a", "b"]
    } else {
        ["0", "1"]
    };
    let (a, b) = (call.integer(a, 0)?, call.integer(b, 0)?);
    let (a, b) = (Tensor::integer(a), Tensor::integer(b));
    Ok(vec![evaluate::binary(operation, &a, &b, call.budget)?])
}

/// The wires that an argument lists.
fn wires(call: &Call, name: &str) -> Read<Vec<Wire>> {
    let Some(Attribute::Values(names)) = call.node.attributes.get(name) else {
        return Err(format!("its {name} are missing"));
    };
    let wire = |name: &Option<String>| match name.as_ref().and_then(|name| call.values.get(name)) {
        Some(Value::Wire(wire)) => Ok(wire.clone()),
        _ => Err("it joins constants with what an image gives".into()),
    };
    names.iter().map(wire).collect()
}

fn cat<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let (wires, axis) = (wires(&call, "tensors")?, call.integer("dim", 0)?);
    of.concat(node, &wires, axis)
}

/// The axis that an argument names.
fn axis(call: &Call, rank: usize) -> Read<usize> {
    place(call.integer("dim", 0)?, rank)
}

/// As many equal parts of an extent as fit, and what is left.
fn equal_parts(extent: usize, each: i64) -> Read<Vec<usize>> {
    let each = usize::try_from(each).ok().filter(|each| *each > 0);
    let each = each.ok_or("its parts are of no length")?;
    let starts = (0..extent).step_by(each);
    Ok(starts.map(|start| each.min(extent - start)).collect())
}

fn split<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let shape = of.wire(node, 0)?.shape();
    let call = of.call(node);
    let at = axis(&call, shape.len())?;
    let lengths = match call.integers("split_sizes")? {
        Some(lengths) => {
            let lengths = lengths.iter().map(|&length| usize::try_from(length).ok());
            lengths
                .collect::<Option<Vec<_>>>()
                .ok_or("a part has a negative length")?
        }
        None => equal_parts(shape[at], call.integer("split_size", 0)?)?,
    };
    of.split(node, at, &lengths)
}

fn chunk<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let shape = of.wire(node, 0)?.shape();
    let call = of.call(node);
    let at = axis(&call, shape.len())?;
    let chunks = usize::try_from(call.integer("chunks", 0)?)
        .ok()
        .filter(|chunks| *chunks > 0);
    let each = shape[at].div_ceil(chunks.ok_or("it makes no parts")?);
    let lengths = equal_parts(shape[at], each as i64)?;
    of.split(node, at, &lengths)
}

/// The cut of a slice.
fn cut(call: &Call, rank: usize) -> Read<Cut> {
    Ok(Cut {
        axis: axis(call, rank)?,
        start: call.integer("start", 0)?,
        end: call.integer("end", i64::MAX)?,
        step: call.integer("step", 1)?,
    })
}

fn slice<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let cut = cut(&of.call(node), wire.axes.len())?;
    Ok(vec![Value::Wire(of.cut(node, &wire, &cut)?)])
}

fn slice_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    Ok(vec![evaluate::slice(
        tensor,
        &cut(call, tensor.shape.len())?,
        call.budget,
    )?])
}

fn narrow<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let call = of.call(node);
    let (start, length) = (call.integer("start", 0)?, call.integer("length", 0)?);
    let cut = Cut {
        axis: axis(&call, wire.axes.len())?,
        start,
        end: start.checked_add(length).ok_or("its length is too large")?,
        step: 1,
    };
    Ok(vec![Value::Wire(of.cut(node, &wire, &cut)?)])
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
    let pads = call.integers("pad")?.unwrap_or_default();
    let value = call.float("value", 0.0)? as f32;
    let (each, rest) = pads.as_chunks::<2>();
    if !rest.is_empty() || each.len() > rank {
        return Err(format!("it has {} pads for {rank} axes", pads.len()));
    }
    // The last axis comes first.
    let mut around = vec![[0; 2]; rank];
    around
        .iter_mut()
        .rev()
        .zip(each)
        .for_each(|(around, each)| *around = *each);
    of.pad(node, &around, value)
}

/// The shape that a view asks for.
fn asked(call: &Call) -> Read<Vec<i64>> {
    let size = call.integers("size")?;
    let size = if size.is_some() {
        size
    } else {
        call.integers("shape")?
    };
    size.ok_or_else(|| "its shape is missing".into())
}

fn view<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let asked = asked(&of.call(node))?;
    of.reshape(&wire, &asked, true)
}

fn view_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let shape = evaluate::resized(&tensor.shape, &asked(call)?, true)?;
    Ok(vec![tensor.reshaped(shape)])
}

fn ends(call: &Call, rank: usize) -> Read<[usize; 2]> {
    let (from, to) = (call.integer("start_dim", 0)?, call.integer("end_dim", -1)?);
    Ok([place(from, rank)?, place(to, rank)?])
}

fn flatten<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let [from, to] = ends(&of.call(node), wire.axes.len())?;
    flattened(&wire, from, to)
}

fn flatten_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let [from, to] = ends(call, tensor.shape.len())?;
    if from > to {
        return Err("it ends before it begins".into());
    }
    let mut shape = tensor.shape.clone();
    let product = shape[from..=to].iter().product();
    shape.splice(from..=to, [product]);
    Ok(vec![tensor.reshaped(shape)])
}

/// The shape without the extents that are named, or without all that are 1; others stay.
fn squeezed(call: &Call, shape: &[usize]) -> Read<Vec<usize>> {
    let axes = match call.integers("dim")? {
        Some(axes) => places(&axes, shape.len())?,
        None => (0..shape.len()).collect(),
    };
    let kept = shape.iter().enumerate();
    let kept = kept.filter(|(at, extent)| **extent != 1 || !axes.contains(at));
    Ok(kept.map(|(_, &extent)| extent).collect())
}

fn squeeze<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    // The images stay, however many they are.
    let mut shape = squeezed(&of.call(node), &wire.shape()[1..]);
    if of.call(node).integers("dim")?.is_some() {
        shape = squeezed(&of.call(node), &wire.shape()).map(|shape| shape[1..].to_vec());
    }
    let mut shape = shape?;
    shape.insert(0, wire.batch);
    Ok(vec![Value::Wire(wire.reshaped(&shape)?)])
}

fn squeeze_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    Ok(vec![tensor.reshaped(squeezed(call, &tensor.shape)?)])
}

fn unsqueeze<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let shape = evaluate::unsqueezed(&wire.shape(), &[of.call(node).integer("dim", 0)?])?;
    Ok(vec![Value::Wire(wire.reshaped(&shape)?)])
}

fn unsqueeze_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let shape = evaluate::unsqueezed(&tensor.shape, &[call.integer("dim", 0)?])?;
    Ok(vec![tensor.reshaped(shape)])
}

/// The order of axes that permute, transpose and t ask for.
fn order(call: &Call, rank: usize) -> Read<Vec<usize>> {
    if let Some(dims) = call.integers("dims")? {
        return evaluate::order(Some(dims), rank);
    }
    let mut order: Vec<usize> = (0..rank).collect();
    let is_named = call.node.attributes.contains_key("dim0");
    if is_named {
        let [one, other] = [call.integer("dim0", 0)?, call.integer("dim1", 0)?];
        order.swap(place(one, rank)?, place(other, rank)?);
    } else {
        order.reverse();
    }
    Ok(order)
}

fn turn<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let order = order(&of.call(node), wire.axes.len())?;
    Ok(vec![Value::Wire(wire.transposed(&order))])
}

fn turn_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let order = order(call, tensor.shape.len())?;
    Ok(vec![evaluate::permuted(tensor, &order, call.budget)?])
}

fn keep<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    Ok(vec![Value::Wire(of.wire(node, 0)?)])
}

fn same(call: &Call) -> Read<Vec<Tensor>> {
    Ok(vec![call.tensor(0)?.clone()])
}

fn dropout<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    if call.flag("train", false)? && call.float("p", 0.5)? != 0.0 {
        return Err("it is in training mode; export model.eval()".into());
    }
    keep(of, node)
}

/// What kind of numbers is asked for, if any, by the number of the exporter's types.
fn number(call: &Call) -> Number {
    match call.text("dtype").strip_prefix("type ") {
        None | Some("7" | "8") => Number::Float,
        Some("6") => Number::Half,
        Some("13") => Number::Brain,
        Some("12") => Number::Truth,
        Some(_) => Number::Whole,
    }
}

fn cast<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    if number(&of.call(node)).is_float() {
        return keep(of, node);
    }
    Err("it makes whole numbers of what the image gives".into())
}

fn cast_constants(call: &Call) -> Read<Vec<Tensor>> {
    let to = number(call);
    Ok(vec![evaluate::cast(call.tensor(0)?, to, call.budget)?])
}

fn softmax<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let axis = of.call(node).integer("dim", -1)?;
    of.softmax(node, axis)
}

fn size<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let shape = of.wire(node, 0)?.shape();
    let at = axis(&of.call(node), shape.len())?;
    Ok(vec![made(Tensor::integer(shape[at] as i64))])
}

fn size_constants(call: &Call) -> Read<Vec<Tensor>> {
    let shape = &call.tensor(0)?.shape;
    let at = axis(call, shape.len())?;
    Ok(vec![Tensor::integer(shape[at] as i64)])
}

fn one(call: &Call, operation: &str) -> Read<Vec<Tensor>> {
    Ok(vec![evaluate::unary(
        operation,
        call.tensor(0)?,
        call.budget,
    )?])
}
