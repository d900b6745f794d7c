//! What nodes read, in the form in which they can.

use super::Translator;
use crate::engine::import::call::{Constant, Value};
use crate::engine::import::lowered::{Form, Layout, Operation};
use crate::engine::import::source::{Node, Read};
use crate::engine::import::tensor::spelled;
use crate::engine::import::view::Wire;

impl<'g> Translator<'g> {
    /// The wire at a place among what a node reads.
    pub(super) fn wire(&self, node: &Node, place: usize) -> Read<Wire> {
        match self.call(node).value(place) {
            Some(Value::Wire(wire)) => Ok(wire.clone()),
            Some(_) => Err(format!(
                "{} is constant: expected what an image gives",
                node.inputs[place]
            )),
            None => Err(format!("its input {} is missing", place + 1)),
        }
    }

    /// The constant at a place among what a node reads; nothing when it is a wire or left out.
    pub(super) fn constant(&self, node: &Node, place: usize) -> Option<Constant> {
        match self.call(node).value(place) {
            Some(Value::Constant(constant)) => Some(constant.clone()),
            _ => None,
        }
    }

    /// A wire as a map that is seen in the usual order, whichever layout the file has.
    pub(super) fn as_map(&mut self, node: &'g Node, wire: &Wire) -> Read<(Wire, Layout)> {
        let layout = wire.layout().ok_or_else(|| {
            format!(
                "it reads {}: expected images of channels, rows and columns",
                spelled(&wire.shape())
            )
        })?;
        let Form::Features(features) = wire.form else {
            return Ok((wire.clone(), layout));
        };
        let form = Form::Map {
            channels: features,
            rows: 1,
            columns: 1,
        };
        let step = self.step(node, Operation::Unflatten, &[wire.step], form);
        Ok((Wire::map(step, form, self.batch, layout), layout))
    }

    /// A wire as a map whose channels come before its rows and columns in the file, as windows read it.
    pub(super) fn as_images(&mut self, node: &'g Node, wire: &Wire) -> Read<Wire> {
        match self.as_map(node, wire)? {
            (map, Layout::ChannelsFirst) => Ok(map),
            (_, Layout::ChannelsLast) => Err(format!(
                "the channels of {} are its last extent: expected channels, rows and columns in this order",
                spelled(&wire.shape())
            )),
        }
    }

    /// A wire as features in channel, row, column order.
    pub(super) fn as_features(&mut self, node: &'g Node, wire: &Wire) -> Read<Wire> {
        if !wire.is_vector() {
            let shape = spelled(&wire.shape());
            return Err(format!("it reads {shape}: expected vectors"));
        }
        if !wire.axes[1].is_sorted() {
            return Err("its features are of a map in another order".into());
        }
        if matches!(wire.form, Form::Features(_)) {
            return Ok(wire.clone());
        }
        let features = wire.form.elements();
        let step = self.step(
            node,
            Operation::Flatten,
            &[wire.step],
            Form::Features(features),
        );
        Ok(Wire::features(step, features, self.batch))
    }
}
