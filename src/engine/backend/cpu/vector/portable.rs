//! Vectors of eight numbers in plain Rust, for any processor.

use super::Simd;

/// Lanes of a portable vector.
const WIDTH: usize = 8;

/// Plain Rust.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

/// `f` of each pair of lanes.
#[inline(always)]
fn pairwise(a: [f32; WIDTH], b: [f32; WIDTH], f: impl Fn(f32, f32) -> f32) -> [f32; WIDTH] {
    let mut result = [0.0; WIDTH];
    for i in 0..WIDTH {
        result[i] = f(a[i], b[i]);
    }
    result
}

impl Simd for Portable {
    type Vector = [f32; WIDTH];
    const WIDTH: usize = WIDTH;
    /// A vector takes two registers, of 32 on 64-bit Arm and of 16 elsewhere.
    const TILE: [usize; 2] = if cfg!(target_arch = "aarch64") {
        [12, 6]
    } else {
        [4, 2]
    };

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        [value; WIDTH]
    }

    #[inline(always)]
    unsafe fn read(self, from: *const f32) -> Self::Vector {
        // SAFETY: the caller vouches for `WIDTH` numbers; no alignment is assumed.
        unsafe { from.cast::<[f32; WIDTH]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut f32, value: Self::Vector) {
        // SAFETY: the caller vouches for `WIDTH` numbers; no alignment is assumed.
        unsafe { to.cast::<[f32; WIDTH]>().write_unaligned(value) }
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        pairwise(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        pairwise(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        pairwise(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        pairwise(a, b, |a, b| a / b)
    }

    /// Not `mul_add`: without the instruction that is a call per lane.
    #[inline(always)]
    fn fma(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        let mut result = c;
        for i in 0..WIDTH {
            if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
                result[i] = a[i].mul_add(b[i], c[i]);
            } else {
                result[i] += a[i] * b[i];
            }
        }
        result
    }

    #[inline(always)]
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        pairwise(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        pairwise(a, b, |a, b| if a < b { a } else { b })
    }

    /// Adding 1.5 * 2^23 leaves no fraction bits: the addition itself rounds half to even.
    #[inline(always)]
    fn round(self, a: Self::Vector) -> Self::Vector {
        const SHIFT: f32 = 12_582_912.0;
        pairwise(a, a, |a, _| (a + SHIFT) - SHIFT)
    }

    #[inline(always)]
    fn where_greater(
        self,
        [a, b]: [Self::Vector; 2],
        yes: Self::Vector,
        no: Self::Vector,
    ) -> Self::Vector {
        let mut result = no;
        for i in 0..WIDTH {
            result[i] = if a[i] > b[i] { yes[i] } else { no[i] };
        }
        result
    }

    #[inline(always)]
    #[expect(clippy::float_cmp, reason = "exact equality is what is asked")]
    fn where_equal(
        self,
        [a, b]: [Self::Vector; 2],
        yes: Self::Vector,
        no: Self::Vector,
    ) -> Self::Vector {
        let mut result = no;
        for i in 0..WIDTH {
            result[i] = if a[i] == b[i] { yes[i] } else { no[i] };
        }
        result
    }
}
