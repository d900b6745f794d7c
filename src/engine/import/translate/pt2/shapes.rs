//! Views.

use super::super::shape::flattened;
use super::super::{Parsed, Translator, made};
use super::axis;
use crate::engine::import::call::{Call, Value, place, places};
use crate::engine::import::evaluate;
use crate::engine::import::source::{Node, Read};
use crate::engine::import::tensor::Tensor;

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

pub(super) fn view<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let asked = asked(&of.call(node))?;
    of.reshape(&wire, &asked, true)
}

pub(super) fn view_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let shape = evaluate::resized(&tensor.shape, &asked(call)?, true)?;
    Ok(vec![tensor.reshaped(shape)])
}

fn ends(call: &Call, rank: usize) -> Read<[usize; 2]> {
    let (from, to) = (call.integer("start_dim", 0)?, call.integer("end_dim", -1)?);
    Ok([place(from, rank)?, place(to, rank)?])
}

pub(super) fn flatten<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let [from, to] = ends(&of.call(node), wire.axes.len())?;
    flattened(&wire, from, to)
}

pub(super) fn flatten_constants(call: &Call) -> Read<Vec<Tensor>> {
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

pub(super) fn squeeze<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
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

pub(super) fn squeeze_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    Ok(vec![tensor.reshaped(squeezed(call, &tensor.shape)?)])
}

pub(super) fn unsqueeze<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let shape = evaluate::unsqueezed(&wire.shape(), &[of.call(node).integer("dim", 0)?])?;
    Ok(vec![Value::Wire(wire.reshaped(&shape)?)])
}

pub(super) fn unsqueeze_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let shape = evaluate::unsqueezed(&tensor.shape, &[call.integer("dim", 0)?])?;
    Ok(vec![tensor.reshaped(shape)])
}

/// The order of axes that permute, transpose and t ask for.
pub(in super::super) fn order_of(call: &Call, rank: usize) -> Read<Vec<usize>> {
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

pub(super) fn turn<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let order = order_of(&of.call(node), wire.axes.len())?;
    Ok(vec![Value::Wire(wire.transposed(&order))])
}

pub(super) fn turn_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    let order = order_of(call, tensor.shape.len())?;
    Ok(vec![evaluate::permuted(tensor, &order, call.budget)?])
}

pub(super) fn size<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let shape = of.wire(node, 0)?.shape();
    let at = axis(&of.call(node), shape.len())?;
    Ok(vec![made(Tensor::integer(shape[at] as i64))])
}

pub(super) fn size_constants(call: &Call) -> Read<Vec<Tensor>> {
    let shape = &call.tensor(0)?.shape;
    let at = axis(call, shape.len())?;
    Ok(vec![Tensor::integer(shape[at] as i64)])
}
