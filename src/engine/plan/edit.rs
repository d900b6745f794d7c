//! Edits of a plan. A tie moves as one; bits set by hand become pinned.

use super::{Plan, PlannedLayer};
use crate::engine::quant::Bits;
use crate::engine::{Error, Result};

use super::pattern::{self, Override};

/// Which of a layer's two widths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// Of its weights.
    Weights,
    /// Of the activation it reads.
    Activations,
}

impl PlannedLayer {
    /// One of its widths.
    #[must_use]
    pub const fn width(&self, width: Width) -> Bits {
        match width {
            Width::Weights => self.weight_bits,
            Width::Activations => self.activation_bits,
        }
    }

    fn width_mut(&mut self, width: Width) -> &mut Bits {
        match width {
            Width::Weights => &mut self.weight_bits,
            Width::Activations => &mut self.activation_bits,
        }
    }
}

impl Plan {
    /// `layers` and everything tied to them, in order.
    #[must_use]
    pub fn with_tied(&self, layers: &[usize]) -> Vec<usize> {
        let tied = |index: usize| {
            let tie = &self.layers[index].tie;
            layers
                .iter()
                .any(|&l| l == index || (tie.is_some() && self.layers[l].tie == *tie))
        };
        (0..self.layers.len())
            .filter(|&index| tied(index))
            .collect()
    }

    /// Sets one width of some layers, and pins them. Weight bits of tied layers move along.
    pub fn set(&mut self, layers: &[usize], width: Width, bits: Bits) {
        let moved = match width {
            Width::Weights => self.with_tied(layers),
            Width::Activations => layers.to_vec(),
        };
        for index in moved {
            *self.layers[index].width_mut(width) = bits;
            self.layers[index].pinned = true;
        }
    }

    /// Moves one width of some layers by `steps` along `candidates` (sorted), and pins them.
    pub fn step(&mut self, layers: &[usize], width: Width, steps: isize, candidates: &[Bits]) {
        for &index in layers {
            if let Some(bits) = stepped(self.layers[index].width(width), steps, candidates) {
                self.set(&[index], width, bits);
            }
        }
    }

    /// Pins or unpins layers.
    pub fn pin(&mut self, layers: &[usize], pinned: bool) {
        for index in self.with_tied(layers) {
            self.layers[index].pinned = pinned;
        }
    }

    /// Ties layers together: they take the weight bits of the first of them.
    pub fn tie(&mut self, layers: &[usize]) {
        let all = self.with_tied(layers);
        let Some(&first) = all.first().filter(|_| all.len() > 1) else {
            return;
        };
        let (name, bits) = (
            self.layers[first].name.to_string(),
            self.layers[first].weight_bits,
        );
        let pinned = all.iter().any(|&index| self.layers[index].pinned);
        for index in all {
            self.layers[index].tie = Some(name.clone());
            self.layers[index].weight_bits = bits;
            self.layers[index].pinned = pinned;
        }
    }

    /// Loosens the ties of layers.
    pub fn untie(&mut self, layers: &[usize]) {
        for index in self.with_tied(layers) {
            self.layers[index].tie = None;
        }
    }

    /// Gives layers the bits they have in `automatic`, and unpins them.
    pub fn reset(&mut self, layers: &[usize], automatic: &Self) {
        for index in self.with_tied(layers) {
            if let Some(source) = automatic.layers.get(index) {
                self.layers[index].weight_bits = source.weight_bits;
                self.layers[index].activation_bits = source.activation_bits;
                self.layers[index].pinned = false;
            }
        }
    }

    /// Applies overrides in order; later ones win.
    ///
    /// # Errors
    /// When a pattern matches nothing.
    pub fn apply(&mut self, overrides: &[Override]) -> Result<()> {
        for set in overrides {
            let layers = pattern::matching(&set.pattern, &self.names())?;
            self.set(&layers, Width::Weights, set.weights);
            if let Some(bits) = set.activations {
                self.set(&layers, Width::Activations, bits);
            }
        }
        Ok(())
    }

    /// Checks that tied layers share their weight bits.
    ///
    /// # Errors
    /// Naming two layers that differ.
    pub fn check_ties(&self) -> Result<()> {
        for (index, layer) in self.layers.iter().enumerate() {
            let Some(tie) = &layer.tie else { continue };
            let later = &self.layers[index + 1..];
            let differs = |other: &&PlannedLayer| {
                other.tie.as_ref() == Some(tie) && other.weight_bits != layer.weight_bits
            };
            if let Some(other) = later.iter().find(differs) {
                return Err(Error::invalid(format!(
                    "tie {tie:?}: {} has {} bits and {} has {}; tied layers must share bits",
                    layer.name, layer.weight_bits, other.name, other.weight_bits
                )));
            }
        }
        Ok(())
    }
}

/// The width `steps` candidates above `now` (below when negative), the first or last at most.
fn stepped(now: Bits, steps: isize, candidates: &[Bits]) -> Option<Bits> {
    let last = candidates.len().checked_sub(1)?;
    let place = if steps < 0 {
        candidates
            .partition_point(|&bits| bits < now)
            .saturating_sub(steps.unsigned_abs())
    } else {
        let above = candidates.partition_point(|&bits| bits <= now);
        (above + steps.unsigned_abs()).saturating_sub(1)
    };
    Some(candidates[place.min(last)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::quant::ScaleRule;

    fn bits(bits: u64) -> Bits {
        Bits::new(bits).unwrap()
    }

    fn plan() -> Plan {
        let layer = |name: &str| PlannedLayer {
            name: name.into(),
            weight_bits: bits(4),
            activation_bits: bits(8),
            pinned: false,
            tie: None,
        };
        let layers = ["a", "b", "c", "d"].map(layer).into();
        Plan {
            model: "m".into(),
            fingerprint: None,
            scale: ScaleRule::Mse,
            layers,
        }
    }

    fn weights(plan: &Plan) -> Vec<u8> {
        plan.layers
            .iter()
            .map(|layer| layer.weight_bits.get())
            .collect()
    }

    #[test]
    fn tied_layers_move_together_and_are_pinned() {
        let mut plan = plan();
        plan.tie(&[0, 2]);
        plan.set(&[2], Width::Weights, bits(2));
        assert_eq!(weights(&plan), [2, 4, 2, 4]);
        assert_eq!(plan.layers.iter().filter(|layer| layer.pinned).count(), 2);
        plan.untie(&[0]);
        plan.set(&[0], Width::Weights, bits(8));
        assert_eq!(weights(&plan), [8, 4, 2, 4]);
    }

    #[test]
    fn steps_follow_the_candidates_and_stop_at_the_ends() {
        let candidates = [2, 3, 4, 8].map(bits);
        let mut plan = plan();
        plan.step(&[0], Width::Weights, 1, &candidates);
        plan.step(&[1], Width::Weights, -1, &candidates);
        plan.step(&[2], Width::Weights, 5, &candidates);
        plan.set(&[3], Width::Weights, bits(6));
        plan.step(&[3], Width::Weights, 1, &candidates);
        assert_eq!(weights(&plan), [8, 3, 8, 8]);
        plan.set(&[3], Width::Weights, bits(6));
        plan.step(&[3], Width::Weights, -1, &candidates);
        assert_eq!(weights(&plan), [8, 3, 8, 4]);
    }

    #[test]
    fn reset_goes_back_to_the_automatic_bits() {
        let automatic = plan();
        let mut edited = plan();
        edited.set(&[1], Width::Activations, bits(2));
        assert_eq!(edited.differences(&automatic), [1]);
        edited.reset(&[1], &automatic);
        assert_eq!(edited, automatic);
    }
}
