//! The embedded demo: a part of Fashion-MNIST, and how that part is made from the original files.
//!
//! Origin and licence lie beside the files, in `assets/demo/`.

use std::io::Write as _;
use std::path::Path;

use flate2::{Compression, GzBuilder};

use super::idx::{self, IdxFile};
use super::{DataSpec, Dataset, Part, Sample};
use crate::engine::counts::counted;
use crate::engine::files;
use crate::engine::{Error, Result};

/// The name in `--data` and in results.
pub(super) const NAME: &str = "demo";
/// Training images in the demo.
pub const TRAIN_IMAGES: usize = 2048;
/// Test images in the demo.
pub const TEST_IMAGES: usize = 1024;

const TRAIN_IMAGE_FILE: &str = "train-images.idx3.gz";
const TRAIN_LABEL_FILE: &str = "train-labels.idx1.gz";
const TEST_IMAGE_FILE: &str = "test-images.idx3.gz";
const TEST_LABEL_FILE: &str = "test-labels.idx1.gz";

/// Reads one part of the embedded images.
pub(super) fn load(part: Part) -> Result<Dataset> {
    let [images, labels] = match part {
        Part::Train => [
            IdxFile {
                path: Path::new(TRAIN_IMAGE_FILE),
                bytes: include_bytes!("../../../assets/demo/train-images.idx3.gz"),
            },
            IdxFile {
                path: Path::new(TRAIN_LABEL_FILE),
                bytes: include_bytes!("../../../assets/demo/train-labels.idx1.gz"),
            },
        ],
        Part::Test => [
            IdxFile {
                path: Path::new(TEST_IMAGE_FILE),
                bytes: include_bytes!("../../../assets/demo/test-images.idx3.gz"),
            },
            IdxFile {
                path: Path::new(TEST_LABEL_FILE),
                bytes: include_bytes!("../../../assets/demo/test-labels.idx1.gz"),
            },
        ],
    };
    idx::parse(NAME, &images, &labels)
}

/// Makes the demo's four files in `target` from the folder of the original ones. Equal input
/// gives equal files.
///
/// Of each class the first images in file order are taken, as many of every class as of any other
/// (one more of the first classes where the count is no multiple), and kept in file order.
///
/// # Errors
/// Those of reading the originals and of writing the files.
pub fn subset(original: &Path, target: &Path) -> Result<()> {
    let source = DataSpec::FashionMnist(original.to_owned());
    let parts = [
        (
            Part::Train,
            TRAIN_IMAGES,
            TRAIN_IMAGE_FILE,
            TRAIN_LABEL_FILE,
        ),
        (Part::Test, TEST_IMAGES, TEST_IMAGE_FILE, TEST_LABEL_FILE),
    ];
    for (part, count, image_file, label_file) in parts {
        let dataset = source.load(part)?;
        let chosen = balanced(&dataset, count)?;
        let labels = dataset.labels_at(&chosen)?;
        let labels: Vec<u8> = labels.iter().map(|label| label.0 as u8).collect();
        let mut images = Vec::new();
        for index in chosen {
            if let Sample::Pixels(pixels) = dataset.sample(index)? {
                images.extend_from_slice(&pixels);
            }
        }
        write(&target.join(image_file), &idx::encode_images(&images))?;
        write(&target.join(label_file), &idx::encode_labels(&labels))?;
    }
    Ok(())
}

/// The first images in file order with equally many of each class.
fn balanced(dataset: &Dataset, count: usize) -> Result<Vec<usize>> {
    let (share, more) = (count / dataset.classes, count % dataset.classes);
    let mut left: Vec<usize> = (0..dataset.classes)
        .map(|class| share + usize::from(class < more))
        .collect();
    let mut chosen = Vec::with_capacity(count);
    for (index, &label) in dataset.labels.iter().enumerate() {
        let left = &mut left[usize::from(label)];
        if *left > 0 {
            *left -= 1;
            chosen.push(index);
        }
    }
    if chosen.len() == count {
        return Ok(chosen);
    }
    let (name, found) = (&dataset.name, chosen.len());
    Err(Error::invalid(format!(
        "{name} has only {} for a balanced choice of {count}; use the original files",
        counted(found, "image")
    )))
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    // No file name and no time in the header: equal content gives equal files.
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    let refused = |source| Error::file("compress", path, source);
    encoder.write_all(content).map_err(refused)?;
    files::write_atomically(path, &encoder.finish().map_err(refused)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::data::Label;

    #[test]
    fn both_parts_are_embedded_and_balanced() {
        for (part, count) in [(Part::Train, TRAIN_IMAGES), (Part::Test, TEST_IMAGES)] {
            let dataset = load(part).unwrap();
            assert_eq!(dataset.len(), count);
            assert_eq!(
                (dataset.channels, dataset.height, dataset.width),
                (1, 28, 28)
            );
            let mut members = [0_usize; 10];
            for label in dataset.labels {
                members[usize::from(label)] += 1;
            }
            assert!(
                members.iter().all(|found| found.abs_diff(count / 10) <= 1),
                "{members:?}"
            );
        }
    }

    #[test]
    fn the_embedded_files_come_from_the_original_ones() {
        let original = Path::new("/usr/share/datasets/fashion-mnist");
        if !original.exists() {
            eprintln!("skipped: Debian package dataset-fashion-mnist is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        subset(original, folder.path()).unwrap();
        // What is unpacked is compared: another version of the compressor may pack differently.
        let parts = [
            (Part::Train, TRAIN_IMAGE_FILE, TRAIN_LABEL_FILE),
            (Part::Test, TEST_IMAGE_FILE, TEST_LABEL_FILE),
        ];
        for (part, images, labels) in parts {
            let [images, labels] = [images, labels].map(|file| folder.path().join(file));
            let bytes = [&images, &labels].map(|file| std::fs::read(file).unwrap());
            let images = IdxFile {
                path: &images,
                bytes: &bytes[0],
            };
            let made = idx::parse(
                NAME,
                &images,
                &IdxFile {
                    path: &labels,
                    bytes: &bytes[1],
                },
            );
            assert_eq!(made.unwrap().checksum(), load(part).unwrap().checksum());
        }
    }

    #[test]
    fn too_few_originals_are_refused() {
        let mut dataset = load(Part::Test).unwrap();
        dataset.labels.fill(Label(0));
        let error = balanced(&dataset, 100).unwrap_err().to_string();
        assert!(
            error.contains("only 10 images for a balanced choice of 100"),
            "{error}"
        );
    }
}
