//! The middle of a picture, as torchvision's `center_crop` takes it: where the picture is smaller,
//! it is surrounded with black first; halves are rounded to even numbers.

use super::{Picture, Size};

impl Picture {
    /// The middle of the picture.
    #[must_use]
    pub fn cropped(self, crop: Size) -> Self {
        if crop == self.size {
            return self;
        }
        let picture = self.padded(crop);
        let (top, left) = (
            middle(picture.size.height, crop.height),
            middle(picture.size.width, crop.width),
        );
        let (line, channels) = (picture.size.width * picture.channels, picture.channels);
        let mut bytes = Vec::with_capacity(crop.height * crop.width * channels);
        for row in picture.bytes.chunks_exact(line).skip(top).take(crop.height) {
            bytes.extend_from_slice(&row[left * channels..][..crop.width * channels]);
        }
        Self {
            size: crop,
            channels,
            bytes,
        }
    }

    /// At least as large as `least`, with black around: the odd row and column below and right.
    fn padded(self, least: Size) -> Self {
        let size = Size {
            height: self.size.height.max(least.height),
            width: self.size.width.max(least.width),
        };
        if size == self.size {
            return self;
        }
        let (top, left) = (
            (size.height - self.size.height) / 2,
            (size.width - self.size.width) / 2,
        );
        let channels = self.channels;
        let mut bytes = vec![0; size.height * size.width * channels];
        let rows = bytes.chunks_exact_mut(size.width * channels).skip(top);
        let line = self.size.width * channels;
        for (place, row) in rows.zip(self.bytes.chunks_exact(line)) {
            place[left * channels..][..line].copy_from_slice(row);
        }
        Self {
            size,
            channels,
            bytes,
        }
    }
}

/// Where a piece in the middle begins: `round((whole - piece) / 2)`, halves to even.
fn middle(whole: usize, piece: usize) -> usize {
    let rest = whole - piece;
    let half = rest / 2;
    half + usize::from(rest % 2 == 1 && half % 2 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_to_even_as_python_does() {
        // [round(rest / 2) for rest in range(8)]
        let begins = [0, 0, 1, 2, 2, 2, 3, 4];
        for (rest, begin) in begins.into_iter().enumerate() {
            assert_eq!(middle(10 + rest, 10), begin, "{rest}");
        }
    }

    #[test]
    fn a_smaller_picture_is_surrounded_with_black() {
        let size = Size {
            height: 1,
            width: 2,
        };
        let picture = Picture::new(size, 1, vec![5, 6]).unwrap();
        let crop = Size {
            height: 4,
            width: 1,
        };
        // torchvision.transforms.functional.center_crop(Image, [4, 1])
        assert_eq!(picture.cropped(crop).bytes, [0, 5, 0, 0]);
    }
}
