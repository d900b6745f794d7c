//! Sets of images as arrays of NumPy: `npz:FILE` and `npy:X,Y`.
//!
//! | elements | what they are |
//! |---|---|
//! | `uint8`, N x rows x columns (x 1 or 3), or N x 1 or 3 x rows x columns | pixels |
//! | `float16`, `float32`, `float64`, N x the network's input | numbers that are taken as they are |

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::array::{Array, Kind, Npz};
use super::picture::{Picture, Size};
use super::reading::Reading;
use super::shaped::{Extent, Pictures, Uniform, shaped};
use super::{Dataset, Label, Part, Sample, Samples};
use crate::engine::counts::counted;
use crate::engine::shape::Shape;
use crate::engine::{Error, Result};

/// The names of the arrays of images and labels in an `.npz`.
struct Names {
    images: &'static str,
    labels: &'static str,
}

/// Sets in one part.
const WHOLE: [Names; 2] = [
    Names {
        images: "x",
        labels: "y",
    },
    Names {
        images: "images",
        labels: "labels",
    },
];
const TRAIN: Names = Names {
    images: "x_train",
    labels: "y_train",
};
const TEST: Names = Names {
    images: "x_test",
    labels: "y_test",
};
/// Bytes up to which all of an array tells it from others; pieces of larger ones do.
const HASHED: usize = 1 << 28;
/// Such pieces.
const PIECES: usize = 256;

/// Refuses images without labels, or labels without images, where another part has both.
fn refuse_halves(path: &Path, there: &[String]) -> Result<()> {
    let has = |name: &str| there.iter().any(|found| found == name);
    for Names { images, labels } in [TRAIN, TEST] {
        let lacks = match (has(images), has(labels)) {
            (true, false) => (images, labels),
            (false, true) => (labels, images),
            _ => continue,
        };
        let (found, other) = lacks;
        return Err(Error::format(
            path,
            format!("there is {found}, but no {other}; add it, or leave {found} out"),
        ));
    }
    Ok(())
}

/// Reads one part of an `.npz` file.
pub(super) fn npz(path: &Path, part: Part, reading: &Reading) -> Result<Dataset> {
    let mut file = Npz::open(path)?;
    let has = |names: &Names| {
        let there = |name: &str| file.names().iter().any(|found| found == name);
        there(names.images) && there(names.labels)
    };
    let parted = has(&TRAIN) || has(&TEST);
    let wanted = match part {
        Part::Train if has(&TRAIN) || !has(&TEST) => &TRAIN,
        Part::Test if has(&TEST) || !has(&TRAIN) => &TEST,
        Part::Train => &TEST,
        Part::Test => &TRAIN,
    };
    let whole = if parted {
        !(has(&TRAIN) && has(&TEST))
    } else {
        true
    };
    let found = if parted {
        Some(wanted)
    } else {
        WHOLE.iter().find(|names| has(names))
    };
    let Some(names) = found else {
        return Err(Error::format(path, lacking(file.names())));
    };
    if parted {
        refuse_halves(path, file.names())?;
    }
    let set = Set {
        name: named("npz", path),
        images: file.array(names.images)?,
        labels: file.array(names.labels)?,
        whole,
    };
    set.dataset(reading)
}

fn lacking(names: &[String]) -> String {
    /// Names that are told.
    const TOLD: usize = 8;
    let there = match names {
        [] => "no array".to_owned(),
        _ => names
            .iter()
            .take(TOLD)
            .cloned()
            .collect::<Vec<_>>()
            .join(", "),
    };
    format!(
        "expected arrays called x and y, or images and labels, or x_train, y_train, x_test and \
         y_test; there is {there}"
    )
}

/// Reads a file of images and one of labels.
pub(super) fn npy(images: &Path, labels: &Path, reading: &Reading) -> Result<Dataset> {
    let set = Set {
        name: named("npy", images),
        images: Array::open(images)?,
        labels: Array::open(labels)?,
        whole: true,
    };
    set.dataset(reading)
}

