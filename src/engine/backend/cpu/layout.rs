//! Routines that only move numbers: parts of maps, channels side by side, and changes of layout.

use std::ops::Range;

use crate::engine::backend::Region;

/// A part of an image: which numbers of a row-by-row whole are those of a smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Part {
    /// Rows, columns and channels of the whole.
    pub whole: [usize; 3],
    /// Which of them.
    pub region: Region,
}

impl Part {
    /// Numbers of the whole per image.
    #[must_use]
    pub const fn whole_elements(&self) -> usize {
        self.whole[0] * self.whole[1] * self.whole[2]
    }

    /// Numbers of the part per image.
    #[must_use]
    pub const fn part_elements(&self) -> usize {
        self.region.rows.count * self.region.columns.count * self.region.channels.count
    }

    /// Overwrites `part` with that of `whole`; its own tangent.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn read(&self, whole: &[f32], part: &mut [f32]) {
        self.check(whole.len(), part.len());
        let channels = self.region.channels;
        let images = whole.chunks_exact(self.whole_elements());
        for (whole, part) in images.zip(part.chunks_exact_mut(self.part_elements())) {
            for (at, part) in self.starts().zip(part.chunks_exact_mut(channels.count)) {
                if channels.step == 1 {
                    part.copy_from_slice(&whole[at..][..channels.count]);
                } else {
                    let whole = whole[at..].iter().step_by(channels.step);
                    part.iter_mut().zip(whole).for_each(|(p, w)| *p = *w);
                }
            }
        }
    }

    /// Overwrites `whole` with zeros around `part`: the adjoint of [`read`](Self::read).
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn write(&self, part: &[f32], whole: &mut [f32]) {
        self.check(whole.len(), part.len());
        whole.fill(0.0);
        let channels = self.region.channels;
        let images = whole.chunks_exact_mut(self.whole_elements());
        for (whole, part) in images.zip(part.chunks_exact(self.part_elements())) {
            for (at, part) in self.starts().zip(part.chunks_exact(channels.count)) {
                if channels.step == 1 {
                    whole[at..][..channels.count].copy_from_slice(part);
                } else {
                    let whole = whole[at..].iter_mut().step_by(channels.step);
                    whole.zip(part).for_each(|(w, p)| *w = *p);
                }
            }
        }
    }

    /// Where the first channel of each place of the part lies in the whole.
    fn starts(&self) -> impl Iterator<Item = usize> {
        let [_, columns, channels] = self.whole;
        let region = self.region;
        let place = move |row, column| (row * columns + column) * channels + region.channels.start;
        let rows = region.rows.places();
        rows.flat_map(move |row| {
            region
                .columns
                .places()
                .map(move |column| place(row, column))
        })
    }

    fn check(&self, whole: usize, part: usize) {
        let Region {
            channels,
            rows,
            columns,
        } = self.region;
        let spans = [rows, columns, channels];
        assert!(
            spans
                .iter()
                .zip(self.whole)
                .all(|(span, length)| span.fits(length)),
            "a part that leaves its whole: {self:?}"
        );
        let images = whole / self.whole_elements();
        assert!(
            whole == images * self.whole_elements() && part == images * self.part_elements(),
            "{whole} and {part} numbers are not the same whole images of {self:?}"
        );
    }
}

/// Writes some of the `channels` of each place: `values` place by place, or zeros.
///
/// # Panics
/// When the lengths do not fit.
pub fn write_channels(
    values: Option<&[f32]>,
    (to, channels): (&mut [f32], usize),
    range: Range<usize>,
) {
    let places = to.len() / channels;
    assert!(
        values.is_none_or(|values| values.len() == places * range.len()),
        "channels {range:?} of {places} places"
    );
    for (place, to) in to.chunks_exact_mut(channels).enumerate() {
        let to = &mut to[range.clone()];
        match values {
            Some(values) => to.copy_from_slice(&values[place * to.len()..][..to.len()]),
            None => to.fill(0.0),
        }
    }
}

/// From `[image][pixel][channel]` to `[image][channel][pixel]`.
///
/// # Panics
/// When the lengths do not fit.
pub fn nhwc_to_nchw([pixels, channels]: [usize; 2], nhwc: &[f32], nchw: &mut [f32]) {
    transpose([pixels, channels], nhwc, nchw);
}

/// From `[image][channel][pixel]` to `[image][pixel][channel]`.
///
/// # Panics
/// When the lengths do not fit.
pub fn nchw_to_nhwc([pixels, channels]: [usize; 2], nchw: &[f32], nhwc: &mut [f32]) {
    transpose([channels, pixels], nchw, nhwc);
}

/// Rows and columns of a block that stays in the cache.
const BLOCK: usize = 16;

