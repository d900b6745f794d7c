//! Which numbers belong to which tile, and their way to and from the frequencies.

use std::ops::Range;

use super::super::ConvolutionShape;
use super::FREQUENCIES;
use super::transform::{Output, Transform, both_ways, row_of};
use crate::engine::backend::cpu::scratch::grown;
use crate::engine::backend::cpu::vector::{MAX_WIDTH, Simd};

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

    /// Numbers of a map of `channels`.
    const fn map(&self, channels: usize) -> usize {
        self.height * self.width * channels
    }

    /// The tiles of `images` images, at most `most` at a time.
    pub fn groups(self, images: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
        parts(images * self.down * self.across, most)
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

    /// The pixels of the chunk before this place.
    const fn before(&self, place: Place) -> usize {
        (place.image * self.height + place.row) * self.width + place.column
    }

    /// Panics unless these tiles lie in `maps` numbers of whole maps of `channels`.
    fn check(&self, group: &Range<usize>, maps: usize, channels: usize) {
        let images = maps / self.map(channels);
        assert!(
            group.end <= images * self.down * self.across,
            "tiles {group:?} of {images} images"
        );
    }
}

/// Consecutive parts of at most `most` of `0..count`.
pub(super) fn parts(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count)
        .step_by(most)
        .map(move |first| first..count.min(first + most))
}

/// A square of `SIZE` places of a map, some of them outside of it.
struct Square<const SIZE: usize> {
    /// The channels of its first place; valid only where that lies inside.
    start: *const f32,
    rows: [bool; SIZE],
    columns: [bool; SIZE],
}

/// Channels of whole images, that tiles are read from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maps<'a> {
    values: &'a [f32],
    channels: usize,
}

impl<'a> Maps<'a> {
    /// Of whole images.
    pub const fn new(values: &'a [f32], channels: usize) -> Self {
        Self { values, channels }
    }

    /// The square that starts `border` places before a tile.
    #[inline(always)]
    fn square<const SIZE: usize>(
        &self,
        tiles: &Tiles,
        place: Place,
        border: usize,
    ) -> Square<SIZE> {
        let start = self.values.as_ptr();
        let start = start.wrapping_add(tiles.before(place) * self.channels);
        let mut square = Square {
            start: start.wrapping_sub(border * (tiles.width + 1) * self.channels),
            rows: [false; SIZE],
            columns: [false; SIZE],
        };
        for i in 0..SIZE {
            square.rows[i] = (place.row + i).wrapping_sub(border) < tiles.height;
            square.columns[i] = (place.column + i).wrapping_sub(border) < tiles.width;
        }
        square
    }

    /// Transforms squares of `SIZE` places, one for each tile of `group`, to `frequencies`: some of
    /// the channels, whole vectors of them.
    #[inline(always)]
    pub fn transform<S: Simd, T: Transform<SIZE, 6>, const SIZE: usize>(
        &self,
        simd: S,
        (tiles, group): (&Tiles, Range<usize>),
        channels: Range<usize>,
        frequencies: &mut Frequencies<'_>,
    ) {
        tiles.check(&group, self.values.len(), self.channels);
        assert!(channels.end <= self.channels && channels.len().is_multiple_of(S::WIDTH));
        frequencies.check(group.len(), channels.len());
        let border = (SIZE - OUTPUTS) / 2;
        let stride = frequencies.stride;
        let (line, pixel) = (tiles.width * self.channels, self.channels);
        for (k, tile) in group.enumerate() {
            let square = self.square::<SIZE>(tiles, tiles.place(tile), border);
            for lane in (0..channels.len()).step_by(S::WIDTH) {
                let start = square.start.wrapping_add(channels.start + lane);
                let at = k * channels.len() + lane;
                // SAFETY: the frequencies hold every tile of the group.
                let target = unsafe { frequencies.values.as_mut_ptr().add(at) };
                both_ways::<S, T, SIZE, 6, 3>(
                    simd,
                    #[inline(always)]
                    |i| {
                        let mut row = [simd.splat(0.0); SIZE];
                        if square.rows[i] {
                            for (j, value) in row.iter_mut().enumerate() {
                                let from = start.wrapping_add(i * line + j * pixel);
                                // SAFETY: where row and column lie inside, the map has whole
                                // channels there.
                                *value = unsafe { simd.read_if(square.columns[j], from) };
                            }
                        }
                        row
                    },
                    #[inline(always)]
                    |i, j, value| {
                        // SAFETY: as for `target`, at any frequency.
                        unsafe { simd.write(target.add((6 * i + j) * stride), value) };
                    },
                );
            }
        }
    }
}

/// Transformed tiles: frequency by frequency, tile by tile, the channels.
pub(super) struct Frequencies<'a> {
    values: &'a mut [f32],
    stride: usize,
}

impl<'a> Frequencies<'a> {
    /// Memory for `tiles` of `channels`. The distance between frequencies is not a multiple of the
    /// cache's stride, so that the numbers of a tile do not evict each other.
    pub fn new(buffer: &'a mut Vec<f32>, tiles: usize, channels: usize) -> Self {
        let stride = tiles * channels + MAX_WIDTH;
        Self {
            values: grown(buffer, FREQUENCIES * stride),
            stride,
        }
    }

    fn check(&self, tiles: usize, channels: usize) {
        assert!(
            tiles * channels <= self.stride,
            "{tiles} tiles of {channels} channels"
        );
    }

    /// Each frequency.
    pub fn each(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.stride)
    }

    /// Each frequency, to write.
    pub fn each_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.stride)
    }

    /// Transforms the tiles of `group` to their outputs in maps of `channels`.
    #[inline(always)]
    pub fn to_outputs<S: Simd>(
        &self,
        simd: S,
        (tiles, group): (&Tiles, Range<usize>),
        (maps, channels): (&mut [f32], usize),
    ) {
        tiles.check(&group, maps.len(), channels);
        self.check(group.len(), channels);
        assert!(channels.is_multiple_of(S::WIDTH));
        let (line, stride) = (tiles.width * channels, self.stride);
        for (k, tile) in group.enumerate() {
            let place = tiles.place(tile);
            let inside = [
                OUTPUTS.min(tiles.height - place.row),
                OUTPUTS.min(tiles.width - place.column),
            ];
            for lane in (0..channels).step_by(S::WIDTH) {
                let at = tiles.before(place) * channels + lane;
                // SAFETY: the tile begins inside the maps, and the frequencies hold it.
                let (source, target) = unsafe {
                    (
                        self.values.as_ptr().add(k * channels + lane),
                        maps.as_mut_ptr().add(at),
                    )
                };
                both_ways::<S, Output, 6, 4, 2>(
                    simd,
                    #[inline(always)]
                    |i| {
                        row_of(
                            simd,
                            #[inline(always)]
                            // SAFETY: as for `source`, at any frequency.
                            |j| unsafe { simd.read(source.add((6 * i + j) * stride)) },
                        )
                    },
                    #[inline(always)]
                    |i, j, value| {
                        if i < inside[0] && j < inside[1] {
                            // SAFETY: the place lies inside the map, which has whole channels.
                            unsafe { simd.write(target.add(i * line + j * channels), value) };
                        }
                    },
                );
            }
        }
    }
}
