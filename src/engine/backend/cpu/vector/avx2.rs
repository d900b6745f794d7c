//! Vectors of eight numbers: AVX2 with fused multiply-add.

use std::arch::x86_64::{
    __m256, __m256i, _CMP_EQ_OQ, _CMP_GT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT,
    _mm256_add_ps, _mm256_blendv_ps, _mm256_cmp_ps, _mm256_cmpgt_epi32, _mm256_div_ps,
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_max_ps,
    _mm256_min_ps, _mm256_mul_ps, _mm256_round_ps, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_setr_epi32, _mm256_storeu_ps, _mm256_sub_ps,
};

use super::Simd;

/// Proof that the machine has AVX2 and FMA.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The machine must have AVX2 and FMA.
    #[inline(always)]
    pub(crate) unsafe fn new() -> Self {
        Self(())
    }
}

impl Simd for Avx2 {
    type Vector = __m256;
    const WIDTH: usize = 8;
    const TILE: [usize; 2] = [12, 6];

    instructions! {
        _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps;
        add(a, b) _mm256_add_ps(a, b),
        sub(a, b) _mm256_sub_ps(a, b),
        mul(a, b) _mm256_mul_ps(a, b),
        div(a, b) _mm256_div_ps(a, b),
        fma(a, b, c) _mm256_fmadd_ps(a, b, c),
        max(a, b) _mm256_max_ps(a, b),
        min(a, b) _mm256_min_ps(a, b),
        round(a) _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a),
    }

    #[inline(always)]
    fn where_greater(
        self,
        [a, b]: [Self::Vector; 2],
        yes: Self::Vector,
        no: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: `self` proves that the machine has the instructions.
        unsafe { _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
    }

    #[inline(always)]
    fn where_equal(
        self,
        [a, b]: [Self::Vector; 2],
        yes: Self::Vector,
        no: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: `self` proves that the machine has the instructions.
        unsafe { _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b)) }
    }

    #[inline(always)]
    unsafe fn read_partial(self, from: *const f32, count: usize) -> Self::Vector {
        // SAFETY: as above; lanes outside the mask are not touched.
        unsafe { _mm256_maskload_ps(from, first_lanes(count)) }
    }

    #[inline(always)]
    unsafe fn write_partial(self, to: *mut f32, count: usize, value: Self::Vector) {
        // SAFETY: as above; lanes outside the mask are not touched.
        unsafe { _mm256_maskstore_ps(to, first_lanes(count), value) }
    }
}

/// A mask of the first `count` lanes.
///
/// # Safety
/// The machine must have AVX2.
#[inline(always)]
unsafe fn first_lanes(count: usize) -> __m256i {
    // SAFETY: as the caller says.
    unsafe {
        let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_cmpgt_epi32(_mm256_set1_epi32((count as u32).cast_signed()), lanes)
    }
}
