//! Fashion-MNIST as IDX files, plain or gzip-compressed.
//!
//! ```text
//! images: u32 0x803, u32 count, u32 rows, u32 columns, then the pixels     all big-endian
//! labels: u32 0x801, u32 count, then the labels
//! ```

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::source::missing;
use super::{Dataset, Held, Label, Origin, Part, nearby};
use crate::engine::complaint::of_unpacking;
use crate::engine::counts::counted;
use crate::engine::files;
use crate::engine::{Error, Result};

/// The name in `--data` and in results.
pub(super) const NAME: &str = "fashion-mnist";
/// Rows and columns of an image.
pub(super) const SIDE: usize = 28;
/// Number of classes.
pub(super) const CLASSES: usize = 10;
/// Images a file may hold; the original has 60,000.
const MAX_IMAGES: usize = 1 << 20;
const IMAGES_MAGIC: u32 = 0x803;
const LABELS_MAGIC: u32 = 0x801;
const IMAGES_HEADER: usize = 16;
const LABELS_HEADER: usize = 8;
const MAX_FILE_BYTES: u64 = (IMAGES_HEADER + MAX_IMAGES * SIDE * SIDE) as u64;
const CLASS_NAMES: [&str; CLASSES] = [
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];
const EXPECTED: &str = "the IDX files of Fashion-MNIST (train-images-idx3-ubyte, \
    train-labels-idx1-ubyte and the same with t10k, plain or .gz)";

/// A file as read, with the name for messages.
pub(super) struct IdxFile<'a> {
    /// The name for messages.
    pub path: &'a Path,
    /// The content, plain or compressed.
    pub bytes: &'a [u8],
}

/// Reads the files of one part of a folder.
pub(super) fn load(folder: &Path, part: Part) -> Result<Dataset> {
    let (images, labels) = match part {
        Part::Train => ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        Part::Test => ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
    };
    let folder = &nearby::folder(folder, |at| find(at, images).is_some())?;
    let (images, labels) = (locate(folder, images)?, locate(folder, labels)?);
    let image_bytes = files::read_limited(&images, MAX_FILE_BYTES)?;
    let label_bytes = files::read_limited(&labels, MAX_FILE_BYTES)?;
    let images = IdxFile {
        path: &images,
        bytes: &image_bytes,
    };
    parse(
        NAME,
        &images,
        &IdxFile {
            path: &labels,
            bytes: &label_bytes,
        },
    )
}

/// The plain file, or else the compressed one.
fn locate(folder: &Path, name: &str) -> Result<PathBuf> {
    find(folder, name).ok_or_else(|| missing(folder, name, EXPECTED))
}

/// A file of this name, plain before compressed: as it was published, or as unpackers write it
/// (`train-images.idx3-ubyte`, capital letters).
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let compressed = format!("{name}.gz");
    let exact = [name, &compressed].map(|name| folder.join(name));
    if let Some(found) = exact.into_iter().find(|path| path.is_file()) {
        return Some(found);
    }
    let plain = |found: &str| found.to_ascii_lowercase().replace(['.', '_', ' '], "-");
    let wanted = [name.to_owned(), format!("{name}-gz")];
    let names = nearby::names(folder);
    wanted.iter().find_map(|wanted| {
        let found = names.iter().find(|found| plain(found) == *wanted)?;
        Some(folder.join(found)).filter(|path| path.is_file())
    })
}

/// A data set called `name` from a file of images and one of labels.
pub(super) fn parse(name: &str, images: &IdxFile<'_>, labels: &IdxFile<'_>) -> Result<Dataset> {
    let pixels = content(images, IMAGES_MAGIC)?;
    let classes = content(labels, LABELS_MAGIC)?;
    let count = pixels.len() / (SIDE * SIDE);
    if classes.len() != count {
        let (images, found) = (images.path.display(), classes.len());
        return Err(Error::format(
            labels.path,
            format!(
                "{}, but {images} has {}; they belong to different sets",
                counted(found, "label"),
                counted(count, "image")
            ),
        ));
    }
    if let Some(at) = classes
        .iter()
        .position(|&label| usize::from(label) >= CLASSES)
    {
        let label = classes[at];
        return Err(Error::format(
            labels.path,
            format!("label {at} is {label}, expected 0 to 9; expected {EXPECTED}"),
        ));
    }
    Ok(Dataset {
        name: name.into(),
        classes: CLASSES,
        class_names: CLASS_NAMES.map(str::to_owned).to_vec(),
        channels: 1,
        height: SIDE,
        width: SIDE,
        images: Held::of(pixels, SIDE * SIDE),
        labels: classes.into_iter().map(Label::from).collect(),
        origin: Origin::default(),
    })
}

