//! Arrays of the CPU, and the memory they come from and go back to.

use std::collections::BTreeMap;

use super::Scratch;
use crate::engine::graph::Shape;

/// The numbers of a wire for some images: rows of columns of channels, image by image.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Shape of one image.
    pub shape: Shape,
    /// Number of images.
    pub images: usize,
    /// The numbers.
    pub values: Vec<f32>,
}

impl Array {
    /// Places and channels of an image.
    #[must_use]
    pub const fn pixels(&self) -> [usize; 2] {
        match self.shape {
            Shape::Map {
                channels,
                height,
                width,
            } => [height * width, channels],
            Shape::Features(features) => [1, features],
        }
    }

    /// Numbers in a row that share their place.
    #[must_use]
    pub const fn channels(&self) -> usize {
        self.pixels()[1]
    }
}

/// Memory reused from call to call.
#[derive(Debug, Default)]
pub struct Workspace {
    /// Work memory of the kernels.
    pub scratch: Scratch,
    spare: BTreeMap<usize, Vec<Vec<f32>>>,
}

impl Workspace {
    /// An array whose numbers are yet to be written.
    pub fn array(&mut self, shape: Shape, images: usize) -> Array {
        let length = shape.elements() * images;
        let spare = self.spare.get_mut(&length).and_then(Vec::pop);
        Array {
            shape,
            images,
            values: spare.unwrap_or_else(|| vec![0.0; length]),
        }
    }

    /// Takes an array back.
    pub fn recycle(&mut self, array: Array) {
        self.spare
            .entry(array.values.len())
            .or_default()
            .push(array.values);
    }
}
