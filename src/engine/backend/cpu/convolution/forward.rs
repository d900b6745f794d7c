//! `y = x * w`.

use super::Convolution;
use super::correlation::run;
use super::pack::{Direction, PackedWeights};
use crate::engine::backend::cpu::Scratch;

impl Convolution {
    /// Convolves a chunk of images; overwrites `y`.
    ///
    /// # Panics
    /// When `x` and `y` are not the same whole images, or `weights` were packed for another use.
    pub fn forward(
        &self,
        x: &[f32],
        weights: &PackedWeights,
        y: &mut [f32],
        scratch: &mut Scratch,
    ) {
        self.images(x.len(), y.len());
        let weights = weights.values(self, Direction::Forward);
        let padding = self.input_padding();
        let padded = padding.prepare(&mut scratch.padded);
        let images = x.chunks_exact(self.shape.in_elements());
        for (x, y) in images.zip(y.chunks_exact_mut(self.shape.out_elements())) {
            let x = padding.place(x, padded);
            for (pass, _) in self.forward_passes() {
                run(self.isa, &pass, x, weights, y);
            }
        }
    }
}