/// Inputs of a network without labels: numbers as it reads them.
///
/// # Errors
/// When the file is no array of numbers of the network's input.
pub fn inputs(path: &Path, expected: Shape) -> Result<Dataset> {
    let images = Array::open(path)?;
    let count = images.shape().first().copied().unwrap_or(0);
    let reading = Reading {
        expected: Some(expected),
        ..Reading::default()
    };
    if images.element().is_byte() {
        return Err(Error::format(
            path,
            "holds bytes, expected what the network reads: float32, preprocessed",
        ));
    }
    let shape = format!("{:?}", images.shape());
    let uniform = uniform(images, &reading)?;
    let labels = vec![Label(0); count];
    let dataset = reading.dataset(&named("npy", path), uniform, labels, true)?;
    if dataset.suits(expected) {
        return Ok(dataset);
    }
    let reason = format!("holds {shape}, expected N x {expected}, as the network reads it");
    Err(Error::format(path, reason))
}

/// What a set of files is called in results: its kind and the last part of its path.
pub(super) fn named(kind: &str, path: &Path) -> String {
    let last = path.file_name().map_or_else(
        || PathBuf::from(path).display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    format!("{kind}:{last}")
}

/// Two arrays that belong together.
struct Set {
    name: String,
    images: Array,
    labels: Array,
    whole: bool,
}

impl Set {
    fn dataset(self, reading: &Reading) -> Result<Dataset> {
        let labels = self.labels()?;
        let uniform = uniform(self.images, reading)?;
        reading.dataset(&self.name, uniform, labels, self.whole)
    }

    /// One label for each image.
    fn labels(&self) -> Result<Vec<Label>> {
        let place = self.labels.place();
        let wrong = |reason: String| Error::invalid(format!("{place}: {reason}"));
        let count = match *self.labels.shape() {
            [count] | [count, 1] => count,
            ref other => {
                return Err(wrong(format!(
                    "shape {other:?}, expected one label an image: [N] (of one-hot rows take \
                     argmax)"
                )));
            }
        };
        let images = self.images.shape().first().copied().unwrap_or(0);
        if images == 0 {
            return Err(Error::invalid(format!(
                "{}: there is no image in it; choose a file with images",
                self.images.place()
            )));
        }
        if count != images {
            return Err(wrong(format!(
                "{}, but {} in {}; they belong to different sets",
                counted(count, "label"),
                counted(images, "image"),
                self.images.place()
            )));
        }
        Ok(self
            .labels
            .whole_numbers()?
            .into_iter()
            .map(Label)
            .collect())
    }
}

/// The images of an array.
fn uniform(array: Array, reading: &Reading) -> Result<Uniform> {
    let place = array.place().to_owned();
    let wrong = |reason: String| Error::invalid(format!("{place}: {reason}"));
    let layout = layout(&array, reading.expected).map_err(wrong)?;
    if layout.pixels {
        let stack = Box::new(Stack { array, layout });
        return shaped(stack, &reading.preprocessing, reading.memory);
    }
    reading.refuse_shaping(&place)?;
    let extent = layout.extent;
    let images: Arc<dyn Samples> = Arc::new(Numbers { array, layout });
    images.sample(0)?;
    Ok(Uniform { images, extent })
}

/// How the values of an image lie in an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    extent: Extent,
    /// Whether channels run fastest (NHWC).
    channels_last: bool,
    /// Whether they are bytes of pixels.
    pixels: bool,
}

/// What a picture can have.
const PICTURE_CHANNELS: [usize; 2] = [1, 3];

fn layout(array: &Array, expected: Option<Shape>) -> std::result::Result<Layout, String> {
    let pixels = array.element().is_byte();
    if !pixels && array.element().kind != Kind::Float {
        return Err(format!(
            "images of {}, expected uint8 (pixels) or float32 (numbers as the network reads \
             them); convert it with astype",
            array.element()
        ));
    }
    let shape = array.shape();
    let image = shape.get(1..).unwrap_or_default();
    let make = |[channels, height, width]: [usize; 3], channels_last| Layout {
        extent: Extent {
            channels,
            size: Size { height, width },
        },
        channels_last,
        pixels,
    };
    let known = PICTURE_CHANNELS;
    let layout = match *image {
        [first, second, third] => {
            let first_is = make([first, second, third], false);
            let last_is = make([third, first, second], true);
            let is_expected = |layout: &Layout| {
                let Extent { channels, size } = layout.extent;
                expected == Some(Shape::map(channels, size.height, size.width))
            };
            let last = known.contains(&third) && (pixels || !known.contains(&first));
            let expects_first = is_expected(&first_is);
            if !expects_first && (is_expected(&last_is) || last) {
                last_is
            } else {
                first_is
            }
        }
        [height, width] => make([1, height, width], false),
        [values] => match expected {
            Some(Shape::Map {
                channels,
                height,
                width,
            }) if channels * height * width == values => make([channels, height, width], false),
            _ if !pixels => make([values, 1, 1], false),
            _ => return Err(unusable(shape)),
        },
        _ => return Err(unusable(shape)),
    };
    let empty = shape.contains(&0);
    if empty || (pixels && !known.contains(&layout.extent.channels)) {
        return Err(unusable(shape));
    }
    Ok(layout)
}

