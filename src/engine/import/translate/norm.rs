//! Normalisation by statistics that are known, in every form, and what exporters leave of it.

use super::super::call::{Constant, Value};
use super::super::evaluate::broadcast_shape;
use super::super::lowered::{Axis, Operation, ParameterId};
use super::super::origin::Values;
use super::super::source::{Node, Read};
use super::super::tensor::{Tensor, spelled};
use super::super::view::Wire;
use super::{Parsed, Translator};
use crate::engine::counts::counted;

/// Batch normalisation as the file has it.
pub(super) struct Norm {
    /// Factor; 1 when absent.
    pub gamma: Option<Constant>,
    /// Summand; 0 when absent.
    pub beta: Option<Constant>,
    /// Mean.
    pub mean: Constant,
    /// Variance.
    pub variance: Constant,
    /// Epsilon.
    pub epsilon: f64,
}

impl<'g> Translator<'g> {
    pub(super) fn batch_norm(&mut self, node: &'g Node, of: &Norm) -> Parsed {
        let wire = self.wire(node, 0)?;
        let wire = self.channelled(node, &wire, 1)?;
        let channels = wire.form.channels();
        let variances = of.variance.tensor.to_floats();
        let below = |variance: &&f32| f64::from(**variance) + of.epsilon <= 0.0;
        if let Some(variance) = variances.iter().find(below) {
            return Err(format!(
                "a variance of {variance:e} and an epsilon of {:e}: expected a sum above 0",
                of.epsilon
            ));
        }
        let mut each = |constant: &Constant| {
            if constant.tensor.len() != channels {
                return Err(format!(
                    "statistics of {} do not go with {}",
                    counted(constant.tensor.len(), "number"),
                    counted(channels, "channel")
                ));
            }
            self.parameter(&[channels], constant)
        };
        let operation = Operation::BatchNorm {
            gamma: of.gamma.as_ref().map(&mut each).transpose()?,
            beta: of.beta.as_ref().map(&mut each).transpose()?,
            mean: each(&of.mean)?,
            variance: each(&of.variance)?,
            epsilon: of.epsilon,
        };
        let step = self.step(node, operation, &[wire.step], wire.form);
        Ok(vec![Value::Wire(wire.like(step, wire.form))])
    }

    /// A wire in which an axis of the file is its channels, or its features.
    fn channelled(&mut self, node: &'g Node, wire: &Wire, at: usize) -> Read<Wire> {
        if at == 1 && wire.is_vector() && wire.axes[1].len() > 1 {
            return self.as_features(node, wire);
        }
        match (wire.axes.get(at), wire.axes.len()) {
            (Some(_), 2..) if wire.axis(at) == Some(Axis::Channel) => Ok(wire.clone()),
            _ => Err(format!(
                "axis {at} of {} is not its channels",
                spelled(&wire.shape())
            )),
        }
    }

    /// A constant as one number a channel, and the wire that it goes with.
    pub(super) fn per_channel(
        &mut self,
        node: &'g Node,
        wire: &Wire,
        constant: &Constant,
    ) -> Read<(Wire, Constant)> {
        let shape = wire.shape();
        let told = || {
            format!(
                "constants of shape {} do not go with {}: expected one number, or one a channel",
                spelled(&constant.tensor.shape),
                spelled(&shape)
            )
        };
        let shift = shape
            .len()
            .checked_sub(constant.tensor.shape.len())
            .ok_or_else(told)?;
        let wide = constant.tensor.shape.iter().enumerate();
        let wide: Vec<usize> = wide
            .filter(|(_, e)| **e > 1)
            .map(|(at, _)| at + shift)
            .collect();
        let wire = match &wide[..] {
            [] => wire.clone(),
            &[at] if shape[at] == constant.tensor.len() => self.channelled(node, wire, at)?,
            _ => return Err(told()),
        };
        let channels = wire.form.channels();
        let tensor = if wide.is_empty() {
            let value = *constant.tensor.to_floats().first().ok_or_else(told)?;
            self.budget.take(&[channels])?;
            Tensor::floats(vec![channels], vec![value; channels])
        } else {
            constant.tensor.reshaped(vec![channels])
        };
        let origin = constant.origin.clone();
        Ok((wire, Constant { tensor, origin }))
    }

    /// A wire times constants.
    pub(super) fn times(&mut self, node: &'g Node, wire: &Wire, factor: &Constant) -> Parsed {
        if changes_nothing(wire, factor, 1.0)? {
            return Ok(vec![Value::Wire(wire.clone())]);
        }
        let (wire, factor) = self.per_channel(node, wire, factor)?;
        let factor = self.parameter(&[wire.form.channels()], &factor)?;
        Ok(self.scale(node, &wire, [Some(factor), None]))
    }

    /// A wire and constants: the bias of the layer before, the summand of the factor before, or neither.
    pub(super) fn plus(&mut self, node: &'g Node, wire: &Wire, shift: &Constant) -> Parsed {
        if changes_nothing(wire, shift, 0.0)? {
            return Ok(vec![Value::Wire(wire.clone())]);
        }
        let (wire, shift) = self.per_channel(node, wire, shift)?;
        let channels = wire.form.channels();
        let alone = self.is_alone(node, wire.step);
        let open = match &self.steps[wire.step].operation {
            Operation::Conv { bias: None, .. }
            | Operation::Linear { bias: None, .. }
            | Operation::Scale { shift: None, .. } => alone,
            _ => false,
        };
        let shift = self.parameter(&[channels], &shift)?;
        if !open {
            return Ok(self.scale(node, &wire, [None, Some(shift)]));
        }
        match &mut self.steps[wire.step].operation {
            Operation::Conv { bias, .. }
            | Operation::Linear { bias, .. }
            | Operation::Scale { shift: bias, .. } => *bias = Some(shift),
            _ => {}
        }
        Ok(vec![Value::Wire(wire)])
    }

    fn scale(
        &mut self,
        node: &'g Node,
        wire: &Wire,
        [factor, shift]: [Option<ParameterId>; 2],
    ) -> Vec<Value> {
        let operation = Operation::Scale { factor, shift };
        let step = self.step(node, operation, &[wire.step], wire.form);
        vec![Value::Wire(wire.like(step, wire.form))]
    }
}

/// Whether constants are all the one that changes nothing, and stretch no extent.
fn changes_nothing(wire: &Wire, constant: &Constant, idle: f32) -> Read<bool> {
    let values = constant.tensor.to_floats();
    let shape = wire.shape();
    let fits = broadcast_shape(&shape, &constant.tensor.shape)? == shape;
    Ok(fits && values.iter().all(|&value| value == idle))
}

/// Numbers under a function of each.
pub(super) fn mapped(constant: &Constant, of: impl Fn(f32) -> f32) -> Constant {
    let values = constant.tensor.to_floats();
    let values = values.iter().map(|&value| of(value)).collect();
    Constant {
        tensor: Tensor::floats(constant.tensor.shape.clone(), values),
        origin: constant
            .origin
            .as_ref()
            .map(|origin| origin.then(Values::Folded)),
    }
}
