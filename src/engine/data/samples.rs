//! Where the values of images come from: memory, or files that are read when an image is needed, so
//! that a set may be larger than memory.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::engine::{Error, Result};

/// One image, plane by plane (CHW), row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample<'a> {
    /// Bytes, which still become numbers.
    Pixels(Cow<'a, [u8]>),
    /// Numbers as a network reads them.
    Numbers(Cow<'a, [f32]>),
}

/// Images of one size, by their place.
pub trait Samples: fmt::Debug + Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The image at `index`, which is below [`len`](Self::len).
    ///
    /// # Errors
    /// Naming the file when it cannot be read or is not as the others are.
    fn sample(&self, index: usize) -> Result<Sample<'_>>;

    /// Whether reading an image takes so long that several are read at a time.
    fn is_slow(&self) -> bool {
        false
    }

    /// Whether the images are numbers that no mean and deviation are for.
    fn are_numbers(&self) -> bool {
        false
    }

    /// Adds what tells these images from others.
    fn identify(&self, hash: &mut Sha256);
}

/// Bytes in memory, one image after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    bytes: Vec<u8>,
    size: usize,
}

impl Held {
    /// Images of `size` bytes each.
    #[must_use]
    pub fn of(bytes: Vec<u8>, size: usize) -> Arc<dyn Samples> {
        Arc::new(Self { bytes, size })
    }
}

impl Samples for Held {
    fn len(&self) -> usize {
        self.bytes.len() / self.size.max(1)
    }

    fn sample(&self, index: usize) -> Result<Sample<'_>> {
        let start = index.checked_mul(self.size);
        let end = start.and_then(|start| start.checked_add(self.size));
        let bytes = start
            .zip(end)
            .and_then(|(start, end)| self.bytes.get(start..end));
        let bytes = bytes.ok_or_else(|| {
            Error::invalid(format!(
                "image {index} was asked for, but there are {}",
                self.len()
            ))
        })?;
        Ok(Sample::Pixels(Cow::Borrowed(bytes)))
    }

    fn identify(&self, hash: &mut Sha256) {
        hash.update(&self.bytes);
    }
}

/// Some of other images, in an order of their own.
#[derive(Debug)]
pub struct Subset {
    /// The images they are of.
    pub of: Arc<dyn Samples>,
    /// Their places there.
    pub places: Vec<usize>,
}

impl Samples for Subset {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn sample(&self, index: usize) -> Result<Sample<'_>> {
        self.of.sample(self.places[index])
    }

    fn is_slow(&self) -> bool {
        self.of.is_slow()
    }

    fn are_numbers(&self) -> bool {
        self.of.are_numbers()
    }

    fn identify(&self, hash: &mut Sha256) {
        for &place in &self.places {
            hash.update((place as u64).to_le_bytes());
        }
        self.of.identify(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subset_hands_on_the_images_at_its_places() {
        let held = Held::of(vec![1, 2, 3, 4, 5, 6], 2);
        assert_eq!(held.len(), 3);
        assert!(held.sample(3).is_err() && held.sample(usize::MAX).is_err());
        let of = held.clone();
        let subset = Subset {
            of,
            places: vec![2, 0],
        };
        assert_eq!(subset.sample(0).unwrap(), held.sample(2).unwrap());
        let sum = |samples: &dyn Samples| {
            let mut hash = Sha256::new();
            samples.identify(&mut hash);
            hash.finalize()
        };
        assert_ne!(sum(&subset), sum(&*held));
    }
}
