//! Shapes of wires, for one image. The layout in memory belongs to the backend.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a wire carries for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A feature map.
    Map {
        /// Channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A vector of features; for a flattened map in channel, row, column order.
    Features(usize),
}

impl Shape {
    /// Most numbers that a wire or a parameter may have: they are counted with 32 bits in some places,
    /// and 8 bytes each must be addressable.
    pub const LIMIT: usize = {
        let addressable = isize::MAX as usize / 8;
        let counted = u32::MAX as usize;
        if addressable < counted {
            addressable
        } else {
            counted
        }
    };

    /// A feature map.
    #[must_use]
    pub const fn map(channels: usize, height: usize, width: usize) -> Self {
        Self::Map {
            channels,
            height,
            width,
        }
    }

    /// Channels of a map; features.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self {
            Self::Map { channels, .. } => channels,
            Self::Features(features) => features,
        }
    }

    /// Numbers carried for one image; `None` when there are none, or more than [`LIMIT`](Self::LIMIT).
    #[must_use]
    pub fn checked_elements(self) -> Option<usize> {
        let elements = match self {
            Self::Map {
                channels,
                height,
                width,
            } => channels.checked_mul(height)?.checked_mul(width)?,
            Self::Features(features) => features,
        };
        (1..=Self::LIMIT).contains(&elements).then_some(elements)
    }

    /// Whether it is a vector, or a map of one row and column, which holds the same numbers.
    #[must_use]
    pub const fn is_vector(self) -> bool {
        matches!(
            self,
            Self::Features(_)
                | Self::Map {
                    height: 1,
                    width: 1,
                    ..
                }
        )
    }

    /// Numbers carried for one image.
    #[must_use]
    pub const fn elements(self) -> usize {
        match self {
            Self::Map {
                channels,
                height,
                width,
            } => channels * height * width,
            Self::Features(features) => features,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map {
                channels,
                height,
                width,
            } => write!(f, "{channels}x{height}x{width}"),
            Self::Features(features) => write!(f, "{features} features"),
        }
    }
}
