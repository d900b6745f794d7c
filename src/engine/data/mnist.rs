//! IDX files of any extents: `idx:DIR` and `mnist:DIR` (MNIST, KMNIST, EMNIST, QMNIST, ...).
//!
//! ```text
//! u8 0, u8 0, u8 kind of the elements, u8 dimensions, u32 extents, then the elements     all big-endian
//! ```

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::arrays::named;
use super::picture::{Picture, PlaneOrder, Size};
use super::reading::Reading;
use super::shaped::{Extent, Uniform};
use super::source::missing;
use super::{Dataset, Held, Label, Part, nearby};
use crate::engine::complaint::of_unpacking;
use crate::engine::counts::counted;
use crate::engine::{Error, Result, files};

/// The name in `--data` of sets of any extents.
pub(super) const NAME: &str = "idx";
/// The same, as the best known of them is called.
pub(super) const MNIST: &str = "mnist";
/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 1 << 32;
/// How much smaller packing makes anything at best.
const PACKING: u64 = 1032;
/// Elements of pixels.
const BYTES: u8 = 0x08;
const EXPECTED: &str = "IDX files of images and labels (such as train-images-idx3-ubyte and \
    train-labels-idx1-ubyte, t10k or test, plain or .gz)";

/// What the names of files say.
struct Names {
    part: &'static [&'static str],
    /// As the file is called in the original.
    usual: &'static str,
}

/// Reads the files of one part of a folder.
pub(super) fn load(
    (kind, folder): (&str, &Path),
    part: Part,
    reading: &Reading,
) -> Result<Dataset> {
    let names = match part {
        Part::Train => Names {
            part: &["train"],
            usual: "train",
        },
        Part::Test => Names {
            part: &["t10k", "test"],
            usual: "t10k",
        },
    };
    let found = nearby::folder(folder, |at| !candidates(at, &names, "images").is_empty())?;
    let images = locate(&found, &names, "images")?;
    let labels = locate(&found, &names, "labels")?;
    let (pixels, classes) = (content(&images)?, content(&labels)?);
    let labels = label_list(&labels, classes, pixels.header.count())?;
    let uniform = planes(&images, pixels)?;
    let name = named(kind, folder);
    let plain = Reading {
        classes: reading.classes.clone(),
        ..Reading::default()
    };
    reading.reshaped(plain.dataset(&name, uniform, labels, false)?)
}

/// The names of files of one part, of `images` or `labels`.
fn candidates(folder: &Path, names: &Names, what: &str) -> Vec<String> {
    let plain = |name: &str| name.to_ascii_lowercase().replace(['.', '_', ' '], "-");
    let fits = |name: &String| {
        let name = plain(name);
        let is_part = names.part.iter().any(|part| name.contains(part));
        is_part && name.contains(what) && name.contains("idx")
    };
    let mut found: Vec<String> = nearby::names(folder).into_iter().filter(fits).collect();
    // A file and its packed form are the same.
    let all = found.clone();
    found.retain(|name| {
        let unpacked = name.strip_suffix(".gz");
        unpacked.is_none_or(|unpacked| !all.iter().any(|other| other == unpacked))
    });
    found
}

fn locate(folder: &Path, names: &Names, what: &str) -> Result<PathBuf> {
    match &candidates(folder, names, what)[..] {
        [only] => Ok(folder.join(only)),
        [] => {
            let dimensions = if what == "images" { 3 } else { 1 };
            let file = format!("{}-{what}-idx{dimensions}-ubyte", names.usual);
            Err(missing(folder, &file, EXPECTED))
        }
        [first, second, ..] => Err(Error::format(
            folder,
            format!(
                "{first} and {second} may both be meant; put each set into a folder of its own"
            ),
        )),
    }
}

/// What the first bytes say.
struct Header {
    kind: u8,
    extents: Vec<usize>,
}

impl Header {
    /// Bytes of an element.
    fn size(&self) -> Option<usize> {
        match self.kind {
            0x08 | 0x09 => Some(1),
            0x0b => Some(2),
            0x0c | 0x0d => Some(4),
            0x0e => Some(8),
            _ => None,
        }
    }

    fn count(&self) -> usize {
        self.extents.first().copied().unwrap_or(0)
    }

    /// Bytes of all elements.
    fn bytes(&self) -> Option<u64> {
        let mut extents = self.extents.iter();
        let bytes = extents.try_fold(self.size()?, |product, &extent| product.checked_mul(extent));
        bytes.map(|bytes| bytes as u64)
    }
}

struct Content {
    header: Header,
    bytes: Vec<u8>,
}

