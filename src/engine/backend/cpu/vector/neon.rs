//! Vectors of four numbers: NEON, as every 64-bit ARM processor has it.

use std::arch::aarch64::{
    float32x4_t, vaddq_f32, vbslq_f32, vceqq_f32, vcgtq_f32, vcltq_f32, vdivq_f32, vdupq_n_f32,
    vfmaq_f32, vld1q_f32, vmulq_f32, vrndnq_f32, vst1q_f32, vsubq_f32,
};

use super::Simd;

/// Proof that the machine has NEON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    /// # Safety
    /// The machine must have NEON.
    #[inline(always)]
    pub(crate) unsafe fn new() -> Self {
        Self(())
    }
}

impl Simd for Neon {
    type Vector = float32x4_t;
    const WIDTH: usize = 4;
    const TILE: [usize; 2] = [24, 12];

    // Maximum and minimum are comparisons: NEON's own would pass on what is not a number from either
    // side.
    instructions! {
        vdupq_n_f32, vld1q_f32, vst1q_f32;
        add(a, b) vaddq_f32(a, b),
        sub(a, b) vsubq_f32(a, b),
        mul(a, b) vmulq_f32(a, b),
        div(a, b) vdivq_f32(a, b),
        fma(a, b, c) vfmaq_f32(c, a, b),
        max(a, b) vbslq_f32(vcgtq_f32(a, b), a, b),
        min(a, b) vbslq_f32(vcltq_f32(a, b), a, b),
        round(a) vrndnq_f32(a),
    }

    #[inline(always)]
    fn where_greater(
        self,
        [a, b]: [Self::Vector; 2],
        yes: Self::Vector,
        no: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: `self` proves that the machine has the instructions.
        unsafe { vbslq_f32(vcgtq_f32(a, b), yes, no) }
    }

    #[inline(always)]
    fn where_equal(
        self,
        [a, b]: [Self::Vector; 2],
        yes: Self::Vector,
        no: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: `self` proves that the machine has the instructions.
        unsafe { vbslq_f32(vceqq_f32(a, b), yes, no) }
    }
}
