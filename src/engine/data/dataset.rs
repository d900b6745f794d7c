//! Labelled images of one size.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Label, Sample, Samples};
use crate::engine::files::hexadecimal;
use crate::engine::{Error, Result};

/// Labelled images of one size.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// What it is called in results.
    pub name: String,
    /// Number of classes; labels are below it.
    pub classes: usize,
    /// What each class is called.
    pub class_names: Vec<String>,
    /// Planes of an image: 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// The images, each plane by plane (CHW), row by row.
    pub images: Arc<dyn Samples>,
    /// The class of each image.
    pub labels: Vec<Label>,
}

impl Dataset {
    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Values of an image.
    #[must_use]
    pub fn image_size(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The image at `index`, CHW.
    ///
    /// # Errors
    /// [`Error::Invalid`] outside, and those of reading it.
    pub fn sample(&self, index: usize) -> Result<Sample<'_>> {
        if index >= self.len() {
            return Err(self.outside(index));
        }
        self.images.sample(index)
    }

    /// The labels at `indices`, in that order.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an index outside.
    pub fn labels_at(&self, indices: &[usize]) -> Result<Vec<Label>> {
        let label = |&index: &usize| {
            let label = self.labels.get(index).copied();
            label.ok_or_else(|| self.outside(index))
        };
        indices.iter().map(label).collect()
    }

    /// SHA-256 over the sizes, labels and images, in lower-case hexadecimal.
    #[must_use]
    pub fn checksum(&self) -> String {
        let mut hash = Sha256::new();
        for extent in [
            self.classes,
            self.channels,
            self.height,
            self.width,
            self.len(),
        ] {
            hash.update((extent as u64).to_le_bytes());
        }
        self.hash_labels(&mut hash);
        self.images.identify(&mut hash);
        hexadecimal(&hash.finalize())
    }

    /// Bytes where all labels are, as ever; words of four otherwise.
    fn hash_labels(&self, hash: &mut Sha256) {
        let bytes = self.labels.iter().map(|label| u8::try_from(label.0).ok());
        match bytes.collect::<Option<Vec<u8>>>() {
            Some(bytes) => hash.update(bytes),
            None => self
                .labels
                .iter()
                .for_each(|label| hash.update(label.0.to_le_bytes())),
        }
    }

    pub(super) fn outside(&self, index: usize) -> Error {
        let (name, count) = (&self.name, self.len());
        Error::invalid(format!(
            "image {index} was asked for, but {name} has {count} images"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::data::Held;

    fn two_images() -> Dataset {
        Dataset {
            name: "made".into(),
            classes: 2,
            class_names: vec!["a".into(), "b".into()],
            channels: 1,
            height: 1,
            width: 2,
            images: Held::of(vec![1, 2, 3, 4], 2),
            labels: vec![Label(0), Label(1)],
        }
    }

    #[test]
    fn images_and_labels_are_found_by_index() {
        let dataset = two_images();
        assert_eq!(
            dataset.sample(1).unwrap(),
            Sample::Pixels([3, 4].as_slice().into())
        );
        assert!(dataset.sample(2).is_err());
        assert!(dataset.sample(usize::MAX).is_err());
        assert_eq!(dataset.labels_at(&[1, 0, 1]).unwrap(), [1, 0, 1].map(Label));
        let error = dataset.labels_at(&[2]).unwrap_err().to_string();
        assert_eq!(error, "image 2 was asked for, but made has 2 images");
    }

    #[test]
    fn the_checksum_sees_images_labels_and_sizes() {
        let dataset = two_images();
        let mut others = [(); 4].map(|()| dataset.clone());
        others[3].labels[0] = Label(256);
        others[0].images = Held::of(vec![9, 2, 3, 4], 2);
        others[1].labels[0] = Label(1);
        (others[2].height, others[2].width) = (2, 1);
        assert_eq!(dataset.checksum(), dataset.clone().checksum());
        for other in others {
            assert_ne!(dataset.checksum(), other.checksum());
        }
    }
}