fn unusable(shape: &[usize]) -> String {
    format!(
        "images of shape {shape:?}, expected N x rows x columns x 1 or 3 channels, N x channels x \
         rows x columns, or N x rows x columns"
    )
}

/// The elements of an image, and adding all of them or pieces to a hash.
fn identify(array: &Array, hash: &mut Sha256) {
    for &extent in array.shape() {
        hash.update((extent as u64).to_le_bytes());
    }
    let (elements, size) = (array.elements(), array.element().size);
    let piece = (HASHED / PIECES / size).max(1);
    let step = if elements * size <= HASHED {
        piece
    } else {
        (elements / PIECES).max(piece)
    };
    for first in (0..elements).step_by(step) {
        let count = piece.min(elements - first);
        // What cannot be read here cannot be read later either, and is told there.
        hash.update(array.bytes(first, count).unwrap_or_default());
    }
}

/// Pixels in an array.
#[derive(Debug)]
struct Stack {
    array: Array,
    layout: Layout,
}

impl Pictures for Stack {
    fn len(&self) -> usize {
        self.array.shape()[0]
    }

    fn picture(&self, index: usize) -> Result<Picture> {
        let Layout { extent, .. } = self.layout;
        let bytes = self.array.bytes(index * extent.values(), extent.values())?;
        if self.layout.channels_last || extent.channels == 1 {
            return Picture::new(extent.size, extent.channels, bytes);
        }
        super::shaped::interleaved(&bytes, extent)
    }

    fn place(&self, index: usize) -> String {
        format!("image {index} of {}", self.array.place())
    }

    fn is_slow(&self) -> bool {
        false
    }

    fn identify(&self, hash: &mut Sha256) {
        identify(&self.array, hash);
    }
}

/// Numbers in an array.
#[derive(Debug)]
struct Numbers {
    array: Array,
    layout: Layout,
}

impl Samples for Numbers {
    fn len(&self) -> usize {
        self.array.shape()[0]
    }