fn content(path: &Path) -> Result<Content> {
    let file = files::read_limited(path, MAX_FILE_BYTES)?;
    if file.is_empty() {
        return Err(Error::format(
            path,
            "expected an IDX file, but it is empty; download it again",
        ));
    }
    let length = file.len() as u64;
    let read = if file.starts_with(&[0x1f, 0x8b]) {
        let most = length.saturating_mul(PACKING);
        unpacked(MultiGzDecoder::new(&file[..]), most)
    } else {
        unpacked(&file[..], length)
    };
    read.map_err(|reason| Error::format(path, reason))
}

/// Reads a header and what it announces, if that is no more than `most` bytes.
fn unpacked(mut reader: impl Read, most: u64) -> std::result::Result<Content, String> {
    let damaged = |source: std::io::Error| {
        format!(
            "expected an IDX file: {}; download it again",
            of_unpacking(&source)
        )
    };
    let mut magic = [0; 4];
    reader.read_exact(&mut magic).map_err(damaged)?;
    let [0, 0, kind, dimensions] = magic else {
        return Err(format!(
            "begins with {:#x}, which is no IDX file; expected {EXPECTED}",
            u32::from_be_bytes(magic)
        ));
    };
    let mut extents = Vec::new();
    for _ in 0..dimensions {
        let mut extent = [0; 4];
        reader.read_exact(&mut extent).map_err(damaged)?;
        extents.push(u32::from_be_bytes(extent) as usize);
    }
    let header = Header { kind, extents };
    if header.extents.contains(&0) {
        return Err(format!(
            "there is nothing in it: its header announces {:?} elements; choose a file with images",
            header.extents
        ));
    }
    let announced = header.bytes().filter(|&bytes| bytes > 0 && bytes <= most);
    let announced = announced.ok_or_else(|| {
        let extents = &header.extents;
        format!(
            "the header announces {extents:?} elements of kind {kind:#04x}, which the file cannot \
             hold; download it again"
        )
    })?;
    let mut bytes = Vec::new();
    let read = reader.take(announced + 1).read_to_end(&mut bytes);
    read.map_err(damaged)?;
    if bytes.len() as u64 == announced {
        return Ok(Content { header, bytes });
    }
    let found = if bytes.len() as u64 > announced {
        "more".to_owned()
    } else {
        bytes.len().to_string()
    };
    Err(format!(
        "the header announces {}, but the file holds {found}; download it again",
        counted(announced as usize, "byte")
    ))
}

/// One label for each of `count` images.
fn label_list(path: &Path, content: Content, count: usize) -> Result<Vec<Label>> {
    let wrong = |reason: String| Error::format(path, reason);
    let Content { header, bytes } = content;
    let size = header.size().filter(|_| header.kind <= 0x0c).unwrap_or(0);
    // Of QMNIST's rows the first number is the class.
    let width = match header.extents[..] {
        [_] => 1,
        [_, width] => width,
        _ => 0,
    };
    if size == 0 || width == 0 {
        return Err(wrong(format!(
            "{:?} elements of kind {:#04x}, expected one whole number an image",
            header.extents, header.kind
        )));
    }
    if header.count() != count {
        return Err(wrong(format!(
            "{}, but {}; they belong to different sets",
            counted(header.count(), "label"),
            counted(count, "image")
        )));
    }
    let label = |(place, bytes): (usize, &[u8])| {
        let first = &bytes[..size];
        let value = first
            .iter()
            .fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        let signed = header.kind != BYTES && first[0] >= 0x80;
        match u32::try_from(value) {
            Ok(label) if !signed => Ok(Label(label)),
            _ => Err(wrong(format!(
                "label {place} is negative; expected 0 or more"
            ))),
        }
    };
    bytes
        .chunks_exact(size * width)
        .enumerate()
        .map(label)
        .collect()
}

