//! Labelled images in memory.

use sha2::{Digest, Sha256};

use crate::engine::files::hexadecimal;
use crate::engine::{Error, Result};

/// Labelled images of one size, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// `demo`, `cifar10` or `fashion-mnist`.
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
    /// The images one after another, each plane by plane (CHW), row by row.
    pub images: Vec<u8>,
    /// The class of each image.
    pub labels: Vec<u8>,
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

    /// Bytes of an image.
    #[must_use]
    pub fn image_size(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The image at `index`, CHW; `None` outside.
    #[must_use]
    pub fn image(&self, index: usize) -> Option<&[u8]> {
        let start = index.checked_mul(self.image_size())?;
        self.images
            .get(start..start.checked_add(self.image_size())?)
    }

    /// The labels at `indices`, in that order.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an index outside.
    pub fn labels_at(&self, indices: &[usize]) -> Result<Vec<u8>> {
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
        hash.update(&self.labels);
        hash.update(&self.images);
        hexadecimal(&hash.finalize())
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

    fn two_images() -> Dataset {
        Dataset {
            name: "made".into(),
            classes: 2,
            class_names: vec!["a".into(), "b".into()],
            channels: 1,
            height: 1,
            width: 2,
            images: vec![1, 2, 3, 4],
            labels: vec![0, 1],
        }
    }

    #[test]
    fn images_and_labels_are_found_by_index() {
        let dataset = two_images();
        assert_eq!(dataset.image(1), Some([3, 4].as_slice()));
        assert_eq!(dataset.image(2), None);
        assert_eq!(dataset.image(usize::MAX), None);
        assert_eq!(dataset.labels_at(&[1, 0, 1]).unwrap(), [1, 0, 1]);
        let error = dataset.labels_at(&[2]).unwrap_err().to_string();
        assert_eq!(error, "image 2 was asked for, but made has 2 images");
    }

    #[test]
    fn the_checksum_sees_images_labels_and_sizes() {
        let dataset = two_images();
        let mut others = [dataset.clone(), dataset.clone(), dataset.clone()];
        others[0].images[0] = 9;
        others[1].labels[0] = 1;
        (others[2].height, others[2].width) = (2, 1);
        assert_eq!(dataset.checksum(), dataset.clone().checksum());
        for other in others {
            assert_ne!(dataset.checksum(), other.checksum());
        }
    }
}
