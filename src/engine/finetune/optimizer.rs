//! Stochastic gradient descent with momentum, as `PyTorch` defines it:
//!
//! ```text
//! d = gradient + weight_decay * value
//! v = momentum * v + d
//! value -= rate * v                      (Nesterov: rate * (d + momentum * v))
//! ```
//! Step sizes of weights and activations are learned by the same rule without weight decay
//! (LSQ, arXiv 1902.08153 section 2.1; their gradients come scaled by `1 / sqrt(n q)`).

use std::collections::BTreeMap;

use super::settings::Settings;
use crate::engine::graph::{ParameterSpec, Role, single};
use crate::engine::quant::QuantizedNetwork;
use crate::engine::{Error, Result};

/// A learned step size falls at most to this share of itself in one update, and so stays positive.
const STEADY: f64 = 0.5;

/// What SGD remembers between steps, by parameter name; a parameter that is not there starts at rest.
pub type Velocities = BTreeMap<String, Vec<f64>>;

/// Name under which the step sizes of a layer's weights are remembered.
#[must_use]
pub fn weight_step_name(layer: &str) -> String {
    format!("{layer}.weight.step")
}

/// The rule of one update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    /// Learning rate.
    pub rate: f64,
    /// Share of the last update that is repeated.
    pub momentum: f64,
    /// Whether the gradient is taken ahead of the repeated update.
    pub nesterov: bool,
    /// Pull towards zero.
    pub weight_decay: f64,
}

impl Update {
    /// Of settings at a learning rate.
    #[must_use]
    pub const fn new(settings: &Settings, rate: f64) -> Self {
        Self {
            rate,
            momentum: settings.momentum,
            nesterov: settings.nesterov,
            weight_decay: settings.weight_decay,
        }
    }

    /// Without weight decay.
    #[must_use]
    const fn undecayed(self) -> Self {
        Self {
            weight_decay: 0.0,
            ..self
        }
    }

    /// Moves `values` along their gradient.
    pub fn apply(&self, values: &mut [f64], gradient: &[f64], velocity: &mut Vec<f64>) {
        velocity.resize(values.len(), 0.0);
        for ((value, gradient), velocity) in values.iter_mut().zip(gradient).zip(velocity) {
            let pull = gradient + self.weight_decay * *value;
            *velocity = self.momentum * *velocity + pull;
            let ahead = pull + self.momentum * *velocity;
            let by = if self.nesterov { ahead } else { *velocity };
            *value = single(*value - self.rate * by);
        }
    }
}

/// Moves every trainable parameter and every step size of `network` along `gradients`, which are
/// those of the quantized weights and are turned into those of the master weights here.
///
/// # Errors
/// When an updated parameter is not finite; `step` says when.
pub fn descend(
    network: &mut QuantizedNetwork,
    velocities: &mut Velocities,
    (mut gradients, update): (Vec<Option<Vec<f64>>>, Update),
    step: u64,
) -> Result<()> {
    let weight_steps = network.straight_through(&mut gradients);
    scale_activation_steps(network, &mut gradients);
    let specs = network.graph.parameters().to_vec();
    let values = network.parameters.all_mut();
    for ((spec, values), gradient) in specs.iter().zip(values).zip(&gradients) {
        let Some(gradient) = gradient else { continue };
        let velocity = velocities.entry(spec.name.to_string()).or_default();
        if spec.role == Role::Step {
            let before = values[0];
            update.undecayed().apply(values, gradient, velocity);
            values[0] = steady(before, values[0]);
        } else if spec.role == Role::Slope {
            // Decay would turn a leaking rectifier into a plain one (arXiv 1502.01852 section 2.1).
            update.undecayed().apply(values, gradient, velocity);
        } else {
            update.apply(values, gradient, velocity);
        }
        check(spec, values, step)?;
    }
    for (layer, gradient) in weight_steps.into_iter().enumerate() {
        let (Some(gradient), Some(quantizer)) = (gradient, &network.quantizers[layer]) else {
            continue;
        };
        let velocity = velocities.entry(weight_step_name(&quantizer.layer));
        let mut moved = quantizer.grids.steps.clone();
        update
            .undecayed()
            .apply(&mut moved, &gradient, velocity.or_default());
        for (moved, step) in moved.iter_mut().zip(&quantizer.grids.steps) {
            *moved = steady(*step, *moved);
        }
        network.set_weight_steps(layer, &moved);
    }
    Ok(())
}

fn scale_activation_steps(network: &QuantizedNetwork, gradients: &mut [Option<Vec<f64>>]) {
    for layer in 0..network.bits.len() {
        let id = network.activation_step_id(layer);
        if let Some(gradient) = id.and_then(|id| gradients[id.index()].as_mut()) {
            let scale = network.activation_gradient_scale(layer);
            gradient.iter_mut().for_each(|slope| *slope *= scale);
        }
    }
}

/// A NaN passes, to be refused by [`check`] or by the next loss.
fn steady(before: f64, after: f64) -> f64 {
    if after < before * STEADY {
        single(before * STEADY)
    } else {
        after
    }
}

fn check(spec: &ParameterSpec, values: &[f64], step: u64) -> Result<()> {
    if values.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    Err(Error::NotFinite(format!(
        "{} after training step {step}",
        spec.name
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Update = Update {
        rate: 0.1,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };

    fn walk(update: Update, steps: u32, gradient: impl Fn(f64) -> f64) -> f64 {
        let (mut value, mut velocity) = ([1.0], Vec::new());
        for _ in 0..steps {
            let slope = gradient(value[0]);
            update.apply(&mut value, &[slope], &mut velocity);
        }
        value[0]
    }

    #[test]
    fn a_constant_gradient_moves_by_the_geometric_sum() {
        // v_k = (1 - m^k) / (1 - m), so the sum of v_1..v_n = (n - m (1 - m^n) / (1 - m)) / (1 - m).
        for steps in [1, 2, 10] {
            let n = f64::from(steps);
            let moved = (n - 0.9 * (1.0 - 0.9f64.powf(n)) / 0.1) / 0.1;
            let value = walk(PLAIN, steps, |_| 1.0);
            assert!((value - (1.0 - 0.1 * moved)).abs() < 1e-6, "{steps}");
        }
    }

    #[test]
    fn nesterov_looks_one_update_ahead() {
        let update = Update {
            nesterov: true,
            ..PLAIN
        };
        // d = 1: v = 1, moved by d + 0.9 v = 1.9; then v = 1.9, moved by 1 + 0.9 * 1.9 = 2.71.
        assert!((walk(update, 2, |_| 1.0) - (1.0 - 0.1 * (1.9 + 2.71))).abs() < 1e-6);
    }

    #[test]
    fn weight_decay_alone_shrinks_as_a_power() {
        let update = Update {
            momentum: 0.0,
            weight_decay: 0.5,
            ..PLAIN
        };
        assert!((walk(update, 7, |_| 0.0) - 0.95f64.powi(7)).abs() < 1e-6);
    }

    #[test]
    fn a_parabola_is_descended() {
        assert!(walk(PLAIN, 300, |x| x).abs() < 1e-6);
    }

    #[test]
    fn step_sizes_at_most_halve() {
        assert!((steady(1.0, -3.0) - 0.5).abs() < 1e-6);
        assert!((steady(1.0, 0.7) - 0.7).abs() < 1e-6);
        assert!(steady(1.0, f64::NAN).is_nan());
    }
}
