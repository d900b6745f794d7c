//! Routines that treat every number on its own, or by its channel: `ReLU`, sums, per-channel scale
//! and shift. An NHWC chunk is a sequence of rows of `channels` numbers.
//!
//! The backward and the tangent of `ReLU` are the same gate: the value passes where the output was
//! above zero (so relu'(0) = 0), and the gate is read from the output itself.

use super::Isa;
use super::rows::Rows;
use super::vector::Simd;

/// Per-channel `x * scale + shift`: batch norm on running statistics.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'a> {
    /// Factor of each channel.
    pub scale: &'a [f32],
    /// Offset of each channel.
    pub shift: &'a [f32],
}

/// `routine! { isa, simd: [inputs] by [parameter: values, ...] => output, expression }`: one
/// elementwise routine; in the expression each name is a vector.
macro_rules! routine {
    ($isa:expr, $simd:ident: [$($input:ident),*] by [$($parameter:ident: $values:expr),*]
     => $output:expr, $value:expr) => {{
        const INPUTS: usize = <[&str]>::len(&[$(stringify!($input)),*]);
        const PARAMETERS: usize = <[&str]>::len(&[$(stringify!($parameter)),*]);

        #[inline(always)]
        fn kernel<S: Simd>($simd: S, rows: &Rows<INPUTS, PARAMETERS>, output: &mut [f32]) {
            rows.write(
                $simd,
                output,
                #[inline(always)]
                |[$($input),*], [$($parameter),*]| $value,
            );
        }

        let (isa, output): (Isa, &mut [f32]) = ($isa, $output);
        let rows = &Rows::new([$($input),*], [$($values),*], output.len());
        dispatch!(isa, kernel(rows: &Rows<INPUTS, PARAMETERS>, output: &mut [f32]));
    }};
}
pub(super) use routine;

/// `y = x * scale + shift`, by channel.
///
/// # Panics
/// When the lengths do not fit.
pub fn affine(isa: Isa, x: &[f32], by: &Affine<'_>, y: &mut [f32]) {
    routine! {
        isa, simd: [x] by [scale: by.scale, shift: by.shift] => y,
        simd.fma(x, scale, shift)
    }
}

/// `y = max(0, x * scale + shift)`, by channel.
///
/// # Panics
/// When the lengths do not fit.
pub fn affine_relu(isa: Isa, x: &[f32], by: &Affine<'_>, y: &mut [f32]) {
    routine! {
        isa, simd: [x] by [scale: by.scale, shift: by.shift] => y,
        simd.max(simd.splat(0.0), simd.fma(x, scale, shift))
    }
}

/// `y = max(0, x * scale + shift + residual)`, the scale and shift by channel: the end of a
/// residual block.
///
/// # Panics
/// When the lengths do not fit.
pub fn affine_add_relu(isa: Isa, [x, residual]: [&[f32]; 2], by: &Affine<'_>, y: &mut [f32]) {
    routine! {
        isa, simd: [x, residual] by [scale: by.scale, shift: by.shift] => y,
        simd.max(simd.splat(0.0), simd.add(simd.fma(x, scale, shift), residual))
    }
}

/// `y = x * scale`, by channel: backward and tangent of [`affine`].
///
/// # Panics
/// When the lengths do not fit.
pub fn scale(isa: Isa, x: &[f32], scale: &[f32], y: &mut [f32]) {
    routine! {
        isa, simd: [x] by [scale: scale] => y,
        simd.mul(x, scale)
    }
}

/// `y = max(0, x)`; what is not a number stays so.
///
/// # Panics
/// When the lengths do not fit.
pub fn relu(isa: Isa, x: &[f32], y: &mut [f32]) {
    routine! {
        isa, simd: [x] by [] => y,
        simd.max(simd.splat(0.0), x)
    }
}

