//! Shapes of wires: views, parts, paddings, concatenations.

use super::super::call::{Value, place};
use super::super::evaluate::{self, Cut, cut_places};
use super::super::lowered::{Axis, Form, Operation};
use super::super::source::{Node, Read};
use super::super::tensor::{elements, spelled};
use super::super::view::Wire;
use super::{Parsed, Translator, checked};

impl<'g> Translator<'g> {
    /// A wire in another shape.
    pub(super) fn reshape(&self, wire: &Wire, request: &[i64], zeros_count: bool) -> Parsed {
        let shape = wire.shape();
        let target = evaluate::resized(&shape, request, zeros_count)
            .or_else(|reason| self.with_batch(&shape, request).ok_or(reason))?;
        Ok(vec![Value::Wire(wire.reshaped(&target)?)])
    }

    /// A shape into which another number of images is written than the graph is for.
    fn with_batch(&self, shape: &[usize], request: &[i64]) -> Option<Vec<usize>> {
        let (&first, rest) = request.split_first()?;
        let mut request = vec![self.batch as i64];
        request.extend(rest);
        let is_number = first > 0 && shape.first() == Some(&self.batch);
        is_number.then(|| evaluate::resized(shape, &request, true).ok())?
    }

    /// Part of a wire; a whole extent is no part.
    pub(super) fn cut(&mut self, node: &'g Node, wire: &Wire, cut: &Cut) -> Read<Wire> {
        let extent = wire.shape()[cut.axis];
        let (start, count) = cut_places(cut, extent)?;
        if cut.step == 1 && count == extent {
            return Ok(wire.clone());
        }
        let axis = wire.axis(cut.axis).filter(|axis| *axis != Axis::Batch);
        let step = usize::try_from(cut.step).ok();
        let (Some(axis), Some(step)) = (axis, step) else {
            return Err(format!(
                "it takes every {} of axis {} of {}: expected forwards, of channels, rows or columns",
                cut.step,
                cut.axis,
                spelled(&wire.shape())
            ));
        };
        if count == 0 {
            return Err("nothing is left of an extent".into());
        }
        let form = with_extent(wire.form, axis, count);
        let operation = Operation::Slice {
            axis,
            start,
            count,
            step,
        };
        let step = self.step(node, operation, &[wire.step], form);
        Ok(self.seen_like(wire, step, form))
    }

    /// Another wire seen as this one, where an extent may have become 1, or been 1.
    fn seen_like(&self, wire: &Wire, step: usize, form: Form) -> Wire {
        match wire.layout() {
            Some(layout) => Wire::map(step, form, self.batch, layout),
            None => wire.like(step, form),
        }
    }

    /// Parts of a wire, one after another along an axis.
    pub(super) fn split(&mut self, node: &'g Node, at: usize, lengths: &[usize]) -> Parsed {
        let wire = self.wire(node, 0)?;
        let (mut start, mut parts) = (0, Vec::with_capacity(lengths.len()));
        let extent = wire.shape()[at];
        let sum = lengths
            .iter()
            .try_fold(0_usize, |sum, &length| sum.checked_add(length));
        if sum != Some(extent) {
            return Err(format!("its parts do not make the whole, {extent} places"));
        }
        for &length in lengths {
            let cut = Cut {
                axis: at,
                start,
                end: start + length as i64,
                step: 1,
            };
            start = cut.end;
            parts.push(Value::Wire(self.cut(node, &wire, &cut)?));
        }
        Ok(parts)
    }

