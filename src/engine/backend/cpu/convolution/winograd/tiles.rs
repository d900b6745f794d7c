//! Which numbers belong to which tile, and their way to and from the frequencies.

use std::ops::Range;

use super::super::ConvolutionShape;
use super::transform::{Output, Transform, both_ways};
use super::{FREQUENCIES, GROUP, frequency_stride};
use crate::engine::backend::cpu::scratch::grown;
use crate::engine::backend::cpu::vector::Simd;

/// Rows and columns of outputs in a tile.
pub(super) const OUTPUTS: usize = 4;

/// The tiles of a chunk's maps: image by image, row by row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiles {
    height: usize,
    width: usize,
    down: usize,
    across: usize,
}

/// Where a tile's outputs begin.
#[derive(Debug, Clone, Copy)]
struct Place {
    image: usize,
    row: usize,
    column: usize,
}

impl Tiles {
    pub fn new(shape: &ConvolutionShape) -> Self {
        Self {
            height: shape.in_height,
            width: shape.in_width,
            down: shape.in_height.div_ceil(OUTPUTS),
            across: shape.in_width.div_ceil(OUTPUTS),
        }
    }

    /// The tiles of `images` images, a group at a time.
    pub fn groups(self, images: usize) -> impl Iterator<Item = Range<usize>> {
        let all = images * self.down * self.across;
        (0..all)
            .step_by(GROUP)
            .map(move |first| first..all.min(first + GROUP))
    }

    const fn place(&self, tile: usize) -> Place {
        let (image, tile) = (
            tile / (self.down * self.across),
            tile % (self.down * self.across),
        );
        Place {
            image,
            row: tile / self.across * OUTPUTS,
            column: tile % self.across * OUTPUTS,
        }
    }

    /// Numbers of a map before this place.
    const fn offset(&self, image: usize, [row, column]: [usize; 2]) -> usize {
        (image * self.height + row) * self.width + column
    }
}

/// The maps that tiles are read from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maps<'a> {
    values: &'a [f32],
    channels: usize,
    /// What lies outside of a map: a zero per channel.
    outside: &'a [f32],
}

impl<'a> Maps<'a> {
    /// Of whole images; `zeros` is memory that nobody else writes to.
    pub fn new(values: &'a [f32], channels: usize, zeros: &'a mut Vec<f32>) -> Self {
        Self {
            values,
            channels,
            outside: grown(zeros, channels),
        }
    }

    /// Where the channels of a square of `SIZE` places begin, which starts `border` before `place`.
    #[inline(always)]
    fn window<const SIZE: usize>(
        &self,
        tiles: &Tiles,
        place: Place,
        border: usize,
    ) -> [[*const f32; SIZE]; SIZE] {
        let mut window = [[self.outside.as_ptr(); SIZE]; SIZE];
        for (i, line) in window.iter_mut().enumerate() {
            let row = (place.row + i).wrapping_sub(border);
            for (j, pointer) in line.iter_mut().enumerate() {
                let column = (place.column + j).wrapping_sub(border);
                if row < tiles.height && column < tiles.width {
                    let offset = tiles.offset(place.image, [row, column]) * self.channels;
                    *pointer = self.values[offset..][..self.channels].as_ptr();
                }
            }
        }
        window
    }

    /// Transforms squares of `SIZE` places, one for each tile of `group`, to `frequencies`.
    #[inline(always)]
    pub fn transform<S: Simd, T: Transform<SIZE, 6>, const SIZE: usize>(
        &self,
        simd: S,
        (tiles, group): (&Tiles, Range<usize>),
        frequencies: &mut [f32],
    ) {
        let stride = frequency_stride(self.channels);
        assert!(frequencies.len() >= FREQUENCIES * stride && group.len() <= GROUP);
        let border = (SIZE - OUTPUTS) / 2;
        for (k, tile) in group.enumerate() {
            let window = self.window::<SIZE>(tiles, tiles.place(tile), border);
            for channel in (0..self.channels).step_by(S::WIDTH) {
                // SAFETY: each pointer of the window is that of whole channels, a multiple of the
                // width; the frequencies hold `GROUP` tiles of them.
                unsafe {
                    let mut square = [[simd.splat(0.0); SIZE]; SIZE];
                    for (values, pointers) in square.iter_mut().zip(&window) {
                        for (value, pointer) in values.iter_mut().zip(pointers) {
                            *value = simd.read(pointer.add(channel));
                        }
                    }
                    let square = both_ways::<S, T, SIZE, 6>(simd, square);
                    let target = frequencies.as_mut_ptr().add(k * self.channels + channel);
                    for (i, value) in square.as_flattened().iter().enumerate() {
                        simd.write(target.add(i * stride), *value);
                    }
                }
            }
        }
    }
}

/// Transforms the frequencies of `group` to the tiles' outputs in maps of `channels`.
#[inline(always)]
pub(super) fn to_outputs<S: Simd>(
    simd: S,
    (tiles, group): (&Tiles, Range<usize>),
    (frequencies, channels): (&[f32], usize),
    maps: &mut [f32],
) {
    let stride = frequency_stride(channels);
    assert!(frequencies.len() >= FREQUENCIES * stride && group.len() <= GROUP);
    for (k, tile) in group.enumerate() {
        let place = tiles.place(tile);
        let rows = OUTPUTS.min(tiles.height - place.row);
        let columns = OUTPUTS.min(tiles.width - place.column);
        for channel in (0..channels).step_by(S::WIDTH) {
            let mut square = [[simd.splat(0.0); 6]; 6];
            for (i, value) in square.as_flattened_mut().iter_mut().enumerate() {
                // SAFETY: the frequencies hold `GROUP` tiles of whole channels, a multiple of the
                // width.
                *value = unsafe {
                    simd.read(
                        frequencies
                            .as_ptr()
                            .add(i * stride + k * channels + channel),
                    )
                };
            }
            let square = both_ways::<S, Output, 6, 4>(simd, square);
            for (i, line) in square.iter().enumerate().take(rows) {
                for (j, value) in line.iter().enumerate().take(columns) {
                    let at = tiles.offset(place.image, [place.row + i, place.column + j]);
                    simd.store(&mut maps[at * channels + channel..][..S::WIDTH], *value);
                }
            }
        }
    }
}