/// What follows the header, whose size is checked before memory is taken.
fn content(file: &IdxFile<'_>, magic: u32) -> Result<Vec<u8>> {
    if file.bytes.starts_with(&[0x1f, 0x8b]) {
        return read(file, magic, MultiGzDecoder::new(file.bytes));
    }
    read(file, magic, file.bytes)
}

fn read(file: &IdxFile<'_>, magic: u32, mut reader: impl Read) -> Result<Vec<u8>> {
    if file.bytes.is_empty() {
        return Err(Error::format(
            file.path,
            "expected an IDX file, but it is empty; download it again",
        ));
    }
    let damaged = |source: std::io::Error| {
        Error::format(
            file.path,
            format!(
                "expected an IDX file: {}; download it again",
                of_unpacking(&source)
            ),
        )
    };
    let mut header = vec![
        0;
        if magic == IMAGES_MAGIC {
            IMAGES_HEADER
        } else {
            LABELS_HEADER
        }
    ];
    reader.read_exact(&mut header).map_err(damaged)?;
    let size = content_size(&header, magic).map_err(|reason| Error::format(file.path, reason))?;
    // One byte more than announced shows a file that is too long.
    let mut content = Vec::new();
    reader
        .take(size as u64 + 1)
        .read_to_end(&mut content)
        .map_err(damaged)?;
    if content.len() != size {
        let found = if content.len() > size {
            "more".into()
        } else {
            content.len().to_string()
        };
        return Err(Error::format(
            file.path,
            format!(
                "the header announces {}, but the file holds {found}; download it again",
                counted(size, "byte")
            ),
        ));
    }
    Ok(content)
}

/// Bytes that the header announces, or what is wrong with it.
fn content_size(header: &[u8], magic: u32) -> std::result::Result<usize, String> {
    let numbers: Vec<u32> = header
        .as_chunks()
        .0
        .iter()
        .map(|&number: &[u8; 4]| u32::from_be_bytes(number))
        .collect();
    if numbers[0] != magic {
        let found = numbers[0];
        return Err(format!(
            "begins with {found:#x} instead of {magic:#x}; expected {EXPECTED}"
        ));
    }
    let count = numbers[1] as usize;
    if count == 0 || count > MAX_IMAGES {
        let announced = counted(count, if numbers.len() > 2 { "image" } else { "label" });
        return Err(format!(
            "the header announces {announced}, expected 1 to {MAX_IMAGES}; download it again"
        ));
    }
    match numbers[2..] {
        [] => Ok(count),
        [rows, columns] if rows as usize == SIDE && columns as usize == SIDE => {
            Ok(count * SIDE * SIDE)
        }
        _ => {
            let extents = &numbers[2..];
            Err(format!(
                "images of {extents:?} pixels, expected [{SIDE}, {SIDE}]"
            ))
        }
    }
}

/// An IDX file of images, uncompressed.
pub(super) fn encode_images(images: &[u8]) -> Vec<u8> {
    let count = (images.len() / (SIDE * SIDE)) as u32;
    let header = [IMAGES_MAGIC, count, SIDE as u32, SIDE as u32];
    [&header.map(u32::to_be_bytes).concat(), images].concat()
}

