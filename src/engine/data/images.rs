//! Images as a computation reads them: normalised, in a fixed order, some at a time.

use std::ops::Range;

use serde_json::{Value, json};

use super::{Augmentation, Dataset, Label, Normalization, Preparation};
use crate::engine::counts::counted;
use crate::engine::files;
use crate::engine::shape::Shape;
use crate::engine::{Error, Result};

/// A fixed sequence of labelled images.
pub trait Images: Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some images, normalised, one after another in channel, row, column order.
    ///
    /// # Errors
    /// When an image cannot be prepared.
    fn load(&self, range: Range<usize>) -> Result<Vec<f64>>;

    /// The labels of some images.
    fn labels(&self, range: Range<usize>) -> Vec<Label>;
}

/// Some images of a data set, in a given order, normalised and perhaps augmented.
#[derive(Debug, Clone)]
pub struct Selection<'a> {
    dataset: &'a Dataset,
    normalization: &'a Normalization,
    augmentation: Augmentation,
    indices: Vec<usize>,
}

impl<'a> Selection<'a> {
    /// The images at `indices`, not augmented.
    ///
    /// # Errors
    /// When an index is outside, or the normalization is for another number of channels.
    pub fn new(
        dataset: &'a Dataset,
        normalization: &'a Normalization,
        indices: Vec<usize>,
    ) -> Result<Self> {
        if let Some(outside) = indices.iter().find(|&&index| index >= dataset.len()) {
            let (name, len) = (&dataset.name, dataset.len());
            return Err(Error::invalid(format!(
                "image {outside} of {name}: it has {}",
                counted(len, "image")
            )));
        }
        let augmentation = Augmentation::None;
        let selection = Self {
            dataset,
            normalization,
            augmentation,
            indices,
        };
        selection.load(0..selection.len().min(1))?;
        Ok(selection)
    }

    /// All images of a data set, in file order.
    ///
    /// # Errors
    /// When the normalization is for another number of channels.
    pub fn all(dataset: &'a Dataset, normalization: &'a Normalization) -> Result<Self> {
        Self::new(dataset, normalization, (0..dataset.len()).collect())
    }

    /// The same images, augmented.
    #[must_use]
    pub fn augmented(mut self, augmentation: Augmentation) -> Self {
        self.augmentation = augmentation;
        self
    }

    /// Places in the data set.
    #[must_use]
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The set that they are of.
    #[must_use]
    pub const fn dataset(&self) -> &'a Dataset {
        self.dataset
    }

    /// What identifies the images as a network sees them, for fingerprints.
    #[must_use]
    pub fn identity(&self) -> Value {
        let indices: Vec<u8> = self
            .indices
            .iter()
            .flat_map(|&index| (index as u64).to_le_bytes())
            .collect();
        json!({
            "data": self.dataset.name,
            "content": self.dataset.checksum(),
            "images": files::sha256_hex(&indices),
            "normalization": self.normalization,
        })
    }
}

/// Shape of the images of a data set.
#[must_use]
pub fn image_shape(dataset: &Dataset) -> Shape {
    Shape::map(dataset.channels, dataset.height, dataset.width)
}

impl Images for Selection<'_> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn load(&self, range: Range<usize>) -> Result<Vec<f64>> {
        let Self {
            normalization,
            augmentation,
            ..
        } = *self;
        let preparation = Preparation {
            normalization,
            augmentation,
        };
        self.dataset.normalized(&self.indices[range], preparation)
    }

    fn labels(&self, range: Range<usize>) -> Vec<Label> {
        self.indices[range]
            .iter()
            .map(|&index| self.dataset.labels[index])
            .collect()
    }
}
