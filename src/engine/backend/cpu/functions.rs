//! Activation functions in place, and their slopes: straight lines in pieces. Which piece a number lies
//! on is read from what the caller has, the function's input or its output.

use super::Isa;
use super::elementwise::{relu_assign, relu_gate_assign};
use super::rows::Rows;
use super::vector::Simd;

/// A function of every number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function<'a> {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, low), high)`; its slope is 0 at both bounds.
    Clip {
        /// The smallest value.
        low: f32,
        /// The largest value.
        high: f32,
    },
    /// `x` above 0, else `x` times a slope.
    Leaky(f32),
    /// `x` above 0, else `x` times the slope of its channel.
    Channels(&'a [f32]),
}

/// `x = f(x)`; what is not a number stays so.
///
/// # Panics
/// When the lengths do not fit.
pub fn apply(isa: Isa, function: Function<'_>, x: &mut [f32]) {
    match function {
        Function::Relu => relu_assign(isa, x),
        Function::Clip { low, high } => clip(isa, [low, high], x),
        Function::Leaky(slope) => {
            dispatch!(isa, leak(slope: f32, x: &mut [f32]));
        }
        Function::Channels(slopes) => {
            dispatch!(isa, leak_by_channel(slopes: &[f32], x: &mut [f32]));
        }
    }
}

/// `d = f'(at) d`.
///
/// # Panics
/// When the lengths do not fit.
pub fn slope(isa: Isa, function: Function<'_>, at: &[f32], d: &mut [f32]) {
    match function {
        Function::Relu => relu_gate_assign(isa, at, d),
        Function::Clip { low, high } => {
            let bounds = [low, high];
            dispatch!(isa, clip_slope(bounds: [f32; 2], at: &[f32], d: &mut [f32]));
        }
        Function::Leaky(slope) => {
            dispatch!(isa, leak_slope(slope: f32, at: &[f32], d: &mut [f32]));
        }
        Function::Channels(slopes) => {
            let of = [slopes, at];
            dispatch!(isa, leak_slope_by_channel(of: [&[f32]; 2], d: &mut [f32]));
        }
    }
}

fn clip(isa: Isa, bounds: [f32; 2], x: &mut [f32]) {
    #[inline(always)]
    fn kernel<S: Simd>(simd: S, [low, high]: [f32; 2], x: &mut [f32]) {
        let [low, high] = [low, high].map(|bound| simd.splat(bound));
        Rows::new([], [], x.len()).update(
            simd,
            x,
            #[inline(always)]
            |x, [], []| simd.min(high, simd.max(low, x)),
        );
    }
    dispatch!(isa, kernel(bounds: [f32; 2], x: &mut [f32]));
}

#[inline(always)]
fn clip_slope<S: Simd>(simd: S, [low, high]: [f32; 2], at: &[f32], d: &mut [f32]) {
    let [low, high, zero] = [low, high, 0.0].map(|bound| simd.splat(bound));
    Rows::new([at], [], d.len()).update(
        simd,
        d,
        #[inline(always)]
        |d, [at], []| {
            let below_high = simd.where_greater([high, at], d, zero);
            simd.where_greater([at, low], below_high, zero)
        },
    );
}

#[inline(always)]
fn leak<S: Simd>(simd: S, slope: f32, x: &mut [f32]) {
    let (slope, zero) = (simd.splat(slope), simd.splat(0.0));
    Rows::new([], [], x.len()).update(
        simd,
        x,
        #[inline(always)]
        |x, [], []| simd.where_greater([x, zero], x, simd.mul(x, slope)),
    );
}

#[inline(always)]
fn leak_by_channel<S: Simd>(simd: S, slopes: &[f32], x: &mut [f32]) {
    let zero = simd.splat(0.0);
    Rows::new([], [slopes], x.len()).update(
        simd,
        x,
        #[inline(always)]
        |x, [], [slope]| simd.where_greater([x, zero], x, simd.mul(x, slope)),
    );
}

