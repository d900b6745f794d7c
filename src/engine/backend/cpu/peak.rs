//! What a core can do at best: a large square product by the crate `gemm`, to measure kernels against.

use gemm::Parallelism;

/// A square product `c = a * b` in float32, on the calling thread alone.
#[derive(Debug, Clone)]
pub struct SquareProduct {
    size: usize,
    a: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
}

impl SquareProduct {
    /// Of `size` rows and columns.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let values = |seed: usize| {
            let value = |at: usize| ((at * seed) % 31) as f32 / 31.0 - 0.5;
            (0..size * size).map(value).collect()
        };
        Self {
            size,
            a: values(7),
            b: values(11),
            c: vec![0.0; size * size],
        }
    }

    /// Multiplications and additions of one run.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        2 * (self.size as u64).pow(3)
    }

    /// Computes it once; the result, row by row.
    pub fn run(&mut self) -> &[f32] {
        let (n, rows) = (self.size, self.size as isize);
        // SAFETY: each pointer is to `size * size` numbers, row by row, and `c` is not `a` or `b`.
        unsafe {
            gemm::gemm(
                n,
                n,
                n,
                self.c.as_mut_ptr(),
                1,
                rows,
                false,
                self.a.as_ptr(),
                1,
                rows,
                self.b.as_ptr(),
                1,
                rows,
                0.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
        &self.c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_product_of_matrices() {
        let mut product = SquareProduct::new(5);
        let (a, b) = (product.a.clone(), product.b.clone());
        let found = product.run().to_vec();
        for (at, found) in found.iter().enumerate() {
            let (row, column) = (at / 5, at % 5);
            let terms = (0..5).map(|k| f64::from(a[row * 5 + k]) * f64::from(b[k * 5 + column]));
            assert!((f64::from(*found) - terms.sum::<f64>()).abs() < 1e-5);
        }
    }
}
