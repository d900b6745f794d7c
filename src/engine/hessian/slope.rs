//! How the mean loss begins to change along a direction of one layer's weights.
//!
//! ```text
//! d/dt l(w + t v) at t = 0  =  1/N sum_n (p_n - y_n) . J_n v ,
//! ```
//! with `J_n v` the tangent of image n's logits, `p_n` its class probabilities and `y_n` 1 at its label:
//! one tangent walk from the layer on.

use super::primal::{Pieces, Primal};
use crate::engine::Result;
use crate::engine::backend::Backend;

/// The derivative of the mean loss over the sample in the weights of the layer at this place along
/// `v`, in the order of weights files.
///
/// # Errors
/// When the device fails.
pub fn slope<B: Backend>(primal: &Primal<B>, layer: usize, v: &[f64]) -> Result<f64> {
    let (program, layer) = (&primal.program, &primal.layers()[layer]);
    let classes = primal.classes();
    let downstream = program.graph().downstream(layer.node);
    let direction = program.backend().weights(&layer.shape, v)?;
    let images: Vec<usize> = (0..primal.len()).collect();
    let mut pieces = Pieces::new(primal, &images, program.kept_for(layer.node));
    let all = 0..pieces.spans().count();
    let sums = pieces.work(primal, all, |span, chunk| {
        let moved = (layer, &downstream[..]);
        let workspaces = &primal.workspaces;
        let dz = workspaces.with(|ws| program.tangent(ws, chunk, moved, &direction))?;
        let of_image = |(&image, dz): (&usize, &[f64])| {
            let expected = primal.probabilities_of(image).iter().zip(dz);
            expected.map(|(p, d)| p * d).sum::<f64>() - dz[primal.label_of(image)]
        };
        let images = span.images.iter().zip(dz.chunks_exact(classes));
        Ok(images.map(of_image).sum::<f64>())
    })?;
    Ok(sums.iter().sum::<f64>() / primal.len() as f64)
}
