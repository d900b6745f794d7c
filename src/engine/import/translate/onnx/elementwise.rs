//! Functions of each number, and what does nothing.

use super::super::common;
use super::super::elementwise::Pair;
use super::super::{Parsed, Translator, made};
use crate::engine::import::call::Call;
use crate::engine::import::evaluate::{self, Number};
use crate::engine::import::source::{Node, Read};
use crate::engine::import::tensor::Tensor;

pub(super) fn leaky<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let slope = of.call(node).float("alpha", 0.01)?;
    of.leaky(node, slope)
}

pub(super) fn prelu<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
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

pub(super) fn clip<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let bounds = bounds(&of.call(node))?;
    let wire = of.wire(node, 0)?;
    of.clip(node, &wire, bounds)
}

pub(super) fn clipped(call: &Call) -> Read<Vec<Tensor>> {
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
pub(super) fn bound<'g>(of: &mut Translator<'g>, node: &'g Node, lower: bool) -> Parsed {
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
    let bounds = if lower {
        [bound, f32::INFINITY]
    } else {
        [f32::NEG_INFINITY, bound]
    };
    of.clip(node, &wire, bounds)
}

pub(super) fn pair<'g>(of: &mut Translator<'g>, node: &'g Node, pair: Pair) -> Parsed {
    let operands = [of.operand(node, 0)?, of.operand(node, 1)?];
    of.pair(node, pair, operands)
}

pub(super) fn dropout<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let training = of.call(node).optional(2)?;
    let is_on = training.is_some_and(|t| t.tensor.to_integers().iter().any(|&on| on != 0));
    if is_on {
        return Err("it is in training mode; export the network in evaluation mode".into());
    }
    common::keep(of, node)
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

pub(super) fn cast<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let to = number(&of.call(node))?;
    common::cast(of, node, to)
}

pub(super) fn cast_constants(call: &Call) -> Read<Vec<Tensor>> {
    common::cast_constants(call, number(call)?)
}

pub(super) fn cast_like_constants(call: &Call) -> Read<Vec<Tensor>> {
    let to = Number::of(call.tensor(1)?);
    Ok(vec![evaluate::cast(call.tensor(0)?, to, call.budget)?])
}

/// What it is like, or what is cast, is a wire, whose elements are floats.
pub(super) fn cast_like<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let Some(constant) = of.constant(node, 0) else {
        if of
            .constant(node, 1)
            .is_some_and(|like| !Number::of(&like.tensor).is_float())
        {
            return Err("it makes whole numbers of what the image gives".into());
        }
        return common::keep(of, node);
    };
    let tensor = evaluate::cast(&constant.tensor, Number::Float, &of.budget)?;
    Ok(vec![made(tensor)])
}

pub(super) fn softmax<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let default = if of.graph.opset < 13 { 1 } else { -1 };
    let axis = of.call(node).integer("axis", default)?;
    of.softmax(node, axis)
}
