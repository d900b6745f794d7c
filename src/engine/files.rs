//! Writing files so that a reader sees the old content or the new, never a part, and SHA-256 of
//! contents. Knows nothing of formats.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempPath;

use super::{Error, Result};

/// Temporary names tried in one folder before giving up.
const MAX_TEMPORARY_NAMES: u32 = 1000;

/// Replaces the content of `path` by `bytes`: a temporary file in the same folder, fsync, rename.
///
/// When anything fails (folder missing or read-only, disk full) the old file is untouched and
/// nothing is left behind. A symbolic link is followed; a pipe or device is written to directly.
///
/// # Errors
/// [`Error::File`] naming `path` and what the operating system said.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |source| Error::file("write", path, source);
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(failed(io::Error::from(io::ErrorKind::IsADirectory))),
        Ok(found) if !found.is_file() => fs::write(path, bytes).map_err(failed),
        Ok(_) => {
            let target = fs::canonicalize(path).map_err(failed)?;
            replace(&target, bytes).map_err(failed)
        }
        Err(_) => replace(path, bytes).map_err(failed),
    }
}

/// The write itself; `target` is not a symbolic link.
fn replace(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (mut file, temporary) = create_temporary(folder)?;
    if let Ok(old) = fs::metadata(target) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    temporary.persist(target).map_err(|refused| refused.error)?;
    sync_folder(folder);
    Ok(())
}

/// A new file in `folder` that is removed again unless it is persisted.
fn create_temporary(folder: &Path) -> io::Result<(File, TempPath)> {
    let process = std::process::id();
    for attempt in 0..MAX_TEMPORARY_NAMES {
        let path: PathBuf = folder.join(format!(".hawqeye-{process}-{attempt}.tmp"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, TempPath::try_from_path(path)?)),
            Err(refused) if refused.kind() == io::ErrorKind::AlreadyExists => {}
            Err(refused) => return Err(refused),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

/// Makes the rename itself durable. Some file systems cannot sync a folder; the file is complete
/// either way, so that is no failure of the write.
fn sync_folder(folder: &Path) {
    if let Ok(opened) = File::open(folder) {
        let _ = opened.sync_all();
    }
}

/// Reads a whole file, refusing more than `limit` bytes before memory is taken.
///
/// # Errors
/// [`Error::File`] when it cannot be read, [`Error::Format`] when it is not a regular file or is
/// larger than `limit`.
pub fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let failed = |source| Error::file("read", path, source);
    let found = fs::metadata(path).map_err(failed)?;
    if found.is_dir() {
        return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    if !found.is_file() {
        return Err(Error::format(
            path,
            "expected a regular file; copy it to disk first",
        ));
    }
    if found.len() > limit {
        let size = found.len();
        return Err(Error::format(
            path,
            format!("{size} bytes, but at most {limit} are expected here; is it the right file?"),
        ));
    }
    let mut bytes = Vec::with_capacity(found.len() as usize);
    let opened = File::open(path).map_err(failed)?;
    opened.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// SHA-256 of `bytes` in lower-case hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// SHA-256 of a file's content in lower-case hexadecimal, read piece by piece.
///
/// # Errors
/// [`Error::File`] when the file cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String> {
    let failed = |source| Error::file("read", path, source);
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut piece).map_err(failed)?;
        if count == 0 {
            return Ok(hexadecimal(&hash.finalize()));
        }
        hash.update(&piece[..count]);
    }
}

/// `bytes` in lower-case hexadecimal.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            write!(text, "{byte:02x}").expect("invariant: writing to a string cannot fail");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn writes_and_replaces_leaving_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        write_atomically(&path, b"first").unwrap();
        write_atomically(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["plan.toml"]);
    }

    #[test]
    fn failure_is_one_sentence_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing").join("plan.toml");
        let error = write_atomically(&missing, b"x").unwrap_err();
        assert!(
            matches!(
                error,
                Error::File {
                    action: "write",
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("plan.toml"), "{error}");
        assert!(write_atomically(folder.path(), b"x").is_err());
        assert!(names(folder.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn follows_a_symbolic_link_and_keeps_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_atomically(&link, b"new").unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(
            fs::metadata(&real).unwrap().permissions().mode() & 0o777,
            0o640
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error() {
        let error = write_atomically(Path::new("/dev/full"), b"x").unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        fs::write(&path, [0; 11]).unwrap();
        assert_eq!(read_limited(&path, 11).unwrap().len(), 11);
        assert!(
            read_limited(&path, 10)
                .unwrap_err()
                .to_string()
                .contains("11 bytes")
        );
    }

    #[test]
    fn checksums_agree_with_the_standard() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), abc);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, "abc").unwrap();
        assert_eq!(sha256_of_file(&path).unwrap(), abc);
    }
}