    /// A wire with constants around it: for each axis of the file how many before and after.
    pub(super) fn pad(&mut self, node: &'g Node, around: &[[i64; 2]], value: f32) -> Parsed {
        let wire = self.wire(node, 0)?;
        let (mut pads, mut channels) = ([0; 4], [0; 2]);
        for (at, each) in around
            .iter()
            .enumerate()
            .filter(|(_, each)| **each != [0, 0])
        {
            let refused = || {
                format!(
                    "it pads axis {at} of {} by {each:?}: expected 0 to {} around channels, rows or \
                     columns",
                    spelled(&wire.shape()),
                    super::EXTENT
                )
            };
            let whole = |pad: i64| {
                usize::try_from(pad)
                    .ok()
                    .filter(|pad| *pad <= super::EXTENT)
                    .ok_or_else(refused)
            };
            let [before, after] = [whole(each[0])?, whole(each[1])?];
            match wire.axis(at) {
                Some(Axis::Channel) => channels = [before, after],
                Some(Axis::Row) => (pads[0], pads[2]) = (before, after),
                Some(Axis::Column) => (pads[1], pads[3]) = (before, after),
                _ => return Err(refused()),
            }
        }
        if pads == [0; 4] && channels == [0; 2] {
            return Ok(vec![Value::Wire(wire)]);
        }
        let (map, _) = self.as_map(node, &wire)?;
        let extents = map.form.extents();
        let form = checked(Form::Map {
            channels: extents[0] + channels[0] + channels[1],
            rows: extents[1] + pads[0] + pads[2],
            columns: extents[2] + pads[1] + pads[3],
        })?;
        let operation = Operation::Pad {
            pads,
            channels,
            value,
        };
        let step = self.step(node, operation, &[map.step], form);
        Ok(vec![Value::Wire(self.seen_like(&map, step, form))])
    }

    /// Channels, or features, of several wires one after another.
    pub(super) fn concat(&mut self, node: &'g Node, wires: &[Wire], axis: i64) -> Parsed {
        let first = wires.first().ok_or("it joins nothing")?;
        let at = place(axis, first.axes.len())?;
        if let [only] = wires {
            return Ok(vec![Value::Wire(only.clone())]);
        }
        if first.is_vector() && at == 1 {
            let mut parts = Vec::with_capacity(wires.len());
            for wire in wires {
                parts.push(self.as_features(node, wire)?);
            }
            let features = parts.iter().map(|wire| wire.form.channels()).sum();
            let steps: Vec<usize> = parts.iter().map(|wire| wire.step).collect();
            let step = self.step(node, Operation::Concat, &steps, Form::Features(features));
            return Ok(vec![Value::Wire(Wire::features(
                step, features, self.batch,
            ))]);
        }
        let mut steps = Vec::with_capacity(wires.len());
        let (mut channels, mut seen) = (0_usize, None);
        for wire in wires {
            let (map, layout) = self.as_map(node, wire)?;
            let extents = map.form.extents();
            let other = *seen.get_or_insert((layout, extents[1], extents[2]));
            if map.axis(at) != Some(Axis::Channel) || other != (layout, extents[1], extents[2]) {
                return Err(format!(
                    "it joins {} along axis {at}: expected channels of maps of one size",
                    spelled(&wire.shape())
                ));
            }
            channels = channels
                .checked_add(extents[0])
                .ok_or("too many channels")?;
            steps.push(map.step);
        }
        let (layout, rows, columns) = seen.ok_or("it joins nothing")?;
        let form = checked(Form::Map {
            channels,
            rows,
            columns,
        })?;
        let step = self.step(node, Operation::Concat, &steps, form);
        Ok(vec![Value::Wire(Wire::map(step, form, self.batch, layout))])
    }
}

/// A wire with the axes from one place to another as one.
pub(super) fn flattened(wire: &Wire, from: usize, to: usize) -> Parsed {
    let shape = wire.shape();
    if from > to || to >= shape.len() {
        return Err(format!("axes {from} to {to} of {}", spelled(&shape)));
    }
    let mut flat = shape[..from].to_vec();
    flat.push(elements(&shape[from..=to]).unwrap_or(0));
    flat.extend(&shape[to + 1..]);
    Ok(vec![Value::Wire(wire.reshaped(&flat)?)])
}

/// A form with another length of one extent.
fn with_extent(form: Form, axis: Axis, length: usize) -> Form {
    match (form, axis) {
        (Form::Map { rows, columns, .. }, Axis::Channel) => Form::Map {
            channels: length,
            rows,
            columns,
        },
        (
            Form::Map {
                channels, columns, ..
            },
            Axis::Row,
        ) => Form::Map {
            channels,
            rows: length,
            columns,
        },
        (Form::Map { channels, rows, .. }, Axis::Column) => Form::Map {
            channels,
            rows,
            columns: length,
        },
        _ => Form::Features(length),
    }
}
