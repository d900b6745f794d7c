//! Labelled images of one size.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::picture::Size;
use super::preprocessing::Preprocessing;
use super::shaped::Extent;
use super::{Label, Sample, Samples, Subset, image_shape, split_train};
use crate::engine::counts::counted;
use crate::engine::files::hexadecimal;
use crate::engine::shape::Shape;
use crate::engine::{Error, Result};

/// Where the classes of a set come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClassSource {
    /// They are always those of the set.
    #[default]
    Set,
    /// A list names all of them.
    List,
    /// The labels, of which the largest may be missing.
    Labels,
    /// The order of folders, which are all classes or mean something else.
    Folders,
}

/// How images came into a set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origin {
    /// Whether they are the only part of their set, and serve as training and as test images.
    pub whole: bool,
    /// Whether they are a share of such a part, which was divided.
    pub divided: bool,
    /// Where their classes come from.
    pub classes: ClassSource,
    /// How they were resized, cut and turned.
    pub geometry: Preprocessing,
    /// Pictures of its folder that the table of labels does not list.
    pub unlisted: usize,
    /// The folder of the part, such as `val`, where the set has one for each.
    pub part: Option<String>,
}

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
    /// How they came.
    pub origin: Origin,
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

    /// Channels and extents of an image.
    pub(super) const fn extent(&self) -> Extent {
        Extent {
            channels: self.channels,
            size: Size {
                height: self.height,
                width: self.width,
            },
        }
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

    /// Whether a network that reads `shape` can read the images.
    #[must_use]
    pub fn suits(&self, shape: Shape) -> bool {
        match shape {
            Shape::Map { .. } => shape == image_shape(self),
            Shape::Features(features) => {
                self.height == 1 && self.width == 1 && self.channels == features
            }
        }
    }

    /// Refuses labels that a network of `classes` does not tell apart.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the first such image; also where a list or the folders are fewer or
    /// more than the classes, for then they mean others.
    pub fn check_labels(&self, classes: usize) -> Result<()> {
        let (name, found) = (&self.name, self.classes);
        let part = self.origin.part.as_ref();
        let part = part.map_or_else(String::new, |part| format!(", its part {part},"));
        match self.origin.classes {
            ClassSource::Folders if found != classes => {
                return Err(Error::invalid(format!(
                    "{name}{part} has folders of {}, but the network tells {classes} apart, so \
                     their order is not the label: give --classes FILE with the name of every \
                     class, or --labels FILE.csv",
                    counted(found, "class")
                )));
            }
            ClassSource::List if found != classes => {
                return Err(Error::invalid(format!(
                    "--classes lists {}, but the network tells {classes} apart: list all of them, \
                     in the order of its outputs",
                    counted(found, "class")
                )));
            }
            _ => {}
        }
        let outside = |label: &Label| usize::from(*label) >= classes;
        let Some(index) = self.labels.iter().position(outside) else {
            return Ok(());
        };
        Err(Error::invalid(format!(
            "image {index} of {}{part} has label {}, but the network knows {}, 0 to {}; correct \
             the labels, or choose other images with --data",
            self.name,
            self.labels[index],
            counted(classes, "class"),
            classes.saturating_sub(1)
        )))
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
            "image {index} was asked for, but {name} has {}",
            counted(count, "image")
        ))
    }
}

/// The share of a set in one part that is held out as test images: one in so many.
const HELD_OUT: usize = 5;

/// Divides a set in one part into training and test images: a fifth, drawn with `seed`.
///
/// # Errors
/// [`Error::Invalid`] when it is too small.
pub fn divided(whole: &Dataset, seed: u64) -> Result<(Dataset, Dataset)> {
    let held_out = whole.len() / HELD_OUT;
    if held_out == 0 {
        let (name, count) = (&whole.name, whole.len());
        return Err(Error::invalid(format!(
            "{name} comes in one part of {}, of which a fifth is held out: {HELD_OUT} at least are \
             needed; give more",
            counted(count, "image")
        )));
    }
    let (train, test) = split_train(whole.len(), held_out, seed)?;
    Ok((whole.subset(train)?, whole.subset(test)?))
}

impl Dataset {
    fn subset(&self, places: Vec<usize>) -> Result<Self> {
        let labels = self.labels_at(&places)?;
        let of = Arc::clone(&self.images);
        Ok(Self {
            labels,
            images: Arc::new(Subset { of, places }),
            origin: Origin {
                whole: false,
                divided: true,
                ..self.origin.clone()
            },
            ..self.clone()
        })
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
            origin: Origin::default(),
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

    #[test]
    fn labels_outside_the_classes_are_located() {
        let dataset = two_images();
        dataset.check_labels(2).unwrap();
        let refused = dataset.check_labels(1).unwrap_err().to_string();
        let expected = "image 1 of made has label 1, but the network knows 1 class, 0 to 0";
        assert!(refused.starts_with(expected), "{refused}");
        let of = |classes| {
            let origin = Origin {
                classes,
                ..Origin::default()
            };
            let dataset = Dataset {
                origin,
                ..two_images()
            };
            dataset.check_labels(3).map_err(|error| error.to_string())
        };
        assert_eq!(of(ClassSource::Labels), Ok(()));
        assert!(
            of(ClassSource::Folders)
                .unwrap_err()
                .contains("folders of 2 classes")
        );
        assert!(
            of(ClassSource::List)
                .unwrap_err()
                .contains("lists 2 classes")
        );
        assert!(dataset.suits(Shape::map(1, 1, 2)) && !dataset.suits(Shape::map(1, 2, 1)));
    }

    #[test]
    fn a_whole_set_is_divided_by_its_seed() {
        let whole = Dataset {
            images: Held::of((0..40).collect(), 2),
            labels: (0..20).map(Label).collect(),
            origin: Origin {
                whole: true,
                ..Origin::default()
            },
            ..two_images()
        };
        let (train, test) = divided(&whole, 3).unwrap();
        assert_eq!((train.len(), test.len()), (16, 4));
        assert!(!train.origin.whole && !test.origin.whole);
        let place = test.labels[0].0 as u8;
        let expected = Sample::Pixels(vec![2 * place, 2 * place + 1].into());
        assert_eq!(test.sample(0).unwrap(), expected);
        assert_ne!(divided(&whole, 4).unwrap().1.labels, test.labels);
        let refused = divided(&two_images(), 3).unwrap_err().to_string();
        assert!(refused.contains("5 at least are needed"), "{refused}");
    }
}
