//! Two wires, or a wire and constants, value by value.

use super::super::call::{Constant, Value};
use super::super::evaluate::broadcast_shape;
use super::super::lowered::Operation;
use super::super::source::{Node, Read};
use super::super::tensor::{Tensor, elements, spelled};
use super::super::view::Wire;
use super::norm::mapped;
use super::{Parsed, Translator};

/// What two operands become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    /// Their sum.
    Add,
    /// Their difference.
    Sub,
    /// Their product.
    Mul,
    /// Their quotient.
    Div,
}

/// An operand.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// What the image gives.
    Wire(Wire),
    /// Numbers.
    Constant(Constant),
}

impl<'g> Translator<'g> {
    pub(super) fn pair(&mut self, node: &'g Node, pair: Pair, operands: [Operand; 2]) -> Parsed {
        match operands {
            [Operand::Wire(a), Operand::Wire(b)] if pair == Pair::Add => self.sum(node, [a, b]),
            [Operand::Wire(a), Operand::Wire(b)] => self.not_linear(node, [&a, &b]),
            [Operand::Wire(wire), Operand::Constant(constant)] => match pair {
                Pair::Add => self.plus(node, &wire, &constant),
                Pair::Sub => self.plus(node, &wire, &mapped(&constant, |value| -value)),
                Pair::Mul => self.times(node, &wire, &constant),
                Pair::Div => self.times(node, &wire, &mapped(&constant, f32::recip)),
            },
            [Operand::Constant(constant), Operand::Wire(wire)] => match pair {
                Pair::Add => self.plus(node, &wire, &constant),
                Pair::Mul => self.times(node, &wire, &constant),
                Pair::Sub => self.less(node, &wire, &constant),
                Pair::Div => self.opaque_like(node, &wire, "it divides a constant"),
            },
            [Operand::Constant(_), Operand::Constant(_)] => {
                Err("it computes with constants in a way that is not known".into())
            }
        }
    }

    /// The sum of two wires of one form.
    fn sum(&mut self, node: &'g Node, [a, b]: [Wire; 2]) -> Parsed {
        if a.shape() != b.shape() {
            let (one, other) = (spelled(&a.shape()), spelled(&b.shape()));
            self.refuse(
                node,
                &format!("it adds {one} and {other}: expected one shape"),
            );
            return self.stretched(node, [&a, &b]);
        }
        let (a, b) = if a.form == b.form && a.axes == b.axes {
            (a, b)
        } else {
            (self.as_features(node, &a)?, self.as_features(node, &b)?)
        };
        let step = self.step(node, Operation::Add, &[a.step, b.step], a.form);
        Ok(vec![Value::Wire(a.like(step, a.form))])
    }

    /// Constants less a wire.
    fn less(&mut self, node: &'g Node, wire: &Wire, constant: &Constant) -> Parsed {
        let negative = Constant::made(Tensor::float(-1.0));
        match &self.times(node, wire, &negative)?[..] {
            [Value::Wire(turned)] => self.plus(node, &turned.clone(), constant),
            _ => unreachable!("a wire"),
        }
    }

    /// Several wires, one after another.
    pub(super) fn sum_of(&mut self, node: &'g Node) -> Parsed {
        let mut sum = self.operand(node, 0)?;
        for place in 1..node.inputs.len() {
            let operands = [sum, self.operand(node, place)?];
            sum = match self.pair(node, Pair::Add, operands)?.pop() {
                Some(Value::Wire(wire)) => Operand::Wire(wire),
                _ => return Err("it adds nothing".into()),
            };
        }
        match sum {
            Operand::Wire(wire) => Ok(vec![Value::Wire(wire)]),
            Operand::Constant(constant) => Ok(vec![Value::Constant(constant)]),
        }
    }

    /// The operand at a place among what a node reads.
    pub(super) fn operand(&self, node: &Node, place: usize) -> Read<Operand> {
        match self.call(node).value(place) {
            Some(Value::Wire(wire)) => Ok(Operand::Wire(wire.clone())),
            Some(Value::Constant(constant)) => Ok(Operand::Constant(constant.clone())),
            _ => Err(format!("its input {} is missing", place + 1)),
        }
    }

    /// Two wires that are multiplied or divided: curved, and not supported.
    fn not_linear(&mut self, node: &'g Node, wires: [&Wire; 2]) -> Parsed {
        self.refuse(node, "both of its operands are computed from the image");
        self.stretched(node, wires)
    }

    /// What two wires become when they are stretched to each other: the larger's form.
    fn stretched(&mut self, node: &'g Node, [a, b]: [&Wire; 2]) -> Parsed {
        let shape = broadcast_shape(&a.shape(), &b.shape())?;
        let whole = [a, b]
            .into_iter()
            .find(|wire| elements(&wire.shape()) == elements(&shape));
        let Some(wire) = whole else {
            return Ok(vec![Value::Unknown]);
        };
        let step = self.step(node, Operation::Opaque, &[a.step, b.step], wire.form);
        Ok(vec![Value::Wire(wire.like(step, wire.form))])
    }

    fn opaque_like(&mut self, node: &'g Node, wire: &Wire, reason: &str) -> Parsed {
        self.refuse(node, reason);
        self.pointwise(node, wire, Operation::Opaque)
    }
}
