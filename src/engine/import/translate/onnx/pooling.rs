//! Windows over maps, and means of whole maps.

use super::super::common::keep;
use super::super::pooling::{Placing, Pool};
use super::super::{Parsed, Translator};
use crate::engine::import::source::Node;

pub(super) fn max_pool<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let (kernel, placing) = (call.pair("kernel_shape", 0)?, Placing::of(&call)?);
    of.pool(node, Pool::Max, kernel, &placing)
}

pub(super) fn average_pool<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    let call = of.call(node);
    let (kernel, placing) = (call.pair("kernel_shape", 0)?, Placing::of(&call)?);
    let counted = call.flag("count_include_pad", false)?;
    of.pool(node, Pool::Average(counted), kernel, &placing)
}

pub(super) fn reduce_mean<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    reduced(of, node, Pool::Average(true))
}

pub(super) fn reduce_max<'g>(of: &mut Translator<'g>, node: &'g Node) -> Parsed {
    reduced(of, node, Pool::Max)
}

fn reduced<'g>(of: &mut Translator<'g>, node: &'g Node, pool: Pool) -> Parsed {
    let call = of.call(node);
    let axes = call.setting("axes", 1)?.filter(|axes| !axes.is_empty());
    if axes.is_none() && call.flag("noop_with_empty_axes", false)? {
        return keep(of, node);
    }
    let kept = call.flag("keepdims", true)?;
    of.reduced(node, pool, (axes.as_deref(), kept))
}
