//! Windows of pooling.

use serde::{Deserialize, Serialize};

use super::{Axis, Pads, span};

/// Geometry of a pooling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Step of the window, down and right.
    pub stride: [usize; 2],
    /// Distance between the positions of the window, down and right.
    pub dilation: [usize; 2],
    /// What is put around the map: minus infinity for a maximum, zeros for an average.
    pub padding: Pads,
    /// Whether the number of windows is rounded up (`ceil_mode`): the last one may then reach beyond
    /// the padding, but must begin in the map or in the padding before it.
    pub ceil: bool,
}

/// The places of a window that lie inside the map, along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// The first of them.
    pub first: usize,
    /// How many.
    pub count: usize,
}

impl Window {
    /// Without padding.
    #[must_use]
    pub const fn new(kernel: [usize; 2], stride: [usize; 2]) -> Self {
        Self {
            kernel,
            stride,
            dilation: [1, 1],
            padding: Pads::NONE,
            ceil: false,
        }
    }

    /// Rows (axis 0) or columns (axis 1) that the window spans.
    #[must_use]
    pub const fn extent(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    /// Windows along an axis of a map of `input` rows or columns; `None` unless they fit and each of
    /// them holds a place of the map.
    #[must_use]
    pub fn windows(&self, axis: usize, input: usize) -> Option<usize> {
        let (before, stride) = (self.padding.before(axis), self.stride[axis]);
        let extent = span(self.kernel[axis], self.dilation[axis])?;
        let along = Axis {
            input,
            extent,
            stride,
            before,
            after: self.padding.after(axis),
            ceil: self.ceil,
        };
        let windows = along.windows()?;
        let first_reaches = before < extent;
        let last_begins = (windows - 1).checked_mul(stride)? < input.checked_add(before)?;
        let skips = self.dilation[axis] > input && self.kernel[axis] > 1;
        (first_reaches && last_begins && !skips).then_some(windows)
    }

    /// The places of a window inside a map of `input` rows or columns.
    #[must_use]
    #[inline]
    pub const fn inside(&self, axis: usize, window: usize, input: usize) -> Inside {
        let dilation = self.dilation[axis];
        let (start, before) = (window * self.stride[axis], self.padding.before(axis));
        // Positions that lie before the map.
        let missing = before.saturating_sub(start).div_ceil(dilation);
        let first = start + missing * dilation - before;
        let left = self.kernel[axis] - missing;
        let there = (input - first).div_ceil(dilation);
        Inside {
            first,
            count: if left < there { left } else { there },
        }
    }
}

/// Geometry of average pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AverageWindow {
    /// The window.
    pub window: Window,
    /// Whether places of the padding count as zeros, or not at all (`count_include_pad`). What lies
    /// beyond the padding never counts.
    pub counts_padding: bool,
}

impl AverageWindow {
    /// Places that count along an axis of a map of `input` rows or columns.
    #[must_use]
    pub const fn counted(&self, axis: usize, window: usize, input: usize) -> usize {
        let Self {
            window: of,
            counts_padding,
        } = self;
        if !*counts_padding {
            return of.inside(axis, window, input).count;
        }
        let end = of.padding.both(axis) + input;
        let there = (end - window * of.stride[axis]).div_ceil(of.dilation[axis]);
        if of.kernel[axis] < there {
            of.kernel[axis]
        } else {
            there
        }
    }
}
