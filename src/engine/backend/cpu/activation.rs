//! A rectifier together with its neighbours, as one pass over memory: the routines of `elementwise` and
//! `fake_quantize` take turns on pieces that stay in a core's first cache.

use std::ops::Range;

use super::Isa;
use super::elementwise::{self, Affine};
use super::fake_quantize::{self, UniformQuantizer};

/// Numbers of a piece: three of them fit into 48 KB.
const PIECE: usize = 4096;

/// The ranges of pieces of whole rows.
fn pieces(length: usize, channels: usize) -> impl Iterator<Item = Range<usize>> {
    let size = (PIECE / channels.max(1)).max(1) * channels.max(1);
    (0..length)
        .step_by(size)
        .map(move |start| start..(start + size).min(length))
}

/// What is read: a map, per channel its scale and shift, and what is added to it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The map.
    pub x: &'a [f32],
    /// Scale and shift of each channel.
    pub by: Option<Affine<'a>>,
    /// Added after the shift.
    pub residual: Option<&'a [f32]>,
}

/// Writes `r = max(x * scale + shift + residual, 0)`, and `r` on the grid of a quantizer.
///
/// # Panics
/// When the lengths do not fit.
pub fn forward(
    isa: Isa,
    source: &Source<'_>,
    r: &mut [f32],
    mut quantized: Option<(&UniformQuantizer, &mut [f32])>,
) {
    let channels = source.by.map_or(1, |by| by.scale.len());
    for piece in pieces(source.x.len(), channels) {
        let (x, r) = (&source.x[piece.clone()], &mut r[piece.clone()]);
        let residual = source.residual.map(|residual| &residual[piece.clone()]);
        match (source.by, residual) {
            (Some(by), Some(residual)) => elementwise::affine_add_relu(isa, [x, residual], &by, r),
            (Some(by), None) => elementwise::affine_relu(isa, x, &by, r),
            (None, Some(residual)) => elementwise::add_relu(isa, x, residual, r),
            (None, None) => elementwise::relu(isa, x, r),
        }
        if let Some((quantizer, values)) = &mut quantized {
            fake_quantize::fake_quantize(isa, quantizer, r, &mut values[piece]);
        }
    }
}

/// Turns `gradient`, that of `r` on the grid, into that of what is rectified: through the quantizer,
/// with the gradient that reaches `r` itself added, where `r > 0`. Returns the gradient of the step.
///
/// # Panics
/// When the lengths do not fit.
pub fn backward(
    isa: Isa,
    (r, quantizer): (&[f32], &UniformQuantizer),
    gradient: &mut [f32],
    direct: Option<&[f32]>,
) -> f64 {
    let mut slope = 0.0;
    for piece in pieces(r.len(), 1) {
        let (r, gradient) = (&r[piece.clone()], &mut gradient[piece.clone()]);
        slope += fake_quantize::fake_quantize_backward(isa, quantizer, r, gradient);
        if let Some(direct) = direct {
            elementwise::add_assign(isa, &direct[piece], gradient);
        }
        elementwise::relu_gate_assign(isa, r, gradient);
    }
    slope
}
