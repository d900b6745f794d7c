//! The binary version of CIFAR-10: records of 3073 bytes, a label and 1024 red, green and blue
//! pixels each. A file may hold fewer records than the 10,000 of the original.

use std::path::Path;

use super::source::missing;
use super::{Dataset, Held, Label, Origin, Part, nearby};
use crate::engine::counts::counted;
use crate::engine::{Error, Result, files, text};

/// The name in `--data` and in results.
pub(super) const NAME: &str = "cifar10";
const SIDE: usize = 32;
const CHANNELS: usize = 3;
const IMAGE_BYTES: usize = CHANNELS * SIDE * SIDE;
const RECORD_BYTES: usize = 1 + IMAGE_BYTES;
const CLASSES: usize = 10;
/// The largest file that is read: 100 times the original.
const MAX_FILE_BYTES: u64 = 100 * 10_000 * RECORD_BYTES as u64;
const TRAIN_FILES: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
const TEST_FILES: [&str; 1] = ["test_batch.bin"];
const CLASS_FILE: &str = "batches.meta.txt";
const CLASS_NAMES: [&str; CLASSES] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];
const EXPECTED: &str =
    "the binary version of CIFAR-10 (data_batch_1.bin to data_batch_5.bin and test_batch.bin)";

/// Reads the files of one part of a folder.
pub(super) fn load(folder: &Path, part: Part) -> Result<Dataset> {
    let files: &[&str] = match part {
        Part::Train => &TRAIN_FILES,
        Part::Test => &TEST_FILES,
    };
    let folder = &nearby::folder(folder, |at| at.join(files[0]).is_file())?;
    let class_names = class_names(folder)?;
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for file in files {
        if !folder.join(file).exists() {
            return Err(other_version(folder).unwrap_or_else(|| missing(folder, file, EXPECTED)));
        }
        let content = records(&folder.join(file))?;
        images.reserve_exact(content.len() / RECORD_BYTES * IMAGE_BYTES);
        for record in content.chunks_exact(RECORD_BYTES) {
            labels.push(Label::from(record[0]));
            images.extend_from_slice(&record[1..]);
        }
    }
    Ok(Dataset {
        name: NAME.into(),
        classes: CLASSES,
        class_names,
        channels: CHANNELS,
        height: SIDE,
        width: SIDE,
        images: Held::of(images, IMAGE_BYTES),
        labels,
        origin: Origin::default(),
    })
}

/// What to do about the files of CIFAR-10 in another version than the binary one.
fn other_version(folder: &Path) -> Option<Error> {
    const BINARY: &str = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";
    let holds = |name: &'static str| move |at: &Path| at.join(name).is_file();
    let at = nearby::folder(folder, holds("data_batch_1")).ok()?;
    if holds("data_batch_1")(&at) {
        let reason = format!(
            "it holds CIFAR-10 as Python batches; unpack the binary version instead ({BINARY})"
        );
        return Some(Error::format(&at, reason));
    }
    let names = nearby::names(folder);
    let archive = names
        .iter()
        .find(|name| name.starts_with("cifar-10-") && name.contains(".tar"))?;
    let next = if archive.contains("binary") {
        format!("unpack it first: tar xf {archive}")
    } else {
        format!("get the binary version instead ({BINARY})")
    };
    let reason = format!("CIFAR-10 lies in it packed, as {archive}; {next}");
    Some(Error::format(folder, reason))
}

/// The records of one file.
fn records(path: &Path) -> Result<Vec<u8>> {
    let bytes = files::read_limited(path, MAX_FILE_BYTES)?;
    if bytes.is_empty() {
        return Err(Error::format(path, "the file is empty; download it again"));
    }
    let (records, rest) = (bytes.len() / RECORD_BYTES, bytes.len() % RECORD_BYTES);
    if records == 0 || rest != 0 {
        return Err(Error::format(
            path,
            format!(
                "{}, expected a multiple of {RECORD_BYTES} (there: {} and {rest} more); download it \
                 again",
                counted(bytes.len(), "byte"),
                counted(records, "whole record")
            ),
        ));
    }
    for (record, content) in bytes.chunks_exact(RECORD_BYTES).enumerate() {
        let label = content[0];
        if usize::from(label) >= CLASSES {
            return Err(Error::format(
                path,
                format!(
                    "record {record} (byte {}) has label {label}, expected 0 to 9; is it {EXPECTED}?",
                    record * RECORD_BYTES
                ),
            ));
        }
    }
    Ok(bytes)
}

