//! What a product, a window, a part of a map and a quantizer look like, whatever computes them.

use serde::{Deserialize, Serialize};

mod product;
mod region;
mod window;

pub use product::{ConvolutionShape, LinearShape, WeightShape};
pub use region::{Region, Span};
pub use window::{AverageWindow, Inside, Window};

/// What is put around a map, in ONNX's order: rows above, columns on the left, rows below, columns on
/// the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Pads {
    /// Rows above.
    pub top: usize,
    /// Columns on the left.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns on the right.
    pub right: usize,
}

impl Pads {
    /// Nothing.
    pub const NONE: Self = Self::even([0, 0]);

    /// As many rows below as above, and as many columns on the right as on the left.
    #[must_use]
    pub const fn even([rows, columns]: [usize; 2]) -> Self {
        Self {
            top: rows,
            left: columns,
            bottom: rows,
            right: columns,
        }
    }

    /// Those of ONNX's attribute `pads`.
    #[must_use]
    pub const fn onnx([top, left, bottom, right]: [usize; 4]) -> Self {
        Self {
            top,
            left,
            bottom,
            right,
        }
    }

    /// The list of ONNX's attribute `pads`.
    #[must_use]
    pub const fn list(&self) -> [usize; 4] {
        [self.top, self.left, self.bottom, self.right]
    }

    /// Rows above (axis 0), or columns on the left (axis 1).
    #[must_use]
    pub const fn before(&self, axis: usize) -> usize {
        [self.top, self.left][axis]
    }

    /// Rows below (axis 0), or columns on the right (axis 1).
    #[must_use]
    pub const fn after(&self, axis: usize) -> usize {
        [self.bottom, self.right][axis]
    }

    /// All rows (axis 0), or all columns (axis 1).
    #[must_use]
    pub const fn both(&self, axis: usize) -> usize {
        self.before(axis) + self.after(axis)
    }
}

/// Windows along one axis.
#[derive(Debug, Clone, Copy)]
struct Axis {
    input: usize,
    /// What a window spans.
    extent: usize,
    stride: usize,
    before: usize,
    after: usize,
    /// Whether a last window may reach beyond what is put after the map.
    ceil: bool,
}

impl Axis {
    /// Number of windows; `None` when not one fits, or a number overflows.
    fn windows(&self) -> Option<usize> {
        let padded = self
            .input
            .checked_add(self.before)?
            .checked_add(self.after)?;
        if self.stride == 0 || self.extent == 0 || self.input == 0 {
            return None;
        }
        let room = padded.checked_sub(self.extent)?;
        let whole = room / self.stride + 1;
        let is_left = self.ceil && !room.is_multiple_of(self.stride);
        // The last window must begin in the map or in what is put before it.
        let begins = whole.checked_mul(self.stride)? < self.input.checked_add(self.before)?;
        Some(whole + usize::from(is_left && begins))
    }
}

/// What `kernel` positions `dilation` apart span; `None` when it overflows, or either is 0.
fn span(kernel: usize, dilation: usize) -> Option<usize> {
    if dilation == 0 {
        return None;
    }
    kernel.checked_sub(1)?.checked_mul(dilation)?.checked_add(1)
}

/// A uniform quantizer: `clamp(round(x / step), low, high) * step`, rounding half to even.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Distance between neighbouring values.
    pub step: f64,
    /// Smallest integer code.
    pub low: f64,
    /// Largest integer code.
    pub high: f64,
}
