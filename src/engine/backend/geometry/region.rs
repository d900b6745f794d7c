//! Parts of maps.

use serde::{Deserialize, Serialize};

use crate::engine::shape::Shape;

/// Every `step`-th of some rows, columns or channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The first.
    pub start: usize,
    /// From one to the next.
    pub step: usize,
    /// How many.
    pub count: usize,
}

impl Span {
    /// All of `count`.
    #[must_use]
    pub const fn whole(count: usize) -> Self {
        Self::run(0, count)
    }

    /// `count` neighbours.
    #[must_use]
    pub const fn run(start: usize, count: usize) -> Self {
        Self {
            start,
            step: 1,
            count,
        }
    }

    /// Every `step`-th from `start` on, before `end`; at least one, and `step` is not 0.
    #[must_use]
    pub fn stepped(start: usize, end: usize, step: usize) -> Option<Self> {
        let length = end.checked_sub(start).filter(|length| *length > 0)?;
        let count = (length - 1).checked_div(step)? + 1;
        Some(Self { start, step, count })
    }

    /// Whether all of them are among `length`.
    #[must_use]
    pub fn fits(&self, length: usize) -> bool {
        let last = || {
            let steps = self.count.checked_sub(1)?.checked_mul(self.step)?;
            self.start.checked_add(steps)
        };
        self.step > 0 && last().is_some_and(|last| last < length)
    }

    /// Their places.
    pub fn places(self) -> impl Iterator<Item = usize> {
        (0..self.count).map(move |i| self.start + i * self.step)
    }
}

/// Some channels of some places of a map; of features, some of them, in one row and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Region {
    /// Channels, or features.
    pub channels: Span,
    /// Rows.
    pub rows: Span,
    /// Columns.
    pub columns: Span,
}

impl Region {
    /// Everything.
    #[must_use]
    pub const fn whole(shape: Shape) -> Self {
        let (channels, rows, columns) = match shape {
            Shape::Map {
                channels,
                height,
                width,
            } => (channels, height, width),
            Shape::Features(features) => (features, 1, 1),
        };
        Self {
            channels: Span::whole(channels),
            rows: Span::whole(rows),
            columns: Span::whole(columns),
        }
    }

    /// Some neighbouring channels of everything.
    #[must_use]
    pub const fn of_channels(shape: Shape, channels: Span) -> Self {
        Self {
            channels,
            ..Self::whole(shape)
        }
    }

    /// Shape of the region of a whole of this shape; `None` where it leaves it.
    #[must_use]
    pub fn of(&self, whole: Shape) -> Option<Shape> {
        let all = Self::whole(whole);
        let fits = |part: Span, of: Span| part.fits(of.count);
        if !fits(self.channels, all.channels)
            || !fits(self.rows, all.rows)
            || !fits(self.columns, all.columns)
        {
            return None;
        }
        Some(match whole {
            Shape::Map { .. } => {
                Shape::map(self.channels.count, self.rows.count, self.columns.count)
            }
            Shape::Features(_) => Shape::Features(self.channels.count),
        })
    }
}
