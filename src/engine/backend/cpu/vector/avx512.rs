//! Vectors of sixteen numbers: AVX-512.

use std::arch::x86_64::{
    __m512, _CMP_EQ_OQ, _CMP_GT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm512_add_ps,
    _mm512_cmp_ps_mask, _mm512_div_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_blend_ps,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps,
    _mm512_roundscale_ps, _mm512_set1_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::Simd;

/// Proof that the machine has AVX-512 (F, VL, DQ, BW).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The machine must have AVX-512 (F, VL, DQ, BW).
    #[inline(always)]
    pub(crate) unsafe fn new() -> Self {
        Self(())
    }
}

impl Simd for Avx512 {
    type Vector = __m512;
    const WIDTH: usize = 16;
    const TILE: [usize; 2] = [28, 14];

    instructions! {
        _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps;
        add(a, b) _mm512_add_ps(a, b),
        sub(a, b) _mm512_sub_ps(a, b),
        mul(a, b) _mm512_mul_ps(a, b),
        div(a, b) _mm512_div_ps(a, b),
        fma(a, b, c) _mm512_fmadd_ps(a, b, c),
        max(a, b) _mm512_max_ps(a, b),
        min(a, b) _mm512_min_ps(a, b),
        round(a) _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a),
    }

    #[inline(always)]
    fn where_greater(
        self,
        [a, b]: [Self::Vector; 2],
        yes: Self::Vector,
        no: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: `self` proves that the machine has the instructions.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes) }
    }

    #[inline(always)]
    fn where_equal(
        self,
        [a, b]: [Self::Vector; 2],
        yes: Self::Vector,
        no: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: `self` proves that the machine has the instructions.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), no, yes) }
    }

    #[inline(always)]
    unsafe fn read_if(self, there: bool, from: *const f32) -> Self::Vector {
        let mask = if there { !0 } else { 0 };
        // SAFETY: as above; lanes outside the mask are not touched.
        unsafe { _mm512_maskz_loadu_ps(mask, from) }
    }

    #[inline(always)]
    unsafe fn read_partial(self, from: *const f32, count: usize) -> Self::Vector {
        let mask = first_lanes(count);
        // SAFETY: as above; lanes outside the mask are not touched.
        unsafe { _mm512_maskz_loadu_ps(mask, from) }
    }

    #[inline(always)]
    unsafe fn write_partial(self, to: *mut f32, count: usize, value: Self::Vector) {
        let mask = first_lanes(count);
        // SAFETY: as above; lanes outside the mask are not touched.
        unsafe { _mm512_mask_storeu_ps(to, mask, value) }
    }
}

/// A mask of the first `count` lanes.
#[inline(always)]
const fn first_lanes(count: usize) -> u16 {
    ((1_u32 << count) - 1) as u16
}
