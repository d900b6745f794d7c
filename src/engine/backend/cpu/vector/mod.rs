//! The few vector operations kernels are written in, and the dispatch to an instruction set.
//!
//! A value of a [`Simd`] type is a proof that the machine has the instructions: it is made only by
//! the dispatch macro, from an [`Isa`](super::Isa). That makes its operations safe to call; they
//! are fast only once inlined into the function that enables the instructions, so every function
//! between the macro and them is `#[inline(always)]`.

/// `instructions! { splat, read, write; name(arguments) instruction, ... }`: the operations of [`Simd`]
/// that are one instruction each, inside an implementation whose `self` is the proof that the machine
/// has them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! instructions {
    ($splat:ident, $read:ident, $write:ident;
     $($name:ident($($argument:ident),*) $instruction:expr),* $(,)?) => {
        #[inline(always)]
        fn splat(self, value: f32) -> Self::Vector {
            // SAFETY: `self` proves that the machine has the instruction.
            unsafe { $splat(value) }
        }

        #[inline(always)]
        unsafe fn read(self, from: *const f32) -> Self::Vector {
            // SAFETY: as above, and the caller vouches for `WIDTH` numbers; no alignment is assumed.
            unsafe { $read(from) }
        }

        #[inline(always)]
        unsafe fn write(self, to: *mut f32, value: Self::Vector) {
            // SAFETY: as above, and the caller vouches for `WIDTH` numbers; no alignment is assumed.
            unsafe { $write(to, value) }
        }

        $(
            #[inline(always)]
            fn $name(self, $($argument: Self::Vector),*) -> Self::Vector {
                // SAFETY: `self` proves that the machine has the instruction.
                unsafe { $instruction }
            }
        )*
    };
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;
pub(super) mod portable;

/// Vector operations of one instruction set.
pub(super) trait Simd: Copy {
    /// `WIDTH` numbers.
    type Vector: Copy;
    /// Numbers in a vector.
    const WIDTH: usize;
    /// How many accumulators of one vector, and of two vectors, fit in the registers.
    const TILE: [usize; 2];

