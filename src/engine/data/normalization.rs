//! From bytes to the numbers a network reads, with augmentation for training.
//!
//! The order is that of torchvision: the image is padded with black pixels and cropped, then
//! flipped, and only then normalised, so that the border becomes `(0 - mean) / std` and not 0.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::sampling::{Purpose, below, draws};
use super::{Dataset, Sample};
use crate::engine::counts::counted;
use crate::engine::{Error, Result};

/// Black pixels added on each side before cropping.
const PADDING: usize = 4;

/// What a byte is multiplied by, unless asked otherwise: pixels lie between 0 and 1.
pub const USUAL_SCALE: f32 = 1.0 / 255.0;

/// Mean and standard deviation per channel, of pixels between 0 and 1 or as `pixel_scale` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// What a byte is multiplied by first; absent in files: 1/255.
    #[serde(default = "usual_scale", skip_serializing_if = "is_usual_scale")]
    pub pixel_scale: f32,
    /// Subtracted.
    pub mean: Vec<f32>,
    /// Divided by.
    pub std: Vec<f32>,
}

fn usual_scale() -> f32 {
    USUAL_SCALE
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_usual_scale(scale: &f32) -> bool {
    (scale * 255.0 - 1.0).abs() < 1e-5
}

impl Normalization {
    /// Checks that there are as many means as deviations, all finite, the deviations positive.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the value.
    pub fn new(mean: Vec<f32>, std: Vec<f32>) -> Result<Self> {
        if mean.len() != std.len() || mean.is_empty() {
            let (means, deviations) = (mean.len(), std.len());
            return Err(Error::invalid(format!(
                "{} of mean but {deviations} of std: expected one of each a channel",
                counted(means, "value")
            )));
        }
        if let Some(value) = mean.iter().find(|value| !value.is_finite()) {
            return Err(Error::invalid(format!(
                "mean {value}: expected finite numbers; 0 subtracts nothing"
            )));
        }
        if let Some(value) = std
            .iter()
            .find(|value| !(value.is_finite() && **value > 0.0))
        {
            return Err(Error::invalid(format!(
                "std {value}: expected positive numbers; 1 divides by nothing"
            )));
        }
        Ok(Self {
            pixel_scale: USUAL_SCALE,
            mean,
            std,
        })
    }

    /// The same of bytes multiplied by another number; 1/255 may be written with a few digits.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is not a positive number.
    pub fn scaled(self, pixel_scale: f32) -> Result<Self> {
        if !(pixel_scale.is_finite() && pixel_scale > 0.0) {
            return Err(Error::invalid(format!(
                "pixel-scale {pixel_scale}: expected a positive number such as 1 or 0.00392157 \
                 (1/255)"
            )));
        }
        let usual = is_usual_scale(&pixel_scale);
        Ok(Self {
            pixel_scale: if usual { USUAL_SCALE } else { pixel_scale },
            ..self
        })
    }

    /// Numbers as they are: nothing subtracted, divided by 1.
    #[must_use]
    pub fn none(channels: usize) -> Self {
        Self {
            pixel_scale: 1.0,
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
        }
    }

    /// What every byte becomes in a channel: `(byte / 255 - mean) / std`, or the same of bytes
    /// multiplied by another number.
    fn table(&self, channel: usize) -> [f32; 256] {
        let (mean, std) = (self.mean[channel], self.std[channel]);
        let scaled = |byte: usize| {
            if is_usual_scale(&self.pixel_scale) {
                byte as f32 / 255.0
            } else {
                byte as f32 * self.pixel_scale
            }
        };
        std::array::from_fn(|byte| (scaled(byte) - mean) / std)
    }
}

/// What happens to an image before it is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Augmentation {
    /// Nothing.
    None,
    /// The usual one of CIFAR: padded by 4 black pixels, cropped back at a random place, and
    /// flipped left to right half of the time. Each image's draws depend on the seed, the epoch
    /// and its index alone.
    CropAndFlip {
        /// Seed of the run.
        seed: u64,
        /// 0-based epoch.
        epoch: u64,
    },
}

/// How bytes become the numbers a network reads.
#[derive(Debug, Clone, Copy)]
pub struct Preparation<'a> {
    /// Applied last.
    pub normalization: &'a Normalization,
    /// Applied first.
    pub augmentation: Augmentation,
}

/// How far an image is shifted, and whether it is mirrored.
#[derive(Debug, Clone, Copy)]
struct Placement {
    /// Row of the padded image where the crop begins; `PADDING` is in place.
    top: usize,
    /// Column of the padded image where the crop begins.
    left: usize,
    direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Straight,
    Mirrored,
}

