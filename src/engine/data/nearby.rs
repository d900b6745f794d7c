//! Finding the folder that holds the files of a data set: the one that was named, or one near it.
//!
//! Archives unpack into folders of their own (`cifar-10-batches-bin`), and other tools keep the files
//! a level or two down (`FashionMNIST/raw`): these are looked into. Where a file or a folder beside
//! the files was named, the folder around it is looked at too.

use std::fs;
use std::path::{Path, PathBuf};

use crate::engine::{Error, Result};

/// Levels below the folder that was named.
const LEVELS: usize = 2;
/// Folders that are looked into.
const MOST: usize = 256;

/// The folder for which `holds` is true: the one that was named, the only one below it, or the one
/// around it; the one that was named when there is none.
///
/// # Errors
/// When several below it hold the files.
pub(super) fn folder(named: &Path, holds: impl Fn(&Path) -> bool) -> Result<PathBuf> {
    if named.is_dir() && holds(named) {
        return Ok(named.to_owned());
    }
    let found: Vec<PathBuf> = below(named).into_iter().filter(|at| holds(at)).collect();
    match &found[..] {
        [only] => return Ok(only.clone()),
        [first, second, ..] => {
            return Err(Error::invalid(format!(
                "{} and {} both hold the files: name one of them",
                first.display(),
                second.display()
            )));
        }
        [] => {}
    }
    let around = named.parent().filter(|_| named.exists());
    let around = around.filter(|at| holds(at));
    Ok(around.unwrap_or(named).to_owned())
}

/// The folders below one, nearer ones first, in the order of their names.
fn below(named: &Path) -> Vec<PathBuf> {
    let (mut level, mut all) = (vec![named.to_owned()], Vec::new());
    for _ in 0..LEVELS {
        level = level.iter().flat_map(|at| folders(at)).collect();
        all.extend(level.iter().cloned());
        if all.len() > MOST {
            break;
        }
    }
    all.truncate(MOST);
    all
}

fn folders(at: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(at).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .take(MOST)
        .collect();
    folders.sort();
    folders
}

/// The names in a folder, in order.
pub(super) fn names(folder: &Path) -> Vec<String> {
    /// Names that are looked at.
    const LOOKED_AT: usize = 1 << 14;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .take(LOOKED_AT)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_found_in_the_folder_below_it_and_around_it() {
        let all = tempfile::tempdir().unwrap();
        let raw = all.path().join("FashionMNIST/raw");
        fs::create_dir_all(&raw).unwrap();
        fs::create_dir_all(all.path().join("FashionMNIST/processed")).unwrap();
        fs::write(raw.join("wanted"), "").unwrap();
        let holds = |at: &Path| at.join("wanted").exists();
        for named in [
            "",
            "FashionMNIST",
            "FashionMNIST/raw",
            "FashionMNIST/raw/wanted",
        ] {
            assert_eq!(
                folder(&all.path().join(named), holds).unwrap(),
                raw,
                "{named}"
            );
        }
        let nothing = all.path().join("FashionMNIST/processed");
        assert_eq!(folder(&nothing, holds).unwrap(), nothing);
        let other = all.path().join("other");
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("wanted"), "").unwrap();
        let refused = folder(all.path(), holds).unwrap_err().to_string();
        assert!(refused.contains("both hold the files"), "{refused}");
    }
}