/// Transposes each `rows` by `columns` matrix of `from`.
fn transpose([rows, columns]: [usize; 2], from: &[f32], to: &mut [f32]) {
    let matrix = rows * columns;
    assert!(
        from.len() == to.len() && matrix > 0 && from.len().is_multiple_of(matrix),
        "{} and {} numbers are not the same whole images of {rows}x{columns}",
        from.len(),
        to.len()
    );
    for (from, to) in from.chunks_exact(matrix).zip(to.chunks_exact_mut(matrix)) {
        for row in (0..rows).step_by(BLOCK) {
            let row_end = rows.min(row + BLOCK);
            for column in 0..columns {
                let column_of_from = from[column..].iter().step_by(columns);
                let to = &mut to[column * rows..][row..row_end];
                for (to, from) in to.iter_mut().zip(column_of_from.skip(row)) {
                    *to = *from;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::Span;
    use crate::engine::backend::cpu::check::random;

    fn span(start: usize, step: usize, count: usize) -> Span {
        Span { start, step, count }
    }

    fn parts() -> Vec<Part> {
        let mut parts = Vec::new();
        for (length, channels) in [
            (16, span(0, 1, 16)),
            (17, span(3, 1, 9)),
            (17, span(1, 5, 4)),
            (1, span(0, 1, 1)),
        ] {
            for ([height, width], rows, columns) in [
                ([8, 8], span(0, 2, 4), span(0, 2, 4)),
                ([5, 7], span(1, 1, 3), span(0, 3, 3)),
                ([4, 9], span(3, 4, 1), span(2, 1, 7)),
                ([1, 1], span(0, 1, 1), span(0, 9, 1)),
            ] {
                parts.push(Part {
                    whole: [height, width, length],
                    region: Region {
                        channels,
                        rows,
                        columns,
                    },
                });
            }
        }
        parts
    }

    /// Whether a place of the whole is in a span, and where.
    fn within(span: Span, place: usize) -> Option<usize> {
        (0..span.count).find(|i| span.start + i * span.step == place)
    }

    #[test]
    fn a_part_is_read_and_written_between_zeros() {
        for part in parts() {
            let [height, width, channels] = part.whole;
            let Region {
                rows,
                columns,
                channels: taken,
            } = part.region;
            let whole = random(2 * part.whole_elements(), 1);
            let mut read = vec![f32::NAN; 2 * part.part_elements()];
            part.read(&whole, &mut read);
            let mut written = vec![f32::NAN; whole.len()];
            part.write(&read, &mut written);
            let mut seen = 0;
            for (i, (&before, &after)) in whole.iter().zip(&written).enumerate() {
                let (pixel, channel) = (i / channels, i % channels);
                let (image, row) = (pixel / width / height, pixel / width % height);
                let places = [
                    within(rows, row),
                    within(columns, pixel % width),
                    within(taken, channel),
                ];
                let [Some(y), Some(x), Some(c)] = places else {
                    assert_eq!(after, 0.0, "{part:?}");
                    continue;
                };
                let place = (image * rows.count + y) * columns.count + x;
                assert_eq!(read[place * taken.count + c], before, "{part:?}");
                assert_eq!(after, before, "{part:?}");
                seen += 1;
            }
            assert_eq!(seen, read.len(), "{part:?}");
        }
    }

    #[test]
    #[should_panic(expected = "leaves its whole")]
    fn a_part_beyond_its_whole_is_refused() {
        let part = Part {
            whole: [2, 2, 1],
            region: Region {
                rows: span(1, 1, 2),
                columns: span(0, 1, 2),
                channels: span(0, 1, 1),
            },
        };
        part.read(&[0.0; 4], &mut [0.0; 4]);
    }

    #[test]
    fn layouts_are_transposed_and_back() {
        for size in [[1, 1], [6, 2], [1024, 3], [49, 17], [16, 16], [33, 64]] {
            let [pixels, channels] = size;
            let nhwc = random(3 * pixels * channels, 1);
            let (mut nchw, mut back) = (vec![0.0; nhwc.len()], vec![0.0; nhwc.len()]);
            nhwc_to_nchw(size, &nhwc, &mut nchw);
            nchw_to_nhwc(size, &nchw, &mut back);
            assert_eq!(nhwc, back);
            for (i, &value) in nhwc.iter().enumerate() {
                let (pixel, channel) = (i / channels, i % channels);
                let (image, pixel) = (pixel / pixels, pixel % pixels);
                assert_eq!(nchw[(image * channels + channel) * pixels + pixel], value);
            }
        }
    }

    #[test]
    #[should_panic(expected = "whole images")]
    fn a_broken_image_is_refused() {
        nhwc_to_nchw([4, 2], &[0.0; 7], &mut [0.0; 7]);
    }
}