impl Placement {
    const IN_PLACE: Self = Self {
        top: PADDING,
        left: PADDING,
        direction: Direction::Straight,
    };

    fn of(augmentation: Augmentation, index: usize) -> Self {
        let Augmentation::CropAndFlip { seed, epoch } = augmentation else {
            return Self::IN_PLACE;
        };
        let mut draws = draws(Purpose::Augmentation, seed, (epoch, index as u64));
        Self {
            top: below(&mut draws, 2 * PADDING + 1),
            left: below(&mut draws, 2 * PADDING + 1),
            direction: match below(&mut draws, 2) {
                0 => Direction::Straight,
                _ => Direction::Mirrored,
            },
        }
    }
}

/// What the values of images become.
pub trait Number: Copy + Send + From<f32> {}

impl<T: Copy + Send + From<f32>> Number for T {}

impl Dataset {
    /// The images at `indices`, one after another, each CHW, prepared.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an index outside, or a normalization for another number of channels.
    pub fn normalized<T: Number>(
        &self,
        indices: &[usize],
        preparation: Preparation<'_>,
    ) -> Result<Vec<T>> {
        let normalization = preparation.normalization;
        let (means, channels) = (normalization.mean.len(), self.channels);
        if means != channels || normalization.std.len() != channels {
            return Err(Error::invalid(format!(
                "mean and std are for {}, but an image of {} has {channels}; give one value for \
                 all, or one a channel",
                counted(means, "channel"),
                self.name
            )));
        }
        let tables: Vec<[f32; 256]> = (0..channels)
            .map(|channel| normalization.table(channel))
            .collect();
        let size = self.image_size().max(1);
        let mut out = vec![T::from(0.0); indices.len() * size];
        let prepare = |(&index, image): (&usize, &mut [T])| {
            let sample = self.sample(index)?;
            let placement = Placement::of(preparation.augmentation, index);
            self.prepare(&sample, &tables, placement, image);
            Ok::<_, Error>(())
        };
        if self.images.is_slow() {
            let images = out.par_chunks_exact_mut(size);
            indices.par_iter().zip(images).try_for_each(prepare)?;
        } else {
            let mut images = indices.iter().zip(out.chunks_exact_mut(size));
            images.try_for_each(prepare)?;
        }
        Ok(out)
    }

    /// Writes one image.
    fn prepare<T: Number>(
        &self,
        sample: &Sample<'_>,
        tables: &[[f32; 256]],
        placement: Placement,
        image: &mut [T],
    ) {
        let size = (self.height * self.width).max(1);
        let planes = image.chunks_exact_mut(size);
        match sample {
            Sample::Pixels(bytes) => {
                for ((out, plane), table) in planes.zip(bytes.chunks_exact(size)).zip(tables) {
                    self.place(plane, |&byte| table[usize::from(byte)], placement, out);
                }
            }
            Sample::Numbers(numbers) => {
                for (out, plane) in planes.zip(numbers.chunks_exact(size)) {
                    self.place(plane, |&number| number, placement, out);
                }
            }
        }
    }