/// An IDX file of labels, uncompressed.
pub(super) fn encode_labels(labels: &[u8]) -> Vec<u8> {
    let header = [LABELS_MAGIC, labels.len() as u32];
    [&header.map(u32::to_be_bytes).concat(), labels].concat()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::engine::data::Sample;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn parsed(images: &[u8], labels: &[u8]) -> Result<Dataset> {
        let images = IdxFile {
            path: Path::new("images"),
            bytes: images,
        };
        parse(
            NAME,
            &images,
            &IdxFile {
                path: Path::new("labels"),
                bytes: labels,
            },
        )
    }

    fn refused(images: &[u8], labels: &[u8]) -> String {
        parsed(images, labels).unwrap_err().to_string()
    }

    fn two() -> (Vec<u8>, Vec<u8>) {
        let images = [[7; SIDE * SIDE], [8; SIDE * SIDE]].concat();
        (encode_images(&images), encode_labels(&[3, 9]))
    }

    #[test]
    fn plain_and_compressed_files_are_the_same() {
        let (images, labels) = two();
        let plain = parsed(&images, &labels).unwrap();
        let packed = parsed(&compressed(&images), &compressed(&labels)).unwrap();
        assert_eq!(plain.checksum(), packed.checksum());
        assert_eq!(plain.labels, [Label(3), Label(9)]);
        let second = Sample::Pixels(vec![8; SIDE * SIDE].into());
        assert_eq!(plain.sample(1).unwrap(), second);
    }

    #[test]
    fn names_with_dots_and_folders_below_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let raw = folder.path().join("FashionMNIST/raw");
        fs::create_dir_all(&raw).unwrap();
        let (images, labels) = two();
        fs::write(raw.join("t10k-images.idx3-ubyte"), &images).unwrap();
        fs::write(raw.join("T10K-labels.idx1-ubyte.gz"), compressed(&labels)).unwrap();
        assert_eq!(load(folder.path(), Part::Test).unwrap().len(), 2);
        let absent = load(folder.path(), Part::Train).unwrap_err().to_string();
        assert!(absent.contains("there is FashionMNIST"), "{absent}");
    }

    #[test]
    fn a_compressed_file_of_several_members_is_read_to_its_end() {
        let (images, labels) = two();
        let (first, second) = images.split_at(images.len() / 2);
        let members = [compressed(first), compressed(second)].concat();
        assert_eq!(
            parsed(&members, &labels).unwrap().checksum(),
            parsed(&images, &labels).unwrap().checksum()
        );
    }

    #[test]
    fn truncation_anywhere_is_one_sentence() {
        let (images, labels) = two();
        for whole in [&images, &compressed(&images)] {
            for length in 0..whole.len() {
                let error = refused(&whole[..length], &labels);
                assert!(error.starts_with("images: "), "{length}: {error}");
            }
        }
    }

    #[test]
    fn a_header_that_lies_is_refused() {
        let (images, labels) = two();
        let with = |at: usize, number: u32| {
            let mut changed = images.clone();
            changed[at..at + 4].copy_from_slice(&number.to_be_bytes());
            refused(&changed, &labels)
        };
        assert!(with(0, 0x801).contains("begins with 0x801 instead of 0x803"));
        assert!(with(4, u32::MAX).contains("announces 4,294,967,295 images, expected 1 to"));
        assert!(with(4, 0).contains("announces 0 images"));
        assert!(
            with(4, 1_000_000).contains("announces 784,000,000 bytes, but the file holds 1568")
        );
        assert!(with(4, 1).contains("announces 784 bytes, but the file holds more"));
        assert!(with(8, 32).contains("images of [32, 28] pixels, expected [28, 28]"));
    }

    #[test]
    fn what_a_header_does_not_announce_is_not_unpacked() {
        let (images, labels) = two();
        let bomb = compressed(&[images, vec![0; 50 << 20]].concat());
        assert!(refused(&bomb, &labels).contains("the file holds more"));
    }

    #[test]
    fn labels_must_fit_the_images_and_the_classes() {
        let (images, _) = two();
        assert!(
            refused(&images, &encode_labels(&[1])).contains("1 label, but images has 2 images")
        );
        let beyond = refused(&images, &encode_labels(&[1, 10]));
        assert!(
            beyond.contains("label 1 is 10, expected 0 to 9"),
            "{beyond}"
        );
    }

    #[test]
    fn a_folder_is_read_plain_first_and_a_missing_file_named() {
        let folder = tempfile::tempdir().unwrap();
        let (images, labels) = two();
        let write = |name: &str, content: &[u8]| fs::write(folder.path().join(name), content);
        write("t10k-images-idx3-ubyte.gz", &compressed(&images)).unwrap();
        let error = load(folder.path(), Part::Test).unwrap_err().to_string();
        assert!(
            error.contains("t10k-labels-idx1-ubyte: file not found"),
            "{error}"
        );
        write("t10k-labels-idx1-ubyte", &labels).unwrap();
        assert_eq!(load(folder.path(), Part::Test).unwrap().len(), 2);
    }

    #[test]
    fn the_real_files_are_complete() {
        let folder = Path::new("/usr/share/datasets/fashion-mnist");
        if !folder.exists() {
            eprintln!("skipped: Debian package dataset-fashion-mnist is not installed");
            return;
        }
        let dataset = load(folder, Part::Test).unwrap();
        assert_eq!(dataset.len(), 10_000);
        for class in 0..CLASSES {
            let members = dataset
                .labels
                .iter()
                .filter(|&&label| usize::from(label) == class);
            assert_eq!(members.count(), 1000);
        }
        assert_eq!(load(folder, Part::Train).unwrap().len(), 60_000);
    }
}