/// `x = max(0, x)`: [`relu`] in place.
pub fn relu_assign(isa: Isa, x: &mut [f32]) {
    #[inline(always)]
    fn kernel<S: Simd>(simd: S, x: &mut [f32]) {
        let zero = simd.splat(0.0);
        Rows::new([], [], x.len()).update(
            simd,
            x,
            #[inline(always)]
            |x, [], []| simd.max(zero, x),
        );
    }
    dispatch!(isa, kernel(x: &mut [f32]));
}

/// `dx = dy` where `output > 0`, else 0: backward and tangent of [`relu`].
///
/// # Panics
/// When the lengths do not fit.
pub fn relu_gate(isa: Isa, dy: &[f32], output: &[f32], dx: &mut [f32]) {
    routine! {
        isa, simd: [dy, output] by [] => dx,
        simd.where_greater([output, simd.splat(0.0)], dy, simd.splat(0.0))
    }
}

/// `gradient = 0` where not `output > 0`: [`relu_gate`] in place.
///
/// # Panics
/// When the lengths do not fit.
pub fn relu_gate_assign(isa: Isa, output: &[f32], gradient: &mut [f32]) {
    #[inline(always)]
    fn kernel<S: Simd>(simd: S, output: &[f32], gradient: &mut [f32]) {
        let zero = simd.splat(0.0);
        Rows::new([output], [], gradient.len()).update(
            simd,
            gradient,
            #[inline(always)]
            |gradient, [output], []| simd.where_greater([output, zero], gradient, zero),
        );
    }
    dispatch!(isa, kernel(output: &[f32], gradient: &mut [f32]));
}

/// `dx = dy * scale` where `output > 0`, else 0: backward and tangent of [`affine_relu`].
///
/// # Panics
/// When the lengths do not fit.
pub fn relu_gate_scale(isa: Isa, [dy, output]: [&[f32]; 2], scale: &[f32], dx: &mut [f32]) {
    routine! {
        isa, simd: [dy, output] by [scale: scale] => dx,
        simd.where_greater([output, simd.splat(0.0)], simd.mul(dy, scale), simd.splat(0.0))
    }
}

/// `y = a + b`.
///
/// # Panics
/// When the lengths do not fit.
pub fn add(isa: Isa, a: &[f32], b: &[f32], y: &mut [f32]) {
    routine! {
        isa, simd: [a, b] by [] => y,
        simd.add(a, b)
    }
}

/// `y = max(0, a + b)`.
///
/// # Panics
/// When the lengths do not fit.
pub fn add_relu(isa: Isa, a: &[f32], b: &[f32], y: &mut [f32]) {
    routine! {
        isa, simd: [a, b] by [] => y,
        simd.max(simd.splat(0.0), simd.add(a, b))
    }
}