    fn sample(&self, index: usize) -> Result<Sample<'_>> {
        let Extent { channels, size } = self.layout.extent;
        let values = self.layout.extent.values();
        let numbers = self.array.numbers(index * values, values)?;
        if !self.layout.channels_last || channels == 1 {
            return Ok(Sample::Numbers(Cow::Owned(numbers)));
        }
        let pixels = size.height * size.width;
        let place = |at: usize| numbers[at % pixels * channels + at / pixels];
        Ok(Sample::Numbers((0..values).map(place).collect()))
    }

    fn are_numbers(&self) -> bool {
        true
    }

    fn identify(&self, hash: &mut Sha256) {
        identify(&self.array, hash);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::array::tests::npy as array;
    use super::*;

    struct Files {
        folder: tempfile::TempDir,
    }

    impl Files {
        /// Images and labels as files.
        fn new(images: Vec<u8>, labels: Vec<u8>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("x.npy"), images).unwrap();
            fs::write(folder.path().join("y.npy"), labels).unwrap();
            Self { folder }
        }

        fn read(&self, expected: Option<Shape>) -> Result<Dataset> {
            let reading = Reading {
                expected,
                ..Reading::default()
            };
            let path = |name: &str| self.folder.path().join(name);
            npy(&path("x.npy"), &path("y.npy"), &reading)
        }
    }

    fn labels(labels: &[i64]) -> Vec<u8> {
        let bytes: Vec<u8> = labels
            .iter()
            .flat_map(|label| label.to_le_bytes())
            .collect();
        array("<i8", ("False", &format!("({},)", labels.len())), &bytes)
    }

    fn floats(shape: &str, count: usize) -> Vec<u8> {
        let numbers = (0..count).flat_map(|at| (at as f32).to_le_bytes());
        array("<f4", ("False", shape), &numbers.collect::<Vec<u8>>())
    }

    fn bytes(shape: &str, count: u8) -> Vec<u8> {
        array("|u1", ("False", shape), &(0..count).collect::<Vec<u8>>())
    }

    #[test]
    fn pixels_are_read_in_either_order_and_become_planes() {
        for (shape, expected) in [
            ("(2, 2, 2, 3)", vec![0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]),
            ("(2, 3, 2, 2)", (0..12).collect()),
        ] {
            let files = Files::new(bytes(shape, 24), labels(&[7, 300]));
            let dataset = files.read(None).unwrap();
            let size = (dataset.channels, dataset.height, dataset.width);
            assert_eq!((size, dataset.classes), ((3, 2, 2), 301), "{shape}");
            assert_eq!(dataset.sample(0).unwrap(), Sample::Pixels(expected.into()));
            assert!(dataset.origin.whole && dataset.name == "npy:x.npy");
        }
        let gray = Files::new(bytes("(2, 3, 4)", 24), labels(&[0, 1]));
        assert_eq!(gray.read(None).unwrap().channels, 1);
    }

    #[test]
    fn numbers_are_taken_as_they_are_in_the_layout_that_the_network_expects() {
        let files = Files::new(floats("(1, 2, 2, 3)", 12), labels(&[0]));
        let read = |expected| {
            let dataset = files.read(expected).unwrap();
            let Sample::Numbers(numbers) = dataset.sample(0).unwrap() else {
                panic!("numbers were given");
            };
            (dataset.channels, numbers[1])
        };
        assert_eq!(read(None), (3, 3.0));
        assert_eq!(read(Some(Shape::map(2, 2, 3))), (2, 1.0));
        let flat = Files::new(floats("(1, 12)", 12), labels(&[0]));
        assert_eq!(flat.read(None).unwrap().channels, 12);
        let expected = Some(Shape::map(3, 2, 2));
        assert_eq!(flat.read(expected).unwrap().height, 2);
    }

    #[test]
    fn arrays_that_do_not_suit_are_refused_with_what_is_expected() {
        for (images, classes, expected) in [
            (
                bytes("(2, 2, 2, 4)", 32),
                labels(&[0, 1]),
                "shape [2, 2, 2, 4], expected N x rows",
            ),
            (bytes("(2, 5)", 10), labels(&[0, 1]), "shape [2, 5]"),
            (bytes("(2, 0, 3)", 0), labels(&[0, 1]), "shape [2, 0, 3]"),
            (bytes("()", 1), labels(&[0]), "there is no image in it"),
            (bytes("(2, 2, 2)", 8), labels(&[0]), "1 label, but 2 images"),
            (bytes("(2, 2, 2)", 8), labels(&[0, -1]), "element 1 is -1"),
            (bytes("(2, 2, 2)", 8), floats("(2, 10)", 20), "take argmax"),
            (
                bytes("(2, 2, 2)", 8),
                floats("(2,)", 2),
                "expected whole numbers",
            ),
            (
                labels(&[0, 1]),
                labels(&[0, 1]),
                "images of int64, expected uint8",
            ),
        ] {
            let refused = Files::new(images, classes)
                .read(None)
                .unwrap_err()
                .to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn an_array_in_pieces_is_told_from_others() {
        let sum = |images, classes| Files::new(images, classes).read(None).unwrap().checksum();
        let floats = |shape: &str| floats(shape, 8);
        let first = sum(floats("(1, 2, 2, 2)"), labels(&[0]));
        assert_eq!(first, sum(floats("(1, 2, 2, 2)"), labels(&[0])));
        assert_ne!(first, sum(floats("(1, 2, 4)"), labels(&[0])));
        assert_ne!(first, sum(floats("(1, 2, 2, 2)"), labels(&[1])));
    }
}
