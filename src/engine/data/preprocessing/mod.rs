//! What is done to a picture before a network reads its numbers. It belongs to the network, is
//! taken from options, from a file, and from what is usual, and is written into every result.
//!
//! ```text
//! picture -channels-> -resize-> -crop-> bytes, plane by plane -pixel-scale-> -mean-> / std
//! ```

mod compose;
mod hugging_face;
mod numbers;
mod printed;
mod read;
mod timm;
mod told;
mod torchvision;
mod words;

use serde::{Deserialize, Serialize};

pub use read::read;
pub use told::{doubt, told};
pub use words::{Channels, Resize};

use super::picture::{Interpolation, Picture, PlaneOrder, Size};
use crate::engine::{Error, Result};

/// The most rows, columns or channels.
const MAX_EXTENT: usize = 1 << 14;
/// The most pixels that a picture has on its way.
const MAX_PIXELS: usize = 1 << 27;

/// What is done to a picture, as far as it was said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preprocessing {
    /// Rows and columns that a network reads, or that pictures are resized to before a crop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// How pictures are resized; absent: exactly to `size`, and not at all without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    /// Rows and columns that are cut out of the middle; absent: `size`, after a resize of the
    /// shorter side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<Size>,
    /// Filter of the resize; absent: bilinear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpolation: Option<Interpolation>,
    /// Channels and their order; absent: as they come, and red, green, blue of picture files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
    /// What a byte is multiplied by; absent: 1/255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_scale: Option<f32>,
    /// Subtracted from each channel after `pixel_scale`: one for all, or one a channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f32>>,
    /// What each channel is divided by after that: one for all, or one a channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f32>>,
}

impl Preprocessing {
    /// This, and `other` where this says nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            size: self.size.or(other.size),
            resize: self.resize.or(other.resize),
            crop: self.crop.or(other.crop),
            interpolation: self.interpolation.or(other.interpolation),
            channels: self.channels.or(other.channels),
            pixel_scale: self.pixel_scale.or(other.pixel_scale),
            mean: self.mean.or(other.mean),
            std: self.std.or(other.std),
        }
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it says how bytes become numbers.
    #[must_use]
    pub const fn scales(&self) -> bool {
        self.pixel_scale.is_some() || self.mean.is_some() || self.std.is_some()
    }

    /// The part that is about rows, columns and the order of channels.
    #[must_use]
    pub fn geometry(&self) -> Self {
        Self {
            pixel_scale: None,
            mean: None,
            std: None,
            ..self.clone()
        }
    }

    /// Refuses what cannot be done.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the key.
    pub fn check(&self) -> Result<()> {
        for (name, size) in [("size", self.size), ("crop", self.crop)] {
            if let Some(size) = size {
                check_extent(name, size.height)?;
                check_extent(name, size.width)?;
            }
        }
        match self.resize {
            Some(Resize::Shorter(side)) => check_extent("resize shorter", side)?,
            Some(Resize::Exact) if self.size.is_none() => {
                return Err(Error::invalid(
                    "resize exact, but no size to resize to: give size too",
                ));
            }
            _ => {}
        }
        if let (Some(Resize::Shorter(_)), Some(size), Some(crop)) =
            (self.resize, self.size, self.crop)
            && size != crop
        {
            return Err(Error::invalid(format!(
                "the network reads {size} pixels, but {crop} are cut out after the resize of the \
                 shorter side: give one of the two"
            )));
        }
        Ok(())
    }

    /// Rows and columns of every picture afterwards, where they do not depend on the picture.
    #[must_use]
    pub fn size_after(&self) -> Option<Size> {
        self.crop.or(self.size)
    }

    /// A picture as a network reads it: resized, cut, its channels in order.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it would become too large.
    pub fn shape(&self, picture: Picture) -> Result<Picture> {
        let picture = match self.channels {
            None => picture,
            Some(Channels::Gray) => picture.gray(),
            Some(Channels::Rgb | Channels::Bgr) => picture.color(),
        };
        let picture = match self.resized_size(picture.size)? {
            Some(size) => picture.resized(size, self.interpolation.unwrap_or_default()),
            None => picture,
        };
        let shorter = matches!(self.resize, Some(Resize::Shorter(_)));
        let crop = self.crop.or(if shorter { self.size } else { None });
        Ok(match crop {
            Some(crop) => picture.cropped(crop),
            None => picture,
        })
    }

    /// In which order the planes are handed on.
    #[must_use]
    pub const fn plane_order(&self) -> PlaneOrder {
        match self.channels {
            Some(Channels::Bgr) => PlaneOrder::Reversed,
            _ => PlaneOrder::Straight,
        }
    }

    /// What a picture of `size` is resized to.
    fn resized_size(&self, size: Size) -> Result<Option<Size>> {
        let wanted = match (self.resize, self.size) {
            (Some(Resize::None), _) | (None, None) => return Ok(None),
            (Some(Resize::Shorter(side)), _) => shorter(size, side),
            (Some(Resize::Exact) | None, wanted) => wanted,
        };
        let fits = |size: &Size| {
            let pixels = size.height.checked_mul(size.width);
            pixels.is_some_and(|pixels| pixels <= MAX_PIXELS)
        };
        let wanted = wanted.filter(fits);
        wanted.map(Some).ok_or_else(|| {
            Error::invalid(format!(
                "a picture of {size} pixels is too long and narrow to be resized like that; \
                 replace it, or resize exactly"
            ))
        })
    }
}

