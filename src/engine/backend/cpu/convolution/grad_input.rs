//! The gradient of the input: `dx = dy * transposed w`.

use super::Convolution;
use super::correlation::run;
use super::pack::{Direction, PackedWeights};
use crate::engine::backend::cpu::Scratch;

impl Convolution {
    /// Gradients of a chunk of inputs from gradients of its outputs; overwrites `dx`.
    ///
    /// # Panics
    /// When `dy` and `dx` are not the same whole images, or `weights` were packed for another use.
    pub fn grad_input(
        &self,
        dy: &[f32],
        weights: &PackedWeights,
        dx: &mut [f32],
        scratch: &mut Scratch,
    ) {
        self.images(dx.len(), dy.len());
        let weights = weights.values(self, Direction::GradInput);
        let padding = self.gradient_padding();
        let padded = padding.prepare(&mut scratch.padded);
        let images = dy.chunks_exact(self.shape.out_elements());
        for (dy, dx) in images.zip(dx.chunks_exact_mut(self.shape.in_elements())) {
            let dy = padding.place(dy, padded);
            for (pass, _) in self.gradient_passes() {
                run(self.isa, &pass, dy, weights, dx);
            }
        }
    }
}