/// Images of bytes, plane by plane.
fn planes(path: &Path, content: Content) -> Result<Uniform> {
    let Content { header, bytes } = content;
    let make = |[channels, height, width]: [usize; 3]| Extent {
        channels,
        size: Size { height, width },
    };
    let known = |channels| channels == 1 || channels == 3;
    let (extent, last) = match header.extents[..] {
        [_, height, width] => (make([1, height, width]), false),
        [_, height, width, channels] if known(channels) => (make([channels, height, width]), true),
        [_, channels, height, width] if known(channels) => (make([channels, height, width]), false),
        _ => (make([0, 0, 0]), false),
    };
    if extent.values() == 0 || header.kind != BYTES {
        return Err(Error::format(
            path,
            format!(
                "{:?} elements of kind {:#04x}, expected bytes: images x rows x columns (x 1 or 3)",
                header.extents, header.kind
            ),
        ));
    }
    let bytes = if last && extent.channels > 1 {
        let images = bytes.chunks_exact(extent.values());
        let turned = images.map(|image| {
            let picture = Picture::new(extent.size, extent.channels, image.to_vec())?;
            Ok(picture.planes(PlaneOrder::Straight))
        });
        turned.collect::<Result<Vec<_>>>()?.concat()
    } else {
        bytes
    };
    Ok(Uniform {
        images: Held::of(bytes, extent.values()),
        extent,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::engine::data::Sample;

    fn idx(kind: u8, extents: &[u32], elements: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, kind, extents.len() as u8];
        bytes.extend(extents.iter().flat_map(|extent| extent.to_be_bytes()));
        bytes.extend_from_slice(elements);
        bytes
    }

    fn read(files: &[(&str, Vec<u8>)]) -> Result<Dataset> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        load((MNIST, folder.path()), Part::Test, &Reading::default())
    }

    fn refused(images: Vec<u8>, labels: Vec<u8>) -> String {
        let files = [
            ("t10k-images-idx3-ubyte", images),
            ("t10k-labels-idx1-ubyte", labels),
        ];
        read(&files).unwrap_err().to_string()
    }

    #[test]
    fn images_of_any_extents_and_wide_labels_are_read() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed
            .write_all(&idx(8, &[2, 1, 2], &[1, 2, 3, 4]))
            .unwrap();
        let labels = idx(
            0x0c,
            &[2, 2],
            &[0, 0, 1, 44, 9, 9, 9, 9, 0, 0, 0, 1, 9, 9, 9, 9],
        );
        let dataset = read(&[
            ("qmnist-test-images-idx3-ubyte.gz", packed.finish().unwrap()),
            ("qmnist-test-labels-idx2-int", labels),
            ("qmnist-train-images-idx3-ubyte", Vec::new()),
        ]);
        let dataset = dataset.unwrap();
        assert_eq!(dataset.labels, [Label(300), Label(1)]);
        assert_eq!(
            (dataset.classes, dataset.height, dataset.width),
            (301, 1, 2)
        );
        let second = Sample::Pixels(vec![3, 4].into());
        assert_eq!(dataset.sample(1).unwrap(), second);
        assert!(dataset.name.starts_with("mnist:"));
    }

    #[test]
    fn channels_may_be_last() {
        let images = idx(8, &[1, 1, 2, 3], &[1, 2, 3, 4, 5, 6]);
        let files = [
            ("test-images.idx4", images),
            ("test-labels.idx1", idx(8, &[1], &[0])),
        ];
        let planes = Sample::Pixels(vec![1, 4, 2, 5, 3, 6].into());
        assert_eq!(read(&files).unwrap().sample(0).unwrap(), planes);
    }

    #[test]
    fn what_does_not_suit_is_refused() {
        let labels = || idx(8, &[1], &[0]);
        for (images, labels, expected) in [
            (
                idx(8, &[1, 1, 2], &[1]),
                labels(),
                "announces 2 bytes, but the file holds 1",
            ),
            (
                idx(8, &[1, 1, 1], &[1, 2]),
                labels(),
                "announces 1 byte, but the file holds more",
            ),
            (idx(13, &[1, 1, 1], &[0; 4]), labels(), "expected bytes"),
            (
                idx(8, &[u32::MAX; 9], &[1]),
                labels(),
                "which the file cannot hold",
            ),
            (b"PK\x03\x04".to_vec(), labels(), "no IDX file"),
            (
                idx(8, &[1, 1, 1], &[1]),
                idx(8, &[2], &[0, 1]),
                "2 labels, but 1 image;",
            ),
            (
                idx(8, &[1, 1, 1], &[1]),
                idx(12, &[1], &[255; 4]),
                "label 0 is negative",
            ),
            (
                idx(8, &[1, 1, 1], &[1]),
                idx(13, &[1], &[0; 4]),
                "one whole number",
            ),
        ] {
            let refused = refused(images, labels);
            assert!(refused.contains(expected), "{refused}");
        }
        let images = || idx(8, &[1, 1, 1], &[1]);
        let two = [
            ("a-test-images-idx3", images()),
            ("b-test-images-idx3", images()),
        ];
        let refused = read(&two).unwrap_err().to_string();
        assert!(refused.contains("a folder of its own"), "{refused}");
    }
}