/// The shorter side at `side`, the longer one in proportion, rounded down as torchvision does.
fn shorter(size: Size, side: usize) -> Option<Size> {
    let longer = |longer: usize, shorter: usize| {
        let product = side.checked_mul(longer)?;
        Some((product as f64 / shorter as f64) as usize)
    };
    Some(if size.width <= size.height {
        Size {
            height: longer(size.height, size.width)?,
            width: side,
        }
    } else {
        Size {
            height: side,
            width: longer(size.width, size.height)?,
        }
    })
}

fn check_extent(name: &str, extent: usize) -> Result<()> {
    if (1..=MAX_EXTENT).contains(&extent) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{name} {extent}: expected 1 to {MAX_EXTENT} pixels"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(height: usize, width: usize) -> Picture {
        let bytes = (0..height * width).map(|at| at as u8).collect();
        Picture::new(Size { height, width }, 1, bytes).unwrap()
    }

    fn said(text: &str) -> Preprocessing {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_shorter_side_is_resized_and_the_middle_taken() {
        let own = said("resize = \"shorter=8\"\ncrop = [6, 5]\nchannels = \"rgb\"");
        let shaped = own.shape(gray(10, 23)).unwrap();
        assert_eq!(
            (shaped.size.to_string().as_str(), shaped.channels),
            ("6x5", 3)
        );
        let longer = own.resized_size(gray(10, 23).size).unwrap().unwrap();
        assert_eq!(longer.to_string(), "8x18");
        let by_size = said("resize = \"shorter=8\"\nsize = 5").shape(gray(20, 11));
        assert_eq!(by_size.unwrap().size.to_string(), "5x5");
    }

    #[test]
    fn a_size_alone_is_exact_and_may_be_cut_afterwards() {
        let size = |text: &str| said(text).shape(gray(9, 7)).unwrap().size.to_string();
        assert_eq!(size("size = [4, 6]"), "4x6");
        assert_eq!(size("size = 8\ncrop = 6"), "6x6");
        assert_eq!(size("resize = \"none\"\ncrop = 6"), "6x6");
        assert_eq!(size(""), "9x7");
    }

    #[test]
    fn what_was_said_first_counts() {
        let both = said("size = 4\nmean = [0.5]").or(said("size = 8\nstd = [2.0]"));
        assert_eq!(both, said("size = 4\nmean = [0.5]\nstd = [2.0]"));
        assert!(both.scales() && !both.geometry().scales());
    }

    #[test]
    fn impossible_settings_are_refused_by_their_key() {
        for (text, expected) in [
            ("size = 0", "size 0: expected 1 to 16384"),
            ("crop = 20000", "crop 20000"),
            ("resize = \"shorter=0\"", "resize shorter 0"),
            ("resize = \"exact\"", "give size too"),
            (
                "size = 5\ncrop = 4\nresize = \"shorter=8\"",
                "give one of the two",
            ),
        ] {
            let refused = said(text).check().unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
        let long = Size {
            height: 1,
            width: 30_000,
        };
        let own = said("resize = \"shorter=16384\"");
        assert!(own.resized_size(long).is_err());
    }
}