#[inline(always)]
fn leak_slope<S: Simd>(simd: S, slope: f32, at: &[f32], d: &mut [f32]) {
    let (slope, zero) = (simd.splat(slope), simd.splat(0.0));
    Rows::new([at], [], d.len()).update(
        simd,
        d,
        #[inline(always)]
        |d, [at], []| simd.where_greater([at, zero], d, simd.mul(d, slope)),
    );
}

#[inline(always)]
fn leak_slope_by_channel<S: Simd>(simd: S, [slopes, at]: [&[f32]; 2], d: &mut [f32]) {
    let zero = simd.splat(0.0);
    Rows::new([at], [slopes], d.len()).update(
        simd,
        d,
        #[inline(always)]
        |d, [at], [slope]| simd.where_greater([at, zero], d, simd.mul(d, slope)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::cpu::check::{assert_close, random};

    /// Rows and channels: whole vectors, tails, and fewer channels than lanes.
    const SIZES: [[usize; 2]; 6] = [[5, 1], [7, 3], [6, 16], [3, 17], [5, 33], [0, 16]];

    fn functions(slopes: &[f32]) -> [Function<'_>; 8] {
        [
            Function::Relu,
            Function::Clip {
                low: 0.0,
                high: 0.25,
            },
            Function::Clip {
                low: -0.5,
                high: f32::INFINITY,
            },
            Function::Clip {
                low: f32::NEG_INFINITY,
                high: 0.5,
            },
            Function::Leaky(0.125),
            Function::Leaky(0.0),
            Function::Leaky(-0.5),
            Function::Channels(slopes),
        ]
    }

    /// Value and slope, from the definition.
    fn scalar(function: Function<'_>, x: f32, channel: usize) -> [f64; 2] {
        let x = f64::from(x);
        let leaky = |slope: f64| {
            if x > 0.0 {
                [x, 1.0]
            } else {
                [slope * x, slope]
            }
        };
        match function {
            Function::Relu => leaky(0.0),
            Function::Clip { low, high } => {
                let (low, high) = (f64::from(low), f64::from(high));
                let inside = low < x && x < high;
                [x.max(low).min(high), if inside { 1.0 } else { 0.0 }]
            }
            Function::Leaky(slope) => leaky(slope.into()),
            Function::Channels(slopes) => leaky(slopes[channel].into()),
        }
    }

    #[test]
    fn values_and_slopes_agree_with_scalar_code() {
        for isa in Isa::available() {
            for [rows, channels] in SIZES {
                let slopes = random(channels, 3);
                // Eighths, so that bounds are met exactly.
                let x: Vec<f32> = random(rows * channels, 1)
                    .into_iter()
                    .map(|x| (x * 8.0).round() / 8.0)
                    .collect();
                let d = random(x.len(), 2);
                for function in functions(&slopes) {
                    let what = format!("{isa} {function:?} {rows}x{channels}");
                    let want = |part: usize| -> Vec<f64> {
                        let each = x.iter().enumerate();
                        each.map(|(i, &x)| scalar(function, x, i % channels)[part])
                            .collect()
                    };
                    let mut y = x.clone();
                    apply(isa, function, &mut y);
                    assert_close(&y, &want(0), 2e-7, &what);
                    let mut moved = d.clone();
                    slope(isa, function, &x, &mut moved);
                    let slopes = want(1);
                    let products: Vec<f64> = slopes
                        .iter()
                        .zip(&d)
                        .map(|(s, &d)| s * f64::from(d))
                        .collect();
                    assert_close(&moved, &products, 2e-7, &what);
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for isa in Isa::available() {
            let slopes = [0.5; 1];
            for function in functions(&slopes) {
                let mut x = [f32::NAN; 19];
                apply(isa, function, &mut x);
                assert!(x.iter().all(|x| x.is_nan()), "{isa} {function:?}");
            }
        }
    }
}