    /// `value` in every lane.
    fn splat(self, value: f32) -> Self::Vector;
    /// Reads `WIDTH` numbers.
    ///
    /// # Safety
    /// `from` must be valid for reading `WIDTH` numbers.
    unsafe fn read(self, from: *const f32) -> Self::Vector;
    /// Writes `WIDTH` numbers.
    ///
    /// # Safety
    /// `to` must be valid for writing `WIDTH` numbers.
    unsafe fn write(self, to: *mut f32, value: Self::Vector);
    /// `a + b`.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a - b`.
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b`.
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a / b`.
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`, fused where the instructions have it.
    fn fma(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The larger one; `b` where either is not a number.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The smaller one; `b` where either is not a number.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Rounds half to even; only for magnitudes below 2^22.
    fn round(self, a: Self::Vector) -> Self::Vector;
    /// `yes` where `a > b`, else `no`.
    fn where_greater(
        self,
        comparison: [Self::Vector; 2],
        yes: Self::Vector,
        no: Self::Vector,
    ) -> Self::Vector;
    /// `yes` where `a == b`, else `no`.
    fn where_equal(
        self,
        comparison: [Self::Vector; 2],
        yes: Self::Vector,
        no: Self::Vector,
    ) -> Self::Vector;

    /// Reads `WIDTH` numbers if they are there; else all lanes are zero.
    ///
    /// # Safety
    /// If they are, `from` must be valid for reading `WIDTH` numbers.
    #[inline(always)]
    unsafe fn read_if(self, there: bool, from: *const f32) -> Self::Vector {
        if there {
            // SAFETY: as the caller says.
            unsafe { self.read(from) }
        } else {
            self.splat(0.0)
        }
    }

    /// Reads the first `count <= WIDTH` numbers; the other lanes are zero.
    ///
    /// # Safety
    /// `from` must be valid for reading `count` numbers.
    #[inline(always)]
    unsafe fn read_partial(self, from: *const f32, count: usize) -> Self::Vector {
        let mut lanes = [0.0; MAX_WIDTH];
        for (i, lane) in lanes.iter_mut().enumerate().take(count) {
            // SAFETY: `i < count`, and the caller vouches for `count` numbers.
            *lane = unsafe { *from.add(i) };
        }
        // SAFETY: `lanes` holds at least `WIDTH` numbers.
        unsafe { self.read(lanes.as_ptr()) }
    }

    /// Writes the first `count <= WIDTH` lanes.
    ///
    /// # Safety
    /// `to` must be valid for writing `count` numbers.
    #[inline(always)]
    unsafe fn write_partial(self, to: *mut f32, count: usize, value: Self::Vector) {
        let lanes = self.lanes(value);
        for (i, lane) in lanes.iter().enumerate().take(count) {
            // SAFETY: `i < count`, and the caller vouches for `count` numbers.
            unsafe { *to.add(i) = *lane };
        }
    }

    /// The first numbers of `values`, at most `WIDTH`; the lanes beyond are zero.
    #[inline(always)]
    fn load(self, values: &[f32]) -> Self::Vector {
        // SAFETY: no more is read than the slice and the vector hold.
        unsafe {
            if values.len() >= Self::WIDTH {
                self.read(values.as_ptr())
            } else {
                self.read_partial(values.as_ptr(), values.len())
            }
        }
    }

    /// Writes as many lanes as `values` holds, at most `WIDTH`.
    #[inline(always)]
    fn store(self, values: &mut [f32], value: Self::Vector) {
        // SAFETY: no more is written than the slice and the vector hold.
        unsafe {
            if values.len() >= Self::WIDTH {
                self.write(values.as_mut_ptr(), value);
            } else {
                self.write_partial(values.as_mut_ptr(), values.len(), value);
            }
        }
    }

    /// The lanes; those beyond `WIDTH` are zero.
    #[inline(always)]
    fn lanes(self, value: Self::Vector) -> [f32; MAX_WIDTH] {
        let mut lanes = [0.0; MAX_WIDTH];
        // SAFETY: `lanes` holds at least `WIDTH` numbers.
        unsafe { self.write(lanes.as_mut_ptr(), value) };
        lanes
    }

    /// The sum of all lanes, halves first.
    #[inline(always)]
    fn sum(self, value: Self::Vector) -> f32 {
        let mut lanes = self.lanes(value);
        let mut half = MAX_WIDTH / 2;
        while half > 0 {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
            half /= 2;
        }
        lanes[0]
    }
}

/// The largest `WIDTH`.
pub(super) const MAX_WIDTH: usize = 16;

/// `dispatch!(isa, kernel(argument: Type, ...) -> Output)` calls `kernel(simd, argument, ...)`
/// compiled for the instructions of `isa`.
macro_rules! dispatch {
    ($isa:expr, $kernel:ident($($argument:ident: $type:ty),* $(,)?) $(-> $output:ty)?) => {{
        use $crate::engine::backend::cpu::{isa::Kind, vector};

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
        fn avx512($($argument: $type),*) $(-> $output)? {
            // SAFETY: this function is only entered on a machine with AVX-512.
            let simd = unsafe { vector::avx512::Avx512::new() };
            $kernel(simd, $($argument),*)
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2($($argument: $type),*) $(-> $output)? {
            // SAFETY: this function is only entered on a machine with AVX2 and FMA.
            let simd = unsafe { vector::avx2::Avx2::new() };
            $kernel(simd, $($argument),*)
        }

        #[cfg(target_arch = "aarch64")]
        #[target_feature(enable = "neon")]
        fn neon($($argument: $type),*) $(-> $output)? {
            // SAFETY: this function is only entered on a machine with NEON.
            let simd = unsafe { vector::neon::Neon::new() };
            $kernel(simd, $($argument),*)
        }

        match $isa.kind() {
            // SAFETY: such an `Isa` exists only where the instructions were detected.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { avx512($($argument),*) },
            // SAFETY: such an `Isa` exists only where the instructions were detected.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { avx2($($argument),*) },
            // SAFETY: such an `Isa` exists only where the instructions were detected.
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => unsafe { neon($($argument),*) },
            Kind::Portable => $kernel(vector::portable::Portable, $($argument),*),
        }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::cpu::Isa;

    #[inline(always)]
    fn every_operation<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> Vec<[f32; MAX_WIDTH]> {
        // SAFETY: the test passes `MAX_WIDTH` numbers each.
        let (x, y) = unsafe { (simd.read(a.as_ptr()), simd.read(b.as_ptr())) };
        // SAFETY: as above; three is fewer.
        let partial = unsafe { simd.read_partial(a.as_ptr(), 3) };
        let results = [
            simd.add(x, y),
            simd.sub(x, y),
            simd.mul(x, y),
            simd.div(x, y),
            simd.max(x, y),
            simd.min(x, y),
            simd.round(x),
            simd.where_greater([x, y], x, simd.splat(7.0)),
            simd.where_equal([x, y], x, simd.splat(7.0)),
            partial,
            simd.splat(simd.sum(x)),
        ];
        results.map(|result| simd.lanes(result)).to_vec()
    }

    fn scalar(a: f32, b: f32, lane: usize) -> Vec<f32> {
        vec![
            a + b,
            a - b,
            a * b,
            a / b,
            if a > b { a } else { b },
            if a < b { a } else { b },
            a.round_ties_even(),
            if a > b { a } else { 7.0 },
            if a.to_bits() == b.to_bits() { a } else { 7.0 },
            if lane < 3 { a } else { 0.0 },
        ]
    }

    #[test]
    fn every_operation_agrees_with_scalar_code() {
        let a: Vec<f32> = (0..16).map(|i| i as f32 * 0.5 - 3.5).collect();
        let b: Vec<f32> = (0..16)
            .map(|i| if i % 3 == 0 { a[i] } else { 1.25 })
            .collect();
        for isa in Isa::available() {
            let (a, b): (&[f32], &[f32]) = (&a, &b);
            let got =
                dispatch!(isa, every_operation(a: &[f32], b: &[f32]) -> Vec<[f32; MAX_WIDTH]>);
            for lane in 0..isa.width() {
                for (operation, want) in scalar(a[lane], b[lane], lane).into_iter().enumerate() {
                    assert_eq!(got[operation][lane], want, "{isa}: operation {operation}");
                }
            }
            let sum: f32 = a[..isa.width()].iter().sum();
            assert_eq!(got[10][0], sum, "{isa}");
        }
    }

    #[test]
    fn not_a_number_passes_through_the_second_operand() {
        for isa in Isa::available() {
            let (a, b): (&[f32], &[f32]) = (&[0.0; 16], &[f32::NAN; 16]);
            let got =
                dispatch!(isa, every_operation(a: &[f32], b: &[f32]) -> Vec<[f32; MAX_WIDTH]>);
            assert!(got[4][0].is_nan() && got[5][0].is_nan(), "{isa}");
        }
    }
}
