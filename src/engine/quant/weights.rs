//! Uniform symmetric quantization of weight tensors: `clamp(round(w / s), -q, q) * s` with
//! `q = 2^(bits-1) - 1`, rounding half to even.

use crate::engine::backend::Grid;
use crate::engine::graph::operations::Codes;
use crate::engine::graph::single;
use crate::engine::scale_rule::ScaleRule;
use crate::engine::{Error, Result};

/// Adding and subtracting it rounds a small number to an integer, half to even, and, unlike the
/// library's rounding, in vector instructions that every processor has.
const ROUNDING: f64 = 1.5 * (1_u64 << 52) as f64;

/// The code of one value: an integer within the grid's range, half to even.
#[must_use]
pub fn code(grid: Grid, value: f64) -> f64 {
    let scaled = (value / grid.step).clamp(grid.low, grid.high);
    (scaled + ROUNDING) - ROUNDING
}

/// Every value moved to the grid.
#[must_use]
pub fn quantize(grid: Grid, values: &[f64]) -> Vec<f64> {
    values
        .iter()
        .map(|&value| code(grid, value) * grid.step)
        .collect()
}

/// `norm(Q(w) - w)^2`: the perturbation of HAWQ (arXiv 1905.03696, equation 8).
#[must_use]
pub fn squared_error(grid: Grid, values: &[f64]) -> f64 {
    values
        .iter()
        .map(|&v| (code(grid, v) * grid.step - v).powi(2))
        .sum()
}

/// The one grid for `values` at `codes`. Zeros alone get a step of one.
///
/// # Errors
/// When a value is not finite.
pub fn fit(codes: Codes, rule: ScaleRule, values: &[f64]) -> Result<Grid> {
    let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if !values.iter().all(|v| v.is_finite()) {
        return Err(Error::NotFinite("a value to be quantized".to_owned()));
    }
    let (_, high) = codes.range();
    if largest == 0.0 {
        return Ok(codes.grid(1.0));
    }
    let widest = codes.grid(largest / high);
    let Grid { step, .. } = match rule {
        ScaleRule::Max | ScaleRule::MaxChannel => widest,
        ScaleRule::Mse | ScaleRule::MseChannel => least_squares(widest, values),
    };
    // A step below float32's smallest would vanish.
    Ok(codes.grid(single(step).max(f64::from(f32::MIN_POSITIVE))))
}

/// The step of least squared error: a scan over clipping points, then a finer one around the best, each
/// point refined by alternating between codes and the best step for them (Lloyd's iteration, whose
/// error never rises).
fn least_squares(widest: Grid, values: &[f64]) -> Grid {
    const POINTS: u32 = 50;
    let share = |point: u32| f64::from(point) / f64::from(POINTS);
    let sorted = Sorted::new(widest, values);
    let mut best = (sorted.squared_error(widest), widest);
    let mut scan = |from: f64, to: f64| {
        for point in 1..=POINTS {
            let step = widest.step * (from + (to - from) * share(point));
            let grid = sorted.refine(Grid { step, ..widest });
            let error = sorted.squared_error(grid);
            if error < best.0 {
                best = (error, grid);
            }
        }
        best.1.step / widest.step
    };
    let coarse = scan(0.0, 1.0);
    let around = 1.0 / f64::from(POINTS);
    scan((coarse - around).max(0.0), (coarse + around).min(1.0));
    best.1
}

/// Values by size, with sums from the largest down: what a step makes of all of them follows from where
/// its few thresholds fall.
struct Sorted {
    /// Sizes, ascending; of the values that can get a code other than 0.
    sizes: Vec<f64>,
    /// Sum of the sizes from each on.
    sums: Vec<f64>,
    /// Sum of the squares of all values.
    squares: f64,
}

impl Sorted {
    fn new(grid: Grid, values: &[f64]) -> Self {
        let counts = |value: &&f64| grid.low < 0.0 || **value > 0.0;
        let mut sizes: Vec<f64> = values.iter().filter(counts).map(|v| v.abs()).collect();
        sizes.sort_unstable_by(f64::total_cmp);
        let mut sums = vec![0.0; sizes.len() + 1];
        for (at, size) in sizes.iter().enumerate().rev() {
            sums[at] = sums[at + 1] + size;
        }
        let squares = values.iter().map(|v| v * v).sum();
        Self {
            sizes,
            sums,
            squares,
        }
    }