/// `y += x`.
///
/// # Panics
/// When the lengths do not fit.
pub fn add_assign(isa: Isa, x: &[f32], y: &mut [f32]) {
    #[inline(always)]
    fn kernel<S: Simd>(simd: S, x: &[f32], y: &mut [f32]) {
        Rows::new([x], [], y.len()).update(
            simd,
            y,
            #[inline(always)]
            |y, [x], []| simd.add(y, x),
        );
    }
    dispatch!(isa, kernel(x: &[f32], y: &mut [f32]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::cpu::check::{assert_close, random};

    /// Rows and channels: whole vectors, tails, and fewer channels than lanes.
    const SIZES: [[usize; 2]; 8] = [
        [5, 1],
        [7, 3],
        [4, 10],
        [6, 16],
        [3, 17],
        [5, 33],
        [9, 64],
        [0, 16],
    ];

    /// Runs `routine(isa, x, z, scale, shift, y)` against `value(x, z, scale, shift)`.
    fn check(
        name: &str,
        routine: impl Fn(Isa, [&[f32]; 2], &Affine<'_>, &mut [f32]),
        value: impl Fn([f64; 2], f64, f64) -> f64,
    ) {
        for isa in Isa::available() {
            for [rows, channels] in SIZES {
                let mut z = random(rows * channels, 2);
                z.iter_mut().step_by(5).for_each(|z| *z = 0.0);
                let x = random(rows * channels, 1);
                let (scale, shift) = (random(channels, 3), random(channels, 4));
                let want: Vec<f64> = (0..x.len())
                    .map(|i| {
                        let (scale, shift) = (scale[i % channels], shift[i % channels]);
                        value([x[i].into(), z[i].into()], scale.into(), shift.into())
                    })
                    .collect();
                let mut y = random(rows * channels, 5);
                let by = Affine {
                    scale: &scale,
                    shift: &shift,
                };
                routine(isa, [&x, &z], &by, &mut y);
                assert_close(&y, &want, 2e-7, &format!("{name} {isa} {rows}x{channels}"));
            }
        }
    }

    #[test]
    fn routines_by_channel_agree_with_scalar_code() {
        check(
            "affine",
            |isa, [x, _], by, y| affine(isa, x, by, y),
            |[x, _], a, b| x * a + b,
        );
        check(
            "affine_relu",
            |isa, [x, _], by, y| affine_relu(isa, x, by, y),
            |[x, _], a, b| (x * a + b).max(0.0),
        );
        check("affine_add_relu", affine_add_relu, |[x, z], a, b| {
            (x * a + b + z).max(0.0)
        });
        check(
            "scale",
            |isa, [x, _], by, y| scale(isa, x, by.scale, y),
            |[x, _], a, _| x * a,
        );
        check(
            "relu_gate_scale",
            |isa, inputs, by, y| relu_gate_scale(isa, inputs, by.scale, y),
            |[x, z], a, _| if z > 0.0 { x * a } else { 0.0 },
        );
    }

    #[test]
    fn routines_by_number_agree_with_scalar_code() {
        check(
            "relu",
            |isa, [_, z], _, y| relu(isa, z, y),
            |[_, z], _, _| z.max(0.0),
        );
        check(
            "relu_assign",
            |isa, [_, z], _, y| {
                y.copy_from_slice(z);
                relu_assign(isa, y);
            },
            |[_, z], _, _| z.max(0.0),
        );
        check(
            "relu_gate",
            |isa, [x, z], _, y| relu_gate(isa, x, z, y),
            |[x, z], _, _| if z > 0.0 { x } else { 0.0 },
        );
        check(
            "add",
            |isa, [x, z], _, y| add(isa, x, z, y),
            |[x, z], _, _| x + z,
        );
        check(
            "add_relu",
            |isa, [x, z], _, y| add_relu(isa, x, z, y),
            |[x, z], _, _| (x + z).max(0.0),
        );
        check(
            "relu_gate_assign",
            |isa, [x, z], _, y| {
                y.copy_from_slice(x);
                relu_gate_assign(isa, z, y);
            },
            |[x, z], _, _| if z > 0.0 { x } else { 0.0 },
        );
        check(
            "add_assign",
            |isa, [x, z], _, y| {
                y.copy_from_slice(z);
                add_assign(isa, x, y);
            },
            |[x, z], _, _| x + z,
        );
    }

    #[test]
    fn relu_keeps_what_is_not_a_number() {
        for isa in Isa::available() {
            let mut y = [0.0; 19];
            relu(isa, &[f32::NAN; 19], &mut y);
            assert!(y.iter().all(|y| y.is_nan()), "{isa}");
        }
    }

    #[test]
    #[should_panic(expected = "whole rows")]
    fn a_broken_row_is_refused() {
        scale(Isa::PORTABLE, &[0.0; 7], &[1.0; 3], &mut [0.0; 7]);
    }

    #[test]
    #[should_panic(expected = "differ in length")]
    fn inputs_of_another_length_are_refused() {
        add(Isa::detect(), &[0.0; 7], &[0.0; 8], &mut [0.0; 8]);
    }
}
