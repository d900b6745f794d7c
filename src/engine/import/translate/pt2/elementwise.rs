//! Functions of each number, and what does nothing.

use super::super::common;
use super::super::elementwise::{Operand, Pair};
use super::super::layer::scaled;
use super::super::{Parsed, Translator};
use super::layers::needed;
use crate::engine::import::call::{Call, Constant, Value};
use crate::engine::import::evaluate::{self, Number};
use crate::engine::import::source::{Attribute, Node, Read};
use crate::engine::import::tensor::Tensor;

pub(super) fn between<'g>(
    of: &mut Translator<'g>,
    node: &'g Node,
    bounds: [(&str, f64); 2],
) -> Parsed {
    let call = of.call(node);
    let bound = |(name, default): (&str, f64)| call.float(name, default).map(|bound| bound as f32);
    let bounds = [bound(bounds[0])?, bound(bounds[1])?];
    let wire = of.wire(node, 0)?;
    of.clip(node, &wire, bounds)
}

pub(super) fn leaky<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let slope = of.call(node).float("negative_slope", 0.01)?;
    of.leaky(node, slope)
}

pub(super) fn prelu<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
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

pub(super) fn pair<'g>(of: &mut Translator<'g>, node: &'g Node, pair: Pair) -> Parsed {
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

pub(super) fn two(call: &Call, operation: &str) -> Read<Vec<Tensor>> {
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
pub(super) fn sizes(call: &Call, operation: &str) -> Read<Vec<Tensor>> {
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

pub(super) fn dropout<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    if call.flag("train", false)? && call.float("p", 0.5)? != 0.0 {
        return Err("it is in training mode; export model.eval()".into());
    }
    common::keep(of, node)
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

pub(super) fn cast<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let to = number(&of.call(node));
    common::cast(of, node, to)
}

pub(super) fn cast_constants(call: &Call) -> Read<Vec<Tensor>> {
    common::cast_constants(call, number(call))
}

pub(super) fn softmax<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let axis = of.call(node).integer("dim", -1)?;
    of.softmax(node, axis)
}
