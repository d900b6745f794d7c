//! Windows over maps, and means of whole maps.

use super::super::pooling::{Around, Placing, Pool};
use super::super::{Parsed, Translator};
use crate::engine::import::call::Call;
use crate::engine::import::source::{Node, Read};

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

pub(super) fn max_pool<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let (kernel, placing) = window(&of.call(node))?;
    of.pool(node, Pool::Max, kernel, &placing)
}

pub(super) fn average_pool<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let (kernel, placing) = window(&call)?;
    let area = (kernel[0] * kernel[1]) as i64;
    if call.integer("divisor_override", area)? != area {
        return Err("it divides by another number than that of its places".into());
    }
    let counted = call.flag("count_include_pad", true)?;
    of.pool(node, Pool::Average(counted), kernel, &placing)
}

pub(super) fn adaptive<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let asked = of.call(node).pair("output_size", 0)?;
    of.adaptive_average(node, asked)
}

pub(super) fn adaptive_max<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    if of.call(node).pair("output_size", 0)? != [1, 1] {
        return Err("it makes several places: expected one".into());
    }
    of.global_max(node)
}

pub(super) fn mean<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    reduced(of, node, Pool::Average(true))
}

pub(super) fn largest<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    reduced(of, node, Pool::Max)
}

fn reduced<'g>(of: &mut Translator<'g>, node: &'g Node, pool: Pool) -> Parsed {
    let call = of.call(node);
    let (axes, kept) = (call.integers("dim")?, call.flag("keepdim", false)?);
    let axes = axes.filter(|axes| !axes.is_empty());
    of.reduced(node, pool, (axes.as_deref(), kept))
}
