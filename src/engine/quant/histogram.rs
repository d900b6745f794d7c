//! Where the weights of a layer lie, and which of the grid's values they are moved to.

use super::weights::code;
use super::{Bits, Grids, ScaleRule};
use crate::engine::backend::Grid;
use crate::engine::graph::operations::Codes;
use crate::engine::{Error, Result};

/// Bins of a histogram: many widths divide it.
pub const BINS: usize = 240;

/// Counts of values in bins of equal width.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Where the first bin begins.
    pub low: f64,
    /// Where the last bin ends; it holds values that are just there, too.
    pub high: f64,
    /// Values in each bin.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Of `values`, over a range that is symmetric around zero.
    ///
    /// # Errors
    /// When a value is not finite.
    pub fn of(values: &[f64], bins: usize) -> Result<Self> {
        let largest = values
            .iter()
            .fold(0.0f64, |most, value| most.max(value.abs()));
        if !values.iter().all(|value| value.is_finite()) {
            return Err(Error::NotFinite("a weight".to_owned()));
        }
        let high = if largest > 0.0 { largest } else { 1.0 };
        let mut counts = vec![0; bins.max(1)];
        let last = counts.len() - 1;
        for value in values {
            let place = (value + high) / (2.0 * high) * bins as f64;
            counts[(place as usize).min(last)] += 1;
        }
        Ok(Self {
            low: -high,
            high,
            counts,
        })
    }

    /// The counts in `count` bins, as many of the finer ones together as that takes.
    ///
    /// # Panics
    /// When `count` does not divide the number of bins.
    #[must_use]
    pub fn joined(&self, count: usize) -> Vec<u64> {
        assert_eq!(self.counts.len() % count, 0, "{count} bins");
        let bins = self.counts.chunks(self.counts.len() / count);
        bins.map(|bins| bins.iter().sum()).collect()
    }
}

/// What a grid makes of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    /// The grid.
    pub grid: Grid,
    /// Values moved to each value of the grid, from its smallest on.
    pub counts: Vec<u64>,
    /// Values beyond its ends by more than half a step.
    pub clipped: u64,
    /// Squared error in all: the perturbation.
    pub perturbation: f64,
}

impl Levels {
    /// Of `values` on `grid`.
    #[must_use]
    pub fn of(grid: Grid, values: &[f64]) -> Self {
        let mut counts = vec![0; (grid.high - grid.low) as usize + 1];
        let (mut clipped, mut perturbation) = (0, 0.0);
        for &value in values {
            let code = code(grid, value);
            counts[(code - grid.low) as usize] += 1;
            let error = code * grid.step - value;
            clipped += u64::from(error.abs() > 0.5 * grid.step * (1.0 + 1e-9));
            perturbation += error * error;
        }
        Self {
            grid,
            counts,
            clipped,
            perturbation,
        }
    }

    /// The values of the grid, ascending.
    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        let codes = (0..self.counts.len()).map(|place| self.grid.low + place as f64);
        codes.map(|code| code * self.grid.step).collect()
    }
}

/// The weights of a layer, and what bits make of them.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightHistogram {
    /// Bits; 32 where they stay as they are.
    pub bits: Bits,
    /// How the step size was chosen.
    pub scale: ScaleRule,
    /// Where the weights lie.
    pub histogram: Histogram,
    /// What the bits make of them; absent at 32 bits.
    pub levels: Option<Levels>,
    /// Sum of the squared weights.
    pub squares: f64,
}

impl WeightHistogram {
    /// Of `values` at `bits`, which belong to `channels` output channels. Where each channel has a
    /// grid of its own, its weights are drawn in proportion to its step, on a grid of the mean step.
    ///
    /// # Errors
    /// When a value is not finite.
    pub fn of((values, channels): (&[f64], usize), bits: Bits, scale: ScaleRule) -> Result<Self> {
        let (drawn, levels) = if bits.is_float() {
            (values.to_vec(), None)
        } else {
            let grids = Grids::fit(Codes::Signed(bits), scale, (values, channels))?;
            let mean = grids.steps.iter().sum::<f64>() / grids.steps.len() as f64;
            let mut drawn = values.to_vec();
            for (grid, place) in grids
                .places(values.len())
                .filter(|_| scale.is_per_channel())
            {
                drawn[place]
                    .iter_mut()
                    .for_each(|value| *value *= mean / grid.step);
            }
            let levels = Levels {
                perturbation: grids.squared_error(values),
                ..Levels::of(grids.codes.grid(mean), &drawn)
            };
            (drawn, Some(levels))
        };
        Ok(Self {
            bits,
            scale,
            histogram: Histogram::of(&drawn, BINS)?,
            levels,
            squares: values.iter().map(|value| value * value).sum(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::quant::weights::{quantize, squared_error};

    fn wave(n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| ((i * i) as f64 * 0.37).sin() * 0.1 * (1.0 + (i % 7) as f64))
            .collect()
    }

    #[test]
    fn counts_sum_to_the_number_of_weights() {
        let values = wave(5000);
        let histogram = Histogram::of(&values, BINS).unwrap();
        assert_eq!(histogram.counts.iter().sum::<u64>(), 5000);
        for width in [1, 20, 48, 80, 120] {
            let joined = histogram.joined(width);
            assert_eq!((joined.len(), joined.iter().sum::<u64>()), (width, 5000));
        }
        let inside = values.iter().filter(|v| **v < 0.0).count() as u64;
        assert_eq!(histogram.joined(2)[0], inside);
        assert!(Histogram::of(&[1.0, f64::NAN], BINS).is_err());
        assert_eq!(Histogram::of(&[0.0; 5], 4).unwrap().counts, [0, 0, 5, 0]);
    }

    #[test]
    fn levels_are_the_values_that_quantize_gives() {
        let values = wave(3000);
        for (width, scale) in [
            (2, ScaleRule::Mse),
            (3, ScaleRule::Max),
            (8, ScaleRule::Mse),
        ] {
            let bits = Bits::new(width).unwrap();
            let found = WeightHistogram::of((&values, 1), bits, scale).unwrap();
            let levels = found.levels.unwrap();
            let quantized = quantize(levels.grid, &values);
            assert_eq!(levels.counts.len(), (1 << width) - 1);
            for (value, count) in levels.values().into_iter().zip(&levels.counts) {
                let there = quantized.iter().filter(|q| (**q - value).abs() < 1e-15);
                assert_eq!(there.count() as u64, *count, "{width} bits, {value}");
            }
            let error = squared_error(levels.grid, &values);
            assert!((levels.perturbation - error).abs() < 1e-12 * error);
            assert_eq!(levels.clipped > 0, scale == ScaleRule::Mse && width < 8);
        }
        let float = WeightHistogram::of((&values, 1), Bits::FLOAT, ScaleRule::Mse).unwrap();
        assert!(float.levels.is_none());
        let three = Bits::new(3).unwrap();
        let each = WeightHistogram::of((&values, 10), three, ScaleRule::MseChannel).unwrap();
        let grids = Grids::fit(Codes::Signed(three), ScaleRule::MseChannel, (&values, 10)).unwrap();
        let codes = grids.codes_of(&values);
        let levels = each.levels.unwrap();
        for (code, count) in (-3i8..=3).zip(&levels.counts) {
            let there = codes.iter().filter(|found| **found == code).count() as u64;
            assert!(there.abs_diff(*count) <= 2, "{code}: {there} and {count}");
        }
        let squares: f64 = values.iter().map(|v| v * v).sum();
        assert!((float.squares - squares).abs() < 1e-12);
    }
}
