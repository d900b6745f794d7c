//! Pictures in memory, and what is done to them before a network sees their numbers: the geometry
//! of Pillow and torchvision, pixel for pixel.

mod crop;
mod decode;
mod resize;

pub use decode::{EXTENSIONS, decode};
pub use resize::Interpolation;

use crate::engine::{Error, Result};

/// Rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

/// A picture: bytes, pixel by pixel, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Rows and columns.
    pub size: Size,
    /// Values of a pixel: 1 (gray) or 3 (red, green, blue).
    pub channels: usize,
    /// `height x width x channels` bytes.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// Of bytes, whose number is checked.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are more or fewer than the extents say.
    pub fn new(size: Size, channels: usize, bytes: Vec<u8>) -> Result<Self> {
        let pixels = size.height.checked_mul(size.width);
        let expected = pixels.and_then(|pixels| pixels.checked_mul(channels));
        if expected != Some(bytes.len()) || bytes.is_empty() {
            return Err(Error::invalid(format!(
                "{} bytes for a picture of {size} pixels and {channels} channels",
                bytes.len()
            )));
        }
        Ok(Self {
            size,
            channels,
            bytes,
        })
    }

    /// With one channel: luminance as Pillow's `convert("L")` weighs it (ITU-R 601-2).
    #[must_use]
    pub fn gray(self) -> Self {
        if self.channels == 1 {
            return self;
        }
        let luminance = |pixel: &[u8]| {
            let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
            ((red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16) as u8
        };
        let bytes = self.bytes.chunks_exact(3).map(luminance).collect();
        Self {
            channels: 1,
            bytes,
            ..self
        }
    }

    /// With three channels: gray is repeated.
    #[must_use]
    pub fn color(self) -> Self {
        if self.channels == 3 {
            return self;
        }
        let bytes = self.bytes.iter().flat_map(|&gray| [gray; 3]).collect();
        Self {
            channels: 3,
            bytes,
            ..self
        }
    }

    /// The bytes plane by plane; from the last channel to the first where `reversed`.
    #[must_use]
    pub fn planes(&self, order: PlaneOrder) -> Vec<u8> {
        let mut planes = Vec::with_capacity(self.bytes.len());
        for plane in 0..self.channels {
            let channel = match order {
                PlaneOrder::Straight => plane,
                PlaneOrder::Reversed => self.channels - 1 - plane,
            };
            planes.extend(self.bytes.iter().skip(channel).step_by(self.channels));
        }
        planes
    }
}

/// In which order planes follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaneOrder {
    /// As the channels do: red first.
    Straight,
    /// The other way round: blue first.
    Reversed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        let size = Size {
            height: 1,
            width: 2,
        };
        Picture::new(size, 3, vec![255, 0, 0, 10, 200, 30]).unwrap()
    }

    #[test]
    fn gray_is_that_of_pillow() {
        // Image.new("RGB", ...).convert("L"), Pillow 13.0.
        assert_eq!(picture().gray().bytes, [76, 124]);
        assert_eq!(picture().gray().color().bytes, [76, 76, 76, 124, 124, 124]);
    }

    #[test]
    fn planes_follow_the_channels_or_the_other_way_round() {
        let straight = [255, 10, 0, 200, 0, 30];
        assert_eq!(picture().planes(PlaneOrder::Straight), straight);
        let reversed = [0, 30, 0, 200, 255, 10];
        assert_eq!(picture().planes(PlaneOrder::Reversed), reversed);
    }

    #[test]
    fn bytes_that_do_not_suit_the_extents_are_refused() {
        let size = Size {
            height: usize::MAX,
            width: 2,
        };
        assert!(Picture::new(size, 3, vec![0; 6]).is_err());
    }
}
