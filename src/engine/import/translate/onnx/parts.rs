//! Parts of wires, joins of several, and constants around them.

use super::super::{Parsed, Translator};
use crate::engine::import::call::{Call, Value, place, places};
use crate::engine::import::evaluate::{self, Cut};
use crate::engine::import::source::{Node, Read};
use crate::engine::import::tensor::Tensor;

pub(super) fn concat<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let axis = of.call(node).integer("axis", 1)?;
    let wires = (0..node.inputs.len()).map(|at| of.wire(node, at));
    let wires = wires.collect::<Read<Vec<_>>>()?;
    of.concat(node, &wires, axis)
}

pub(super) fn concat_constants(call: &Call) -> Read<Vec<Tensor>> {
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

pub(super) fn split<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let (axis, lengths) = parts(&of.call(node), &wire.shape())?;
    of.split(node, axis, &lengths)
}

pub(super) fn split_constants(call: &Call) -> Read<Vec<Tensor>> {
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

pub(super) fn slice<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let mut wire = of.wire(node, 0)?;
    for cut in cuts(&of.call(node), wire.axes.len())? {
        wire = of.cut(node, &wire, &cut)?;
    }
    Ok(vec![Value::Wire(wire)])
}

pub(super) fn slice_constants(call: &Call) -> Read<Vec<Tensor>> {
    let mut tensor = call.tensor(0)?.clone();
    for cut in cuts(call, tensor.shape.len())? {
        tensor = evaluate::slice(&tensor, &cut, call.budget)?;
    }
    Ok(vec![tensor])
}

pub(super) fn pad<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
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