/// The names in the folder, or those of the original where it has none.
fn class_names(folder: &Path) -> Result<Vec<String>> {
    let path = folder.join(CLASS_FILE);
    if !path.exists() {
        return Ok(CLASS_NAMES.map(str::to_owned).to_vec());
    }
    let text = text::read(&path, 1 << 16)?;
    let names: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if names.len() == CLASSES {
        return Ok(names);
    }
    let found = names.len();
    Err(Error::format(
        &path,
        format!(
            "{}, expected {CLASSES}; correct the file or remove it",
            counted(found, "class name")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::engine::data::Sample;

    /// Records whose label and every pixel are known.
    fn made(labels: &[u8]) -> Vec<u8> {
        let record = |&label: &u8| [vec![label], vec![label + 100; IMAGE_BYTES]].concat();
        labels.iter().flat_map(record).collect()
    }

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    #[test]
    fn the_folder_of_the_archive_is_found_and_other_versions_are_named() {
        let all = folder(&[]);
        let refused = |part| load(all.path(), part).unwrap_err().to_string();
        assert!(refused(Part::Test).contains("the folder is empty"));
        fs::write(all.path().join("cifar-10-binary.tar.gz"), "").unwrap();
        assert!(refused(Part::Test).contains("tar xf cifar-10-binary.tar.gz"));
        let python = all.path().join("cifar-10-batches-py");
        fs::create_dir(&python).unwrap();
        fs::write(python.join("data_batch_1"), b"\x80\x02}").unwrap();
        assert!(
            refused(Part::Test).contains("as Python batches"),
            "{}",
            refused(Part::Test)
        );
        let binary = all.path().join("cifar-10-batches-bin");
        fs::create_dir(&binary).unwrap();
        fs::write(binary.join(TEST_FILES[0]), made(&[1, 2])).unwrap();
        for named in [all.path(), &binary, &binary.join(TEST_FILES[0])] {
            assert_eq!(load(named, Part::Test).unwrap().labels, [1, 2].map(Label));
        }
    }

    #[test]
    fn files_are_read_in_order_and_may_be_short() {
        let batches: Vec<Vec<u8>> = (0..5).map(|batch| made(&[batch, 9 - batch])).collect();
        let files: Vec<(&str, &[u8])> = TRAIN_FILES
            .iter()
            .zip(&batches)
            .map(|(&name, batch)| (name, &batch[..]))
            .collect();
        let folder = folder(&files);
        let dataset = load(folder.path(), Part::Train).unwrap();
        assert_eq!(dataset.labels, [0, 9, 1, 8, 2, 7, 3, 6, 4, 5].map(Label));
        let expected = Sample::Pixels(vec![108; IMAGE_BYTES].into());
        assert_eq!(dataset.sample(3).unwrap(), expected);
        assert_eq!(dataset.class_names[3], "cat");
    }

    #[test]
    fn the_test_part_needs_no_training_file() {
        let folder = folder(&[("test_batch.bin", &made(&[7]))]);
        assert_eq!(load(folder.path(), Part::Test).unwrap().len(), 1);
        let error = load(folder.path(), Part::Train).unwrap_err().to_string();
        assert!(
            error.contains("data_batch_1.bin: file not found; expected the binary"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = load(Path::new("absent/cifar"), Part::Test)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("absent/cifar: folder not found; expected one with"),
            "{error}"
        );
    }

    #[test]
    fn a_truncated_or_empty_file_says_what_was_found() {
        let whole = made(&[1, 2]);
        let truncated = folder(&[("test_batch.bin", &whole[..5000])]);
        let error = load(truncated.path(), Part::Test).unwrap_err().to_string();
        let found =
            "5,000 bytes, expected a multiple of 3073 (there: 1 whole record and 1927 more)";
        assert!(error.contains(found), "{error}");
        let empty = folder(&[("test_batch.bin", b"")]);
        let error = load(empty.path(), Part::Test).unwrap_err().to_string();
        assert!(error.contains("the file is empty"), "{error}");
    }

    #[test]
    fn a_label_beyond_the_classes_is_located() {
        let folder = folder(&[("test_batch.bin", &made(&[1, 10]))]);
        let error = load(folder.path(), Part::Test).unwrap_err().to_string();
        assert!(
            error.contains("record 1 (byte 3073) has label 10, expected 0 to 9"),
            "{error}"
        );
    }

    #[test]
    fn class_names_come_from_the_folder_when_it_has_them() {
        let batch = made(&[0]);
        let names = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n";
        let named = folder(&[("test_batch.bin", &batch), (CLASS_FILE, names.as_bytes())]);
        assert_eq!(load(named.path(), Part::Test).unwrap().class_names[9], "j");
        let short = folder(&[("test_batch.bin", &batch), (CLASS_FILE, b"a\n")]);
        let error = load(short.path(), Part::Test).unwrap_err().to_string();
        assert!(error.contains("1 class name, expected 10"), "{error}");
    }

    #[test]
    fn the_real_files_begin_as_published() {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = shared.join("../shared/data/cifar-10-batches-bin");
        if !folder.exists() {
            eprintln!("skipped: {} is missing", folder.display());
            return;
        }
        let dataset = load(&folder, Part::Test).unwrap();
        assert_eq!(dataset.len(), 10_000);
        let first: Vec<&str> = dataset.labels[..4]
            .iter()
            .map(|&label| dataset.class_names[usize::from(label)].as_str())
            .collect();
        assert_eq!(first, ["cat", "ship", "ship", "airplane"]);
    }
}
