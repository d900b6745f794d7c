//! An activation function together with its neighbours, as one pass over memory: the routines of `elementwise` and
//! `fake_quantize` take turns on pieces that stay in a core's first cache.

use std::ops::Range;

use super::Isa;
use super::elementwise::{self, Affine};
use super::fake_quantize::{self, UniformQuantizer};
use super::functions::{self, Function};

/// Numbers of a piece: three of them fit into 48 KB.
const PIECE: usize = 4096;

/// The ranges of pieces of whole rows.
fn pieces(length: usize, channels: usize) -> impl Iterator<Item = Range<usize>> {
    let size = (PIECE / channels.max(1)).max(1) * channels.max(1);
    (0..length)
        .step_by(size)
        .map(move |start| start..(start + size).min(length))
}

/// What is read: a map, per channel its scale and shift, and what is added to it; and the function of
/// the result.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The function.
    pub function: Function<'a>,
    /// The map.
    pub x: &'a [f32],
    /// Scale and shift of each channel.
    pub by: Option<Affine<'a>>,
    /// Added after the shift.
    pub residual: Option<&'a [f32]>,
}

/// Writes `r = f(x * scale + shift + residual)`, and `r` on the grid of a quantizer.
///
/// # Panics
/// When the lengths do not fit.
pub fn forward(
    isa: Isa,
    source: &Source<'_>,
    r: &mut [f32],
    mut quantized: Option<(&UniformQuantizer, &mut [f32])>,
) {
    let channels = source.channels();
    for piece in pieces(source.x.len(), channels) {
        let r = &mut r[piece.clone()];
        let source = source.piece(&piece);
        match source.function {
            Function::Relu => source.rectify(isa, r),
            function => {
                source.sum(isa, r);
                functions::apply(isa, function, r);
            }
        }
        if let Some((quantizer, values)) = &mut quantized {
            fake_quantize::fake_quantize(isa, quantizer, r, &mut values[piece]);
        }
    }
}

impl Source<'_> {
    /// Channels of the rows that pieces are made of.
    fn channels(&self) -> usize {
        match (self.by, self.function) {
            (Some(by), _) => by.scale.len(),
            (None, Function::Channels(slopes)) => slopes.len(),
            (None, _) => 1,
        }
    }

    fn piece(self, piece: &Range<usize>) -> Self {
        Self {
            x: &self.x[piece.clone()],
            residual: self.residual.map(|residual| &residual[piece.clone()]),
            ..self
        }
    }

    /// What is rectified, and that, at once.
    fn rectify(&self, isa: Isa, r: &mut [f32]) {
        match (self.by, self.residual) {
            (Some(by), Some(residual)) => {
                elementwise::affine_add_relu(isa, [self.x, residual], &by, r);
            }
            (Some(by), None) => elementwise::affine_relu(isa, self.x, &by, r),
            (None, Some(residual)) => elementwise::add_relu(isa, self.x, residual, r),
            (None, None) => elementwise::relu(isa, self.x, r),
        }
    }

    /// What the function reads.
    fn sum(&self, isa: Isa, r: &mut [f32]) {
        match self.by {
            Some(by) => elementwise::affine(isa, self.x, &by, r),
            None => r.copy_from_slice(self.x),
        }
        if let Some(residual) = self.residual {
            elementwise::add_assign(isa, residual, r);
        }
    }
}

/// What a function has written, and the quantizer that reads it.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// The function, whose output tells its slope.
    pub function: Function<'a>,
    /// Its output.
    pub r: &'a [f32],
    /// The quantizer.
    pub quantizer: &'a UniformQuantizer,
}

/// Turns `gradient`, that of `r` on the grid, into that of what the function reads: through the
/// quantizer, with the gradient that reaches `r` itself added, times the slope. Returns the gradient of
/// the step.
///
/// # Panics
/// When the lengths do not fit.
pub fn backward(
    isa: Isa,
    written: &Written<'_>,
    gradient: &mut [f32],
    direct: Option<&[f32]>,
) -> f64 {
    let mut slope = 0.0;
    for piece in pieces(written.r.len(), 1) {
        let (r, gradient) = (&written.r[piece.clone()], &mut gradient[piece.clone()]);
        slope += fake_quantize::fake_quantize_backward(isa, written.quantizer, r, gradient);
        if let Some(direct) = direct {
            elementwise::add_assign(isa, &direct[piece], gradient);
        }
        functions::slope(isa, written.function, r, gradient);
    }
    slope
}
