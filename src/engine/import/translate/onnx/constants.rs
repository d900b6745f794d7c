//! What is computed from constants alone.

use crate::engine::import::call::{Call, places};
use crate::engine::import::evaluate::{self, Compare, Reduction, Steps};
use crate::engine::import::source::{Attribute, Read};
use crate::engine::import::tensor::Tensor;

pub(super) fn constant(call: &Call) -> Read<Vec<Tensor>> {
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

pub(super) fn constant_of_shape(call: &Call) -> Read<Vec<Tensor>> {
    let zero = Tensor::float(0.0);
    let value = match call.node.attributes.get("value") {
        Some(Attribute::Tensor(value)) => value,
        _ => &zero,
    };
    let request = call.tensor(0)?.to_integers();
    Ok(vec![evaluate::filled(&request, value, call.budget)?])
}

pub(super) fn dequantize(call: &Call) -> Read<Vec<Tensor>> {
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

pub(super) fn two(call: &Call, operation: &str) -> Read<Vec<Tensor>> {
    Ok(vec![evaluate::binary(
        operation,
        call.tensor(0)?,
        call.tensor(1)?,
        call.budget,
    )?])
}

pub(super) fn all(call: &Call, operation: &str) -> Read<Vec<Tensor>> {
    let mut tensor = call.tensor(0)?.clone();
    for at in 1..call.node.inputs.len() {
        tensor = evaluate::binary(operation, &tensor, call.tensor(at)?, call.budget)?;
    }
    Ok(vec![tensor])
}

pub(super) fn sum(call: &Call) -> Read<Vec<Tensor>> {
    all(call, "Add")
}

pub(super) fn compare(call: &Call, how: Compare) -> Read<Vec<Tensor>> {
    Ok(vec![evaluate::compare(
        how,
        call.tensor(0)?,
        call.tensor(1)?,
        call.budget,
    )?])
}

pub(super) fn reduce(call: &Call, how: Reduction) -> Read<Vec<Tensor>> {
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
