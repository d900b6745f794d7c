//! The grids of a weight tensor: one for all its weights, or one for each output channel.

use super::weights::{code, fit, quantize, squared_error};
use super::{Bits, ScaleRule};
use crate::engine::backend::Grid;
use crate::engine::graph::operations::Codes;
use crate::engine::{Error, Result};

/// Grids of the same codes that share a tensor evenly, in the order of its output channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Grids {
    /// Integer codes.
    pub codes: Codes,
    /// Step size of each; one, or as many as there are output channels.
    pub steps: Vec<f64>,
}

impl Grids {
    /// The grids of `values`, which belong to `channels` output channels one after another.
    ///
    /// # Errors
    /// When a value is not finite.
    pub fn fit(codes: Codes, rule: ScaleRule, (values, channels): (&[f64], usize)) -> Result<Self> {
        let count = if rule.is_per_channel() { channels } else { 1 };
        let parts = values.chunks(part(values.len(), count));
        let steps = parts.map(|part| Ok(fit(codes, rule, part)?.step));
        Ok(Self {
            codes,
            steps: steps.collect::<Result<_>>()?,
        })
    }

    /// Every grid with its place in a tensor of `len` values.
    pub fn places(&self, len: usize) -> impl Iterator<Item = (Grid, std::ops::Range<usize>)> {
        let part = part(len, self.steps.len());
        let grid = move |(index, &step): (usize, &f64)| {
            let start = (index * part).min(len);
            (self.codes.grid(step), start..(start + part).min(len))
        };
        self.steps.iter().enumerate().map(grid)
    }

    /// Every value moved to its grid.
    #[must_use]
    pub fn quantize(&self, values: &[f64]) -> Vec<f64> {
        let parts = self.places(values.len());
        parts
            .flat_map(|(grid, place)| quantize(grid, &values[place]))
            .collect()
    }

    /// The code of every value.
    #[must_use]
    pub fn codes_of(&self, values: &[f64]) -> Vec<i8> {
        let parts = self.places(values.len());
        let codes = |(grid, place): (Grid, std::ops::Range<usize>)| {
            let values = values[place].iter();
            values.map(move |&value| code(grid, value) as i8)
        };
        parts.flat_map(codes).collect()
    }

    /// `norm(Q(w) - w)^2`: the perturbation of HAWQ (arXiv 1905.03696, equation 8).
    #[must_use]
    pub fn squared_error(&self, values: &[f64]) -> f64 {
        let parts = self.places(values.len());
        parts
            .map(|(grid, place)| squared_error(grid, &values[place]))
            .sum()
    }
}

/// Values of each of `count` even parts; at least 1.
fn part(len: usize, count: usize) -> usize {
    len.div_ceil(count.max(1)).max(1)
}

/// Perturbation of a tensor at each of `bits`.
///
/// # Errors
/// When a value is not finite.
pub fn perturbations(
    (values, channels): (&[f64], usize),
    rule: ScaleRule,
    bits: &[Bits],
) -> Result<Vec<(Bits, f64)>> {
    let widths = bits.iter().filter(|bits| !bits.is_float());
    let error = |&bits: &Bits| {
        let grids = Grids::fit(Codes::Signed(bits), rule, (values, channels))?;
        Ok::<_, Error>((bits, grids.squared_error(values)))
    };
    widths.map(error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three channels of 50 weights, each ten times as wide as the one before.
    fn channels() -> Vec<f64> {
        let wave = |i: usize| ((i * i) as f64 * 0.37).sin();
        (0..150)
            .map(|i| wave(i) * 10f64.powi((i / 50) as i32))
            .collect()
    }

    #[test]
    fn a_rule_per_channel_is_that_rule_on_every_channel() {
        let values = channels();
        let codes = Codes::Signed(Bits::new(3).unwrap());
        for (rule, alone) in [
            (ScaleRule::MseChannel, ScaleRule::Mse),
            (ScaleRule::MaxChannel, ScaleRule::Max),
        ] {
            let grids = Grids::fit(codes, rule, (&values, 3)).unwrap();
            let mut error = 0.0;
            let mut quantized = Vec::new();
            for (channel, step) in values.chunks(50).zip(&grids.steps) {
                let grid = fit(codes, alone, channel).unwrap();
                assert!((grid.step - step).abs() < 1e-15);
                error += squared_error(grid, channel);
                quantized.extend(quantize(grid, channel));
            }
            assert!((grids.squared_error(&values) - error).abs() < 1e-9);
            assert_eq!(grids.quantize(&values), quantized);
            let moved = grids.codes_of(&values);
            for (at, (code, value)) in moved.iter().zip(&quantized).enumerate() {
                assert!((f64::from(*code) * grids.steps[at / 50] - value).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn channels_of_their_own_lose_less_than_one_grid() {
        let values = channels();
        let bits = [Bits::new(2).unwrap(), Bits::new(4).unwrap(), Bits::FLOAT];
        let one = perturbations((&values, 3), ScaleRule::Mse, &bits).unwrap();
        let each = perturbations((&values, 3), ScaleRule::MseChannel, &bits).unwrap();
        assert_eq!(one.len(), 2);
        for ((_, one), (_, each)) in one.iter().zip(&each) {
            assert!(each < one);
        }
    }
}
