//! Shapes of wires, for one image. The layout in memory belongs to the backend.

use std::fmt;

/// What a wire carries for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
