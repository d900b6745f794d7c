//! Functions of each value.

use super::super::call::{Constant, Value};
use super::super::lowered::Operation;
use super::super::source::Node;
use super::super::view::Wire;
use super::{Parsed, Translator};

impl<'g> Translator<'g> {
    /// A step that changes no form.
    pub(super) fn pointwise(
        &mut self,
        node: &'g Node,
        wire: &Wire,
        operation: Operation,
    ) -> Parsed {
        let step = self.step(node, operation, &[wire.step], wire.form);
        Ok(vec![Value::Wire(wire.like(step, wire.form))])
    }

    /// Between two bounds, of which either may be infinite.
    pub(super) fn clip(&mut self, node: &'g Node, wire: &Wire, [min, max]: [f32; 2]) -> Parsed {
        // Exporters write the largest number where they mean that there is no bound.
        let min = if min <= f32::MIN {
            f32::NEG_INFINITY
        } else {
            min
        };
        let max = if max >= f32::MAX { f32::INFINITY } else { max };
        if min.is_nan() || max.is_nan() || min > max {
            return Err(format!("its bounds are {min} and {max}"));
        }
        match (min, max) {
            (f32::NEG_INFINITY, f32::INFINITY) => Ok(vec![Value::Wire(wire.clone())]),
            (0.0, f32::INFINITY) => self.pointwise(node, wire, Operation::Relu),
            (min, max) => self.pointwise(node, wire, Operation::Clip { min, max }),
        }
    }

    /// A slope below zero.
    pub(super) fn leaky(&mut self, node: &'g Node, slope: f64) -> Parsed {
        let wire = self.wire(node, 0)?;
        let slope = slope as f32;
        if !slope.is_finite() {
            return Err(format!("its slope is {slope}: expected a finite number"));
        }
        self.pointwise(node, &wire, Operation::LeakyRelu { slope })
    }

    /// A slope below zero, one for all or one a channel.
    pub(super) fn prelu(&mut self, node: &'g Node, slope: &Constant) -> Parsed {
        let wire = self.wire(node, 0)?;
        let mut slope = slope.clone();
        if slope.tensor.shape.len() == 1 && self.graph.container == super::Container::Pt2 {
            // One number a channel, whatever the rank.
            let mut shape = slope.tensor.shape.clone();
            shape.resize(wire.axes.len().saturating_sub(1).max(1), 1);
            slope.tensor = slope.tensor.reshaped(shape);
        }
        // One number for all stays one, which is trained and stored as such.
        let slopes = slope.tensor.len();
        let (wire, per_channel) = self.per_channel(node, &wire, &slope)?;
        let slope = if slopes == 1 {
            slope.tensor = slope.tensor.reshaped(vec![1]);
            self.parameter(&[1], &slope)?
        } else {
            self.parameter(&[wire.form.channels()], &per_channel)?
        };
        self.pointwise(node, &wire, Operation::PRelu { slope })
    }

    /// An operation that is not supported but changes no form: what follows can still be looked at.
    pub(super) fn opaque(&mut self, node: &'g Node, reason: &str) -> Parsed {
        let wire = self.wire(node, 0)?;
        self.refuse(node, reason);
        self.pointwise(node, &wire, Operation::Opaque)
    }

    /// A softmax: taken off where it is the end, and remembered.
    pub(super) fn softmax(&mut self, node: &'g Node, axis: i64) -> Parsed {
        let wire = self.wire(node, 0)?;
        let place = super::super::call::place(axis, wire.axes.len())?;
        // Before opset 13 everything from the axis on is taken together.
        let is_old = self.graph.container == super::Container::Onnx && self.graph.opset < 13;
        let is_taken = |at: usize| at == place || (is_old && at > place);
        let mut extents = wire.shape().into_iter().enumerate();
        let others = extents.all(|(at, extent)| at == 0 || is_taken(at) || extent == 1);
        if place == 0 || !others || !self.is_answer(node) {
            return self.opaque(node, "it is not at the end, over the classes");
        }
        self.softmax = Some(node.operation.clone());
        Ok(vec![Value::Wire(wire)])
    }
}
