//! Resizing as Pillow does it, bit for bit: filters that widen with the scale, coefficients of 22
//! fractional bits, and a rounding to bytes after each of the two passes.
//!
//! The reference is `ImagingResample` and `ImagingScaleAffine` of Pillow 13.0
//! (`src/libImaging/Resample.c`, `Geometry.c`).

use serde::{Deserialize, Serialize};

use super::{Picture, Size};
use crate::engine::words::words;

/// Fractional bits of a coefficient.
const PRECISION: u32 = 32 - 8 - 2;

/// How values between pixels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// The pixel that a place lies in.
    Nearest,
    /// The mean over the pixels that a pixel covers.
    Box,
    /// Triangles.
    #[default]
    Bilinear,
    /// Triangles of half the width with a smooth top.
    Hamming,
    /// Cubic pieces, a = -0.5.
    Bicubic,
    /// Windowed sinc of three lobes.
    Lanczos,
}

words! { Interpolation as "interpolation":
    Nearest "nearest", Box "box", Bilinear "bilinear", Hamming "hamming", Bicubic "bicubic",
    Lanczos "lanczos"
}

impl Interpolation {
    /// Half of the width in pixels of the smaller picture.
    const fn support(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The filter at `x`.
    fn weight(self, x: f64) -> f64 {
        let distance = x.abs();
        match self {
            Self::Nearest | Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Self::Bilinear => (1.0 - distance).max(0.0),
            Self::Hamming if distance == 0.0 => 1.0,
            Self::Hamming if distance >= 1.0 => 0.0,
            Self::Hamming => {
                let angle = distance * std::f64::consts::PI;
                angle.sin() / angle * (0.54 + 0.46 * angle.cos())
            }
            Self::Bicubic => {
                const A: f64 = -0.5;
                if distance < 1.0 {
                    ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0
                } else if distance < 2.0 {
                    (((distance - 5.0) * distance + 8.0) * distance - 4.0) * A
                } else {
                    0.0
                }
            }
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let angle = x * std::f64::consts::PI;
    angle.sin() / angle
}

/// The pixels that a new one is made of.
struct Window {
    /// The first of them.
    first: usize,
    /// What each of them counts, in `2^-22`.
    weights: Vec<i32>,
}

/// The windows of all new pixels of a line.
fn windows(interpolation: Interpolation, old: usize, new: usize) -> Vec<Window> {
    let scale = old as f64 / new as f64;
    let widening = scale.max(1.0);
    let support = interpolation.support() * widening;
    let window = |place: usize| {
        let center = (place as f64 + 0.5) * scale;
        let first = ((center - support + 0.5) as i64).max(0) as usize;
        let end = ((center + support + 0.5) as usize).min(old);
        let at = |pixel: usize| (pixel as f64 - center + 0.5) * (1.0 / widening);
        let mut weights: Vec<f64> = (first..end)
            .map(|pixel| interpolation.weight(at(pixel)))
            .collect();
        let sum: f64 = weights.iter().sum();
        if sum != 0.0 {
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        Window {
            first,
            weights: weights.into_iter().map(fixed).collect(),
        }
    };
    (0..new).map(window).collect()
}

/// A coefficient, rounded half away from zero.
fn fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << PRECISION);
    (scaled + if weight < 0.0 { -0.5 } else { 0.5 }) as i32
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

impl Picture {
    /// The picture at another size; the same where the size is.
    #[must_use]
    pub fn resized(self, size: Size, interpolation: Interpolation) -> Self {
        if size == self.size {
            return self;
        }
        if interpolation == Interpolation::Nearest {
            return self.nearest(size);
        }
        let (across, down) = (
            |picture: Self| picture.across(size.width, interpolation),
            |picture: Self| picture.down(size.height, interpolation),
        );
        // The order of Pillow 13: the pass that makes it smaller first, where the other makes it
        // larger. It decides about the last bit.
        if size.height < self.size.height && size.width > self.size.width {
            across(down(self))
        } else {
            down(across(self))
        }
    }

    /// Every row at another width.
    fn across(self, width: usize, interpolation: Interpolation) -> Self {
        if width == self.size.width {
            return self;
        }
        let windows = windows(interpolation, self.size.width, width);
        let channels = self.channels;
        let mut bytes = Vec::with_capacity(self.size.height * width * channels);
        for row in self.bytes.chunks_exact(self.size.width * channels) {
            for window in &windows {
                let seen = &row[window.first * channels..];
                for channel in 0..channels {
                    let pixels = seen.iter().skip(channel).step_by(channels);
                    let products = pixels.zip(&window.weights);
                    let sum: i32 = products
                        .map(|(&pixel, weight)| i32::from(pixel) * weight)
                        .fold(1 << (PRECISION - 1), i32::wrapping_add);
                    bytes.push(to_byte(sum));
                }
            }
        }
        Self {
            size: Size { width, ..self.size },
            channels,
            bytes,
        }
    }

    /// Every column at another height.
    fn down(self, height: usize, interpolation: Interpolation) -> Self {
        if height == self.size.height {
            return self;
        }
        let windows = windows(interpolation, self.size.height, height);
        let line = self.size.width * self.channels;
        let mut bytes = Vec::with_capacity(height * line);
        let mut sums = vec![0_i32; line];
        for window in &windows {
            sums.fill(1 << (PRECISION - 1));
            let rows = self.bytes.chunks_exact(line).skip(window.first);
            for (row, &weight) in rows.zip(&window.weights) {
                for (sum, &pixel) in sums.iter_mut().zip(row) {
                    *sum = sum.wrapping_add(i32::from(pixel) * weight);
                }
            }
            bytes.extend(sums.iter().map(|&sum| to_byte(sum)));
        }
        Self {
            size: Size {
                height,
                ..self.size
            },
            channels: self.channels,
            bytes,
        }
    }

    /// The pixel that the middle of each new one lies in.
    fn nearest(self, size: Size) -> Self {
        let places = |old: usize, new: usize| {
            let step = old as f64 / new as f64;
            // Pillow adds the step again and again; the rounding of that decides at the borders.
            let mut at = step * 0.5;
            let mut places = Vec::with_capacity(new);
            for _ in 0..new {
                places.push((at as usize).min(old - 1));
                at += step;
            }
            places
        };
        let columns = places(self.size.width, size.width);
        let (line, channels) = (self.size.width * self.channels, self.channels);
        let mut bytes = Vec::with_capacity(size.height * size.width * channels);
        for row in places(self.size.height, size.height) {
            let row = &self.bytes[row * line..][..line];
            for &column in &columns {
                bytes.extend_from_slice(&row[column * channels..][..channels]);
            }
        }
        Self {
            size,
            channels,
            bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of bytes that look random, without anybody's generator.
    fn picture(height: usize, width: usize, channels: usize) -> Picture {
        let byte = |at: usize| ((at * at * 31 + at * 7 + 13) % 251) as u8;
        let bytes = (0..height * width * channels).map(byte).collect();
        Picture::new(Size { height, width }, channels, bytes).unwrap()
    }

    /// A sum that every byte and its place decide.
    fn sum(picture: &Picture) -> u64 {
        let bytes = picture.bytes.iter().enumerate();
        bytes.fold(0, |sum, (at, &byte)| {
            (sum * 31 + u64::from(byte) + at as u64) % 1_000_000_007
        })
    }

    const EVERY: [Interpolation; 6] = [
        Interpolation::Nearest,
        Interpolation::Box,
        Interpolation::Bilinear,
        Interpolation::Hamming,
        Interpolation::Bicubic,
        Interpolation::Lanczos,
    ];

    #[test]
    fn every_filter_gives_the_bytes_of_pillow() {
        // The same sums over Image.resize of Pillow 13.0: smaller, larger, and each way round.
        for (sizes, sums) in FROZEN {
            let [height, width, new_height, new_width] = sizes;
            for (interpolation, expected) in EVERY.into_iter().zip(sums) {
                let size = Size {
                    height: new_height,
                    width: new_width,
                };
                let resized = picture(height, width, 3).resized(size, interpolation);
                assert_eq!(resized.size, size);
                assert_eq!(sum(&resized), expected, "{sizes:?} {interpolation}");
            }
        }
    }

    const FROZEN: [([usize; 4], [u64; 6]); 5] = [
        (
            [37, 50, 25, 34],
            [
                709_533_352,
                478_462_177,
                775_648_969,
                167_855_420,
                197_058_890,
                836_423_864,
            ],
        ),
        (
            [9, 12, 23, 31],
            [
                527_885_145,
                277_193_984,
                9_743_503,
                346_204_422,
                63_216_193,
                945_360_291,
            ],
        ),
        (
            [40, 10, 20, 15],
            [
                871_591_307,
                763_927_912,
                152_736_474,
                731_530_277,
                683_570_511,
                81_510_976,
            ],
        ),
        (
            [10, 40, 15, 20],
            [
                329_100_538,
                453_329_973,
                838_602_881,
                714_665_402,
                645_425_286,
                980_137_101,
            ],
        ),
        (
            [21, 21, 13, 64],
            [
                364_985_387,
                834_464_687,
                723_027_294,
                314_367_748,
                311_511_526,
                483_961_466,
            ],
        ),
    ];
}
