//! The image that a network reads.

use std::collections::HashSet;

use super::{EXTENT, Options, checked};
use crate::engine::counts::counted;
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

/// The extents of an image, some of which the file may leave open.
struct Extents<'a> {
    name: &'a str,
    of: &'a [Option<usize>],
}

impl Extents<'_> {
    /// A length of an extent, from elsewhere where the file does not say it.
    fn length(&self, at: usize, axis: &str, given: Option<usize>) -> Read<usize> {
        let length = self.of[at].or(given).ok_or_else(|| {
            format!(
                "input {}: the number of its {axis} is open; say it with --size, or export the network \
                 with a fixed size",
                self.name
            )
        })?;
        let fits = (1..=EXTENT).contains(&length);
        fits.then_some(length)
            .ok_or_else(|| {
                format!(
                    "input {}: expected 1 to {EXTENT} {axis}, got {length}; export the network with such \
                     an input",
                    self.name
                )
            })
    }

    /// A map whose channels, rows and columns are at these places; one channel where it has no place.
    fn map(&self, channels: Option<usize>, rows: usize, options: Options) -> Read<Form> {
        let size = options.size;
        let channels = channels.map(|at| self.length(at, "channels", None));
        Ok(Form::Map {
            channels: channels.transpose()?.unwrap_or(1),
            rows: self.length(rows, "rows", size.map(|size| size[0]))?,
            columns: self.length(rows + 1, "columns", size.map(|size| size[1]))?,
        })
    }
}

fn refused(name: &str, got: &str) -> String {
    format!(
        "input {name}: expected images of channels, rows and columns, or vectors, got {got}; export the \
         network with such an input"
    )
}

/// The image as the file sees it.
pub(super) fn image_form(input: &Given, layout: Layout, options: Options) -> Read<Wire> {
    let refused = |got: &str| refused(&input.name, got);
    let of = input.extents.as_ref().ok_or_else(|| refused("no shape"))?;
    let extents = Extents {
        name: &input.name,
        of,
    };
    let batch = of.first().copied().flatten().unwrap_or(1);
    if !(1..=EXTENT).contains(&batch) {
        return Err(refused(&counted(batch, "image")));
    }
    let wire = match (of.len(), layout) {
        (2, _) => Wire::features(0, extents.length(1, "features", None)?, batch),
        (3, _) => {
            let form = extents.map(None, 1, options)?;
            let mut wire = Wire::map(0, form, batch, Layout::ChannelsFirst);
            wire.axes.remove(1);
            wire
        }
        (4, Layout::ChannelsFirst) => {
            Wire::map(0, extents.map(Some(1), 2, options)?, batch, layout)
        }
        (4, Layout::ChannelsLast) => Wire::map(0, extents.map(Some(3), 1, options)?, batch, layout),
        (rank, _) => return Err(refused(&counted(rank, "extent"))),
    };
    checked(wire.form).map_err(|_| refused(&spelled(&wire.form.extents())))?;
    Ok(wire)
}
