//! Parts of wires, joins of several, and constants around them.

use super::super::{Parsed, Translator};
use super::axis;
use crate::engine::import::call::{Call, Value};
use crate::engine::import::evaluate::{self, Cut};
use crate::engine::import::source::{Attribute, Node, Read};
use crate::engine::import::tensor::Tensor;
use crate::engine::import::view::Wire;

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

pub(super) fn cat<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let (wires, axis) = (wires(&call, "tensors")?, call.integer("dim", 0)?);
    of.concat(node, &wires, axis)
}

/// As many equal parts of an extent as fit, and what is left.
fn equal_parts(extent: usize, each: i64) -> Read<Vec<usize>> {
    let each = usize::try_from(each).ok().filter(|each| *each > 0);
    let each = each.ok_or("its parts are of no length")?;
    let starts = (0..extent).step_by(each);
    Ok(starts.map(|start| each.min(extent - start)).collect())
}

pub(super) fn split<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
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

pub(super) fn chunk<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
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

pub(super) fn slice<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let wire = of.wire(node, 0)?;
    let cut = cut(&of.call(node), wire.axes.len())?;
    Ok(vec![Value::Wire(of.cut(node, &wire, &cut)?)])
}

pub(super) fn slice_constants(call: &Call) -> Read<Vec<Tensor>> {
    let tensor = call.tensor(0)?;
    Ok(vec![evaluate::slice(
        tensor,
        &cut(call, tensor.shape.len())?,
        call.budget,
    )?])
}

pub(super) fn narrow<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
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

pub(super) fn pad<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
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
