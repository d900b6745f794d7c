//! The image that a network reads.

use std::collections::HashSet;

use super::{EXTENT, Options, checked};
use crate::engine::import::lowered::{Form, Layout};
use crate::engine::import::source::{Given, Read, SourceGraph};
use crate::engine::import::tensor::spelled;
use crate::engine::import::view::Wire;

/// The one input that is read.
pub(super) fn image(graph: &SourceGraph) -> Read<&Given> {
    let read: HashSet<&str> = graph
        .nodes
        .iter()
        .flat_map(|node| &node.inputs)
        .map(|n| &**n)
        .collect();
    let mut used = graph
        .inputs
        .iter()
        .filter(|given| read.contains(&*given.name));
    match (used.next(), used.next()) {
        (Some(given), None) => Ok(given),
        (None, _) => Err("the network reads no input; export it again".into()),
        (Some(first), Some(second)) => Err(format!(
            "the network reads several inputs ({}, {}): expected one, the image; export it with the \
             others fixed",
            first.name, second.name
        )),
    }
}

/// The image as the file sees it.
pub(super) fn image_form(input: &Given, layout: Layout, options: Options) -> Read<Wire> {
    let refused = |got: &str| {
        format!(
            "input {}: expected images of channels, rows and columns, or vectors, got {got}; export \
             the network with such an input",
            input.name
        )
    };
    let extents = input.extents.as_ref().ok_or_else(|| refused("no shape"))?;
    let batch = extents.first().copied().flatten().unwrap_or(1);
    let rank = extents.len();
    let open = |axis: &str| {
        format!(
            "input {}: the number of its {axis} is open; say it with --size, or export the network \
             with a fixed size",
            input.name
        )
    };
    let size = options.size;
    let extent = |at: usize, axis: &str, given: Option<usize>| {
        let length = extents[at].or(given).ok_or_else(|| open(axis))?;
        let fits = (1..=EXTENT).contains(&length);
        fits.then_some(length)
            .ok_or_else(|| refused(&format!("{length} {axis}")))
    };
    let (rows, columns) = (size.map(|size| size[0]), size.map(|size| size[1]));
    let map = |channels, rows, columns| Form::Map {
        channels,
        rows,
        columns,
    };
    if !(1..=EXTENT).contains(&batch) {
        return Err(refused(&format!("{batch} images")));
    }
    let wire = match (rank, layout) {
        (2, _) => Wire::features(0, extent(1, "features", None)?, batch),
        (3, _) => {
            let form = map(1, extent(1, "rows", rows)?, extent(2, "columns", columns)?);
            let mut wire = Wire::map(0, form, batch, Layout::ChannelsFirst);
            wire.axes.remove(1);
            wire
        }
        (4, Layout::ChannelsFirst) => {
            let channels = extent(1, "channels", None)?;
            let form = map(
                channels,
                extent(2, "rows", rows)?,
                extent(3, "columns", columns)?,
            );
            Wire::map(0, form, batch, layout)
        }
        (4, Layout::ChannelsLast) => {
            let channels = extent(3, "channels", None)?;
            let form = map(
                channels,
                extent(1, "rows", rows)?,
                extent(2, "columns", columns)?,
            );
            Wire::map(0, form, batch, layout)
        }
        (rank, _) => return Err(refused(&format!("{rank} extents"))),
    };
    checked(wire.form).map_err(|_| refused(&spelled(&wire.form.extents())))?;
    Ok(wire)
}
