//! Views, parts, paddings and joins.

use super::super::{Parsed, Translator, made};
use crate::engine::import::call::{Call, Value, place};
use crate::engine::import::evaluate::{self, Cut};
use crate::engine::import::source::{Node, Read};
use crate::engine::import::tensor::Tensor;

pub(super) fn reshape<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let call = of.call(node);
    let shape = call.tensor(1)?.to_integers();
    of.reshape(&wire, &shape, call.flag("allowzero", false)?)
}

pub(super) fn reshape_constants(call: &Call) -> Read<Vec<Tensor>> {
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

pub(super) fn flatten<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let shape = wire.shape();
    let at = flat(&of.call(node), &shape)?;
    let product = |extents: &[usize]| extents.iter().product::<usize>();
    let flat = [product(&shape[..at]), product(&shape[at..])];
    Ok(vec![Value::Wire(wire.reshaped(&flat)?)])
}

pub(super) fn flatten_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let at = flat(call, &tensor.shape)?;
    let product = |extents: &[usize]| extents.iter().product::<usize>();
    let shape = vec![product(&tensor.shape[..at]), product(&tensor.shape[at..])];
    Ok(vec![tensor.reshaped(shape)])
}

pub(super) fn squeeze<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
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

pub(super) fn squeeze_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let axes = call.setting("axes", 1)?;
    let shape = evaluate::squeezed(&tensor.shape, axes.as_deref())?;
    Ok(vec![tensor.reshaped(shape)])
}

pub(super) fn unsqueeze<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let axes = of
        .call(node)
        .setting("axes", 1)?
        .ok_or("its axes are missing")?;
    let shape = evaluate::unsqueezed(&wire.shape(), &axes)?;
    Ok(vec![Value::Wire(wire.reshaped(&shape)?)])
}

pub(super) fn unsqueeze_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let axes = call.setting("axes", 1)?.ok_or("its axes are missing")?;
    let shape = evaluate::unsqueezed(&tensor.shape, &axes)?;
    Ok(vec![tensor.reshaped(shape)])
}

/// The order of extents that a transpose asks for.
pub(in super::super) fn order_of(call: &Call, rank: usize) -> Read<Vec<usize>> {
    evaluate::order(call.integers("perm")?, rank)
}

pub(super) fn transpose<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let order = order_of(&of.call(node), wire.axes.len())?;
    Ok(vec![Value::Wire(wire.transposed(&order))])
}

pub(super) fn transpose_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let order = order_of(call, tensor.shape.len())?;
    Ok(vec![evaluate::permuted(tensor, &order, call.budget)?])
}

pub(super) fn expand<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
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

pub(super) fn expand_constants(call: &Call) -> Read<Vec<Tensor>> {
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

pub(super) fn shape<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    Ok(vec![made(extents(&of.call(node), &wire.shape())?)])
}

pub(super) fn shape_constants(call: &Call) -> Read<Vec<Tensor>> {
    Ok(vec![extents(call, &call.tensor(0)?.shape)?])
}

pub(super) fn size<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let count = wire.form.elements() * wire.batch;
    Ok(vec![made(Tensor::integer(count as i64))])
}

pub(super) fn size_constants(call: &Call) -> Read<Vec<Tensor>> {
    Ok(vec![Tensor::integer(call.tensor(0)?.len() as i64)])
}
