//! Arrays of the CPU, and the memory they come from and go back to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Scratch;
use crate::engine::backend::{ROOMIEST, Reuse};
use crate::engine::shape::Shape;

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
    spare: Arc<Mutex<Spare>>,
}

/// Arrays to hand out, by capacity: the one that came last, which is in the cache, first.
#[derive(Debug, Default)]
struct Spare(BTreeMap<usize, Vec<Vec<f32>>>);

impl Spare {
    /// The tightest array that holds so many numbers and is at most [`ROOMIEST`] times as large.
    fn take(&mut self, length: usize) -> Option<Vec<f32>> {
        let suits = length..=ROOMIEST * length;
        let (&capacity, arrays) = self.0.range_mut(suits).next()?;
        let mut values = arrays.pop()?;
        if arrays.is_empty() {
            self.0.remove(&capacity);
        }
        values.resize(length, 0.0);
        Some(values)
    }

    fn put(&mut self, values: Vec<f32>) {
        self.0.entry(values.capacity()).or_default().push(values);
    }
}

impl Workspace {
    /// An array whose numbers are yet to be written.
    pub fn array(&mut self, shape: Shape, images: usize) -> Array {
        let length = shape.elements() * images;
        let spare = self.spare().take(length);
        Array {
            shape,
            images,
            values: spare.unwrap_or_else(|| vec![0.0; length]),
        }
    }

    /// Takes an array back.
    pub fn recycle(&mut self, array: Array) {
        self.spare().put(array.values);
    }

    /// The arrays; what a thread that panicked left behind is whole.
    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reuse for Workspace {
    fn beside(&self) -> Self {
        Self {
            scratch: Scratch::new(),
            spare: self.spare.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_thread_gives_back_another_may_have() {
        let mut mine = Workspace::default();
        let mut theirs = mine.beside();
        let array = mine.array(Shape::Features(3), 2);
        let place = array.values.as_ptr();
        mine.recycle(array);
        // Both are held, so that neither lies where the other was.
        let (handed, new) = (
            theirs.array(Shape::Features(2), 3),
            mine.array(Shape::Features(3), 2),
        );
        assert_eq!(handed.values.as_ptr(), place);
        assert_ne!(new.values.as_ptr(), place);
    }

    #[test]
    fn an_array_serves_for_others_that_are_not_much_smaller() {
        let mut workspace = Workspace::default();
        let of = |features: usize| (Shape::Features(features), 1);
        let (large, small) = (workspace.array(of(9).0, 1), workspace.array(of(5).0, 1));
        let places = [large.values.as_ptr(), small.values.as_ptr()];
        workspace.recycle(large);
        workspace.recycle(small);
        let lengths = [4, 5, 9, 2].map(|features| workspace.array(of(features).0, 1));
        let found = lengths.each_ref().map(|array| array.values.as_ptr());
        assert_eq!(found[0], places[1], "the tighter one");
        assert_eq!(found[1], places[0]);
        assert!(!places.contains(&found[2]) && !places.contains(&found[3]));
        assert_eq!(lengths.map(|array| array.values.len()), [4, 5, 9, 2]);
    }
}
