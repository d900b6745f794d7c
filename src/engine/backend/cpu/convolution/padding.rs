//! The copy of an image with a border of zeros.

use crate::engine::backend::cpu::scratch::grown;

/// An image placed into a larger one of zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Padding {
    /// Rows of the image.
    pub height: usize,
    /// Columns of the image.
    pub width: usize,
    /// Channels of both.
    pub channels: usize,
    /// Rows of zeros above and below.
    pub rows: [usize; 2],
    /// Columns of zeros left and right.
    pub columns: [usize; 2],
    /// Numbers after the end that may be read, whose values do not matter.
    pub beyond: usize,
}

impl Padding {
    /// Numbers in a padded row.
    pub fn row(&self) -> usize {
        (self.columns[0] + self.width + self.columns[1]) * self.channels
    }

    /// Numbers in the padded image.
    pub fn elements(&self) -> usize {
        (self.rows[0] + self.height + self.rows[1]) * self.row() + self.beyond
    }

    /// Whether there is nothing around the image, so that it can be read itself.
    pub fn is_none(&self) -> bool {
        self.rows == [0, 0] && self.columns == [0, 0] && self.beyond == 0
    }

    /// Makes room for a padded image in `buffer`, its border zero.
    pub fn prepare<'a>(&self, buffer: &'a mut Vec<f32>) -> &'a mut [f32] {
        if self.is_none() {
            return &mut [];
        }
        let padded = grown(buffer, self.elements());
        let row = self.row();
        let (above, rest) = padded.split_at_mut(self.rows[0] * row);
        let (inside, below) = rest.split_at_mut(self.height * row);
        above.fill(0.0);
        below.fill(0.0);
        let right = (self.columns[0] + self.width) * self.channels;
        for line in inside.chunks_exact_mut(row.max(1)) {
            line[..self.columns[0] * self.channels].fill(0.0);
            line[right..].fill(0.0);
        }
        padded
    }

    /// The padded image: `image` itself without a border, else copied into the prepared buffer.
    pub fn place<'a>(&self, image: &'a [f32], padded: &'a mut [f32]) -> &'a [f32] {
        if self.is_none() {
            return image;
        }
        let (row, line) = (self.row(), self.width * self.channels);
        let start = self.rows[0] * row + self.columns[0] * self.channels;
        for (y, source) in image.chunks_exact(line).enumerate() {
            padded[start + y * row..][..line].copy_from_slice(source);
        }
        padded
    }
}