    /// Sums of code times value, and of the squared codes. Both are sums over the thresholds
    /// `(k - 1/2) step`, each of which raises the codes of all larger values by one.
    fn moments(&self, grid: Grid) -> (f64, f64) {
        let (mut product, mut square, mut first) = (0.0, 0.0, 0);
        for k in 1..=grid.high as u32 {
            let threshold = (f64::from(k) - 0.5) * grid.step;
            first = self.reached(first, threshold);
            if first == self.sizes.len() {
                break;
            }
            product += self.sums[first];
            square += f64::from(2 * k - 1) * (self.sizes.len() - first) as f64;
        }
        (product, square)
    }

    /// The first size from `from` on that is not below the threshold, by growing strides: thresholds
    /// come in order, and the next one is mostly near.
    fn reached(&self, from: usize, threshold: f64) -> usize {
        let (mut start, mut stride) = (from, 1);
        while let Some(size) = self.sizes.get(start + stride - 1)
            && *size < threshold
        {
            start += stride;
            stride *= 2;
        }
        let end = (start + stride).min(self.sizes.len());
        start + self.sizes[start..end].partition_point(|&size| size < threshold)
    }

    fn squared_error(&self, grid: Grid) -> f64 {
        let (product, square) = self.moments(grid);
        self.squares - grid.step * (2.0 * product - grid.step * square)
    }

    fn refine(&self, mut grid: Grid) -> Grid {
        for _ in 0..3 {
            let (product, square) = self.moments(grid);
            if square == 0.0 || product <= 0.0 {
                return grid;
            }
            grid.step = product / square;
        }
        grid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::quant::Bits;

    fn bits(bits: u64) -> Bits {
        Bits::new(bits).unwrap()
    }

    #[test]
    fn sums_over_thresholds_are_sums_over_values() {
        let values = wave(500);
        for codes in [2, 3, 8].map(|b| Codes::Signed(bits(b))) {
            for step in [0.003, 0.05, 0.4, 3.0] {
                let grid = codes.grid(step);
                let exact = squared_error(grid, &values);
                let fast = Sorted::new(grid, &values).squared_error(grid);
                assert!(
                    (fast - exact).abs() < 1e-9 * exact.max(1.0),
                    "{fast} {exact}"
                );
            }
        }
    }

    fn wave(n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| ((i * i) as f64 * 0.37).sin() * (1.0 + (i % 7) as f64))
            .collect()
    }

    #[test]
    fn rounding_is_half_to_even() {
        let grid = Codes::Signed(bits(4)).grid(1.0);
        let codes: Vec<f64> = [0.5, 1.5, 2.5, -0.5, -1.5, 9.0]
            .map(|v| code(grid, v))
            .into();
        assert_eq!(codes, [0.0, 2.0, 2.0, 0.0, -2.0, 7.0]);
        for place in -1200..=1200 {
            let value = f64::from(place) / 128.0;
            let expected = value.round_ties_even().clamp(-7.0, 7.0);
            assert!(
                (code(grid, value) - expected).abs() < f64::EPSILON,
                "{value}"
            );
        }
    }

    #[test]
    fn quantization_is_idempotent_and_within_half_a_step() {
        let values = wave(500);
        for width in 2..=8 {
            let grid = fit(Codes::Signed(bits(width)), ScaleRule::Max, &values).unwrap();
            let once = quantize(grid, &values);
            assert_eq!(quantize(grid, &once), once);
            for (q, v) in once.iter().zip(&values) {
                assert!((q - v).abs() <= grid.step / 2.0 + 1e-6);
            }
        }
    }

    #[test]
    fn least_squares_is_never_worse_than_the_largest_value_and_near_a_fine_search() {
        let values = wave(300);
        for width in 2..=8 {
            let codes = Codes::Signed(bits(width));
            let widest = fit(codes, ScaleRule::Max, &values).unwrap();
            let best = fit(codes, ScaleRule::Mse, &values).unwrap();
            let error = squared_error(best, &values);
            assert!(error <= squared_error(widest, &values));
            let fine = (1..=4000)
                .map(|i| Grid {
                    step: widest.step * f64::from(i) / 4000.0,
                    ..widest
                })
                .map(|grid| squared_error(grid, &values))
                .fold(f64::INFINITY, f64::min);
            assert!(error <= fine * 1.02, "{width} bits: {error} against {fine}");
        }
    }

    #[test]
    fn zeros_stay_zeros_and_nan_is_refused() {
        let codes = Codes::Signed(bits(2));
        let grid = fit(codes, ScaleRule::Mse, &[0.0; 4]).unwrap();
        assert_eq!(quantize(grid, &[0.0; 4]), [0.0; 4]);
        assert!(fit(codes, ScaleRule::Mse, &[1.0, f64::NAN]).is_err());
    }
}