    /// Writes one plane, shifted, mirrored and made numbers; the border is that of zeros.
    fn place<V: Default, T: Number>(
        &self,
        plane: &[V],
        number: impl Fn(&V) -> f32,
        placement: Placement,
        out: &mut [T],
    ) {
        let (height, width) = (self.height, self.width);
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            // Row and columns of the image seen by this row of the crop; the rest is border.
            let source = (row + placement.top)
                .checked_sub(PADDING)
                .filter(|&row| row < height);
            let first = PADDING.saturating_sub(placement.left).min(width);
            let from = placement.left.saturating_sub(PADDING).min(width);
            let count = (width - first).min(width - from);
            let seen = source.map_or(&[][..], |row| &plane[row * width + from..][..count]);
            if seen.len() < width {
                out.fill(T::from(number(&V::default())));
            }
            for (place, value) in out[first..].iter_mut().zip(seen) {
                *place = T::from(number(value));
            }
            if placement.direction == Direction::Mirrored {
                out.reverse();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::data::{Held, Label, Origin};

    /// Images of 6 x 6 pixels and 2 channels, every pixel different and none black.
    fn dataset(count: usize) -> Dataset {
        let size = 2 * 6 * 6;
        Dataset {
            name: "made".into(),
            classes: 10,
            class_names: vec![],
            channels: 2,
            height: 6,
            width: 6,
            images: Held::of(
                (0..count * size).map(|at| (1 + at % 251) as u8).collect(),
                size,
            ),
            labels: vec![Label(0); count],
            origin: Origin::default(),
        }
    }

    fn normalization() -> Normalization {
        Normalization::new(vec![0.485, 0.1], vec![0.229, 2.0]).unwrap()
    }

    fn prepared(dataset: &Dataset, indices: &[usize], augmentation: Augmentation) -> Vec<f32> {
        let preparation = Preparation {
            normalization: &normalization(),
            augmentation,
        };
        dataset.normalized(indices, preparation).unwrap()
    }

    #[test]
    fn pixels_become_pixel_over_255_less_mean_over_std() {
        let out = prepared(&dataset(2), &[1], Augmentation::None);
        assert_eq!(out.len(), 72);
        assert_eq!(out[..1], [(73.0_f32 / 255.0 - 0.485) / 0.229]);
        assert_eq!(out[36..37], [(109.0_f32 / 255.0 - 0.1) / 2.0]);
    }

    /// Padding, cropping and flipping pixel by pixel, as torchvision describes them.
    fn slow(image: &[u8], placement: Placement) -> Vec<f32> {
        let normalization = normalization();
        let mut out = Vec::new();
        for (channel, plane) in image.chunks(36).enumerate() {
            for row in 0..6 {
                for column in 0..6 {
                    let column = match placement.direction {
                        Direction::Straight => column,
                        Direction::Mirrored => 5 - column,
                    };
                    let (y, x) = (row + placement.top, column + placement.left);
                    let inside = (4..10).contains(&y) && (4..10).contains(&x);
                    let byte = if inside {
                        plane[(y - 4) * 6 + x - 4]
                    } else {
                        0
                    };
                    let (mean, std) = (normalization.mean[channel], normalization.std[channel]);
                    out.push((f32::from(byte) / 255.0 - mean) / std);
                }
            }
        }
        out
    }

    #[test]
    fn every_crop_and_flip_is_that_of_a_padded_image() {
        let dataset = dataset(500);
        let augmentation = Augmentation::CropAndFlip { seed: 3, epoch: 1 };
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..500 {
            let placement = Placement::of(augmentation, index);
            seen.insert((placement.top, placement.left, placement.direction as u8));
            let Sample::Pixels(image) = dataset.sample(index).unwrap() else {
                panic!("pixels are held");
            };
            let expected = slow(&image, placement);
            assert_eq!(
                prepared(&dataset, &[index], augmentation),
                expected,
                "{placement:?}"
            );
        }
        assert!(
            seen.len() > 140,
            "162 placements are possible, {} were seen",
            seen.len()
        );
    }

    #[test]
    fn an_image_is_augmented_the_same_in_every_batch() {
        let dataset = dataset(10);
        let augmentation = Augmentation::CropAndFlip { seed: 3, epoch: 1 };
        let together = prepared(&dataset, &[4, 7], augmentation);
        let alone = [[4], [7]]
            .map(|index| prepared(&dataset, &index, augmentation))
            .concat();
        assert_eq!(together, alone);
        let next = Augmentation::CropAndFlip { seed: 3, epoch: 2 };
        let all: Vec<usize> = (0..10).collect();
        assert_ne!(
            prepared(&dataset, &all, augmentation),
            prepared(&dataset, &all, next)
        );
    }

    #[test]
    fn bad_numbers_and_other_channels_are_refused() {
        let refused = |mean: &[f32], std: &[f32]| {
            Normalization::new(mean.to_vec(), std.to_vec())
                .unwrap_err()
                .to_string()
        };
        let std = "std 0: expected positive numbers; 1 divides by nothing";
        assert_eq!(refused(&[0.0], &[0.0]), std);
        assert_eq!(
            refused(&[f32::NAN], &[1.0]),
            "mean NaN: expected finite numbers; 0 subtracts nothing"
        );
        assert!(refused(&[0.0], &[1.0, 1.0]).contains("1 value of mean but 2 of std"));
        let grey = Normalization::new(vec![0.5], vec![0.5]).unwrap();
        let preparation = Preparation {
            normalization: &grey,
            augmentation: Augmentation::None,
        };
        let error = dataset(1).normalized::<f32>(&[0], preparation).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("for 1 channel, but an image of made has 2"),
            "{error}"
        );
        let both = normalization();
        let preparation = Preparation {
            normalization: &both,
            augmentation: Augmentation::None,
        };
        assert!(dataset(1).normalized::<f32>(&[1], preparation).is_err());
    }
}
