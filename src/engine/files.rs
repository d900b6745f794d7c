//! Writing files so that a reader sees the old content or the new, never a part; what ended processes
//! left unfinished is swept away; SHA-256 of contents. Knows nothing of formats.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tempfile::TempPath;

use super::holder::Holder;
use super::{Error, Result};

/// Temporary names tried in one folder before giving up.
const MAX_TEMPORARY_NAMES: u32 = 1000;
/// How the name of an unfinished file begins, and ends.
const PREFIX: &str = ".hawqeye-";
const SUFFIX: &str = ".tmp";
/// Since an unfinished file of another machine was last written, in a folder that is ours.
pub const SETTLED: Duration = Duration::from_mins(1);
/// As [`SETTLED`], in a folder that is everybody's.
pub const ABANDONED: Duration = Duration::from_hours(1);

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
    let mut draft = Draft::create(folder_of(target))?;
    if let Ok(old) = fs::metadata(target) {
        draft.file.set_permissions(old.permissions())?;
    }
    draft.fill(bytes)?;
    draft.publish_at(target)
}

/// The folder that a file is in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A free name beside a file, under which what it holds can be kept: `plan.toml` becomes
/// `plan-left-aside.toml`, and where that is taken `plan-left-aside-2.toml`, and so on.
#[must_use]
pub fn aside(path: &Path) -> PathBuf {
    let part = |part: Option<&std::ffi::OsStr>| {
        part.map(|part| part.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let (stem, extension) = (part(path.file_stem()), part(path.extension()));
    let name = |number: &str| path.with_file_name(format!("{stem}-left-aside{number}.{extension}"));
    let numbered = (2_u64..).map(|number| name(&format!("-{number}")));
    let mut names = std::iter::once(name("")).chain(numbered);
    let free = names.find(|name| fs::symlink_metadata(name).is_err());
    free.expect("invariant: there are more numbers than files")
}

/// Gives a file that cannot be taken the name [`aside`], so that nothing is written over it; tells which.
///
/// # Errors
/// When it cannot be renamed.
pub fn set_aside(path: &Path) -> Result<PathBuf> {
    let place = aside(path);
    fs::rename(path, &place).map_err(|source| Error::file("rename", path, source))?;
    sync_folder(folder_of(path));
    Ok(place)
}

/// A file beside its place that is removed again unless it is published. Its name is its own, and it
/// is locked as long as its process lives, so that [`sweep`] leaves it alone.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: TempPath,
}

impl Draft {
    /// A draft of `target` with this content, which is on the disk when this returns.
    ///
    /// # Errors
    /// [`Error::File`] naming `target`; [`Error::Format`] when it is no place for a file that is read
    /// back.
    pub fn write(target: &Path, bytes: &[u8]) -> Result<Self> {
        let failed = |source| Error::file("write", target, source);
        let replaceable = fs::metadata(target).map_or(true, |found| found.is_file());
        if target.file_name().is_none() || !replaceable {
            return Err(Error::format(
                target,
                "expected the name of a file, which is read back after writing",
            ));
        }
        let mut draft = Self::create(folder_of(target)).map_err(failed)?;
        draft.fill(bytes).map_err(failed)?;
        Ok(draft)
    }

    /// Where it is until it is published.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, durably.
    ///
    /// # Errors
    /// [`Error::File`] naming `target`.
    pub fn publish(self, target: &Path) -> Result<()> {
        let place = match fs::canonicalize(target) {
            Ok(real) => real,
            Err(_) => target.to_owned(),
        };
        let published = self.publish_at(&place);
        published.map_err(|source| Error::file("write", target, source))
    }

    fn publish_at(self, target: &Path) -> io::Result<()> {
        let persisted = self.path.persist(target);
        persisted.map_err(|refused| refused.error)?;
        sync_folder(folder_of(target));
        Ok(())
    }

    fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_all()
    }

    fn create(folder: &Path) -> io::Result<Self> {
        let (tag, process) = (system_tag(), std::process::id());
        for attempt in 0..MAX_TEMPORARY_NAMES {
            let path: PathBuf = folder.join(format!("{PREFIX}{tag}-{process}-{attempt}{SUFFIX}"));
            let mut options = OpenOptions::new();
            match options.write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let path = TempPath::try_from_path(path)?;
                    // Where there are no locks, its age protects it.
                    let _ = file.lock();
                    // Whoever sweeps may have been between us and the lock.
                    if is_at(&file, &path) {
                        return Ok(Self { file, path });
                    }
                }
                Err(refused) if refused.kind() == io::ErrorKind::AlreadyExists => {}
                Err(refused) => return Err(refused),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }
}

/// Refuses a folder in which no file can be made.
///
/// # Errors
/// What the operating system says.
pub fn probe(folder: &Path) -> io::Result<()> {
    let mut draft = Draft::create(folder)?;
    draft.file.write_all(b"probe")?;
    draft.file.flush()
}

/// The time by the clock of a folder's file system, which may be that of another machine; `None`
/// where no file can be made.
#[must_use]
pub fn time_in(folder: &Path) -> Option<SystemTime> {
    let draft = Draft::create(folder).ok()?;
    draft.file.metadata().ok()?.modified().ok()
}

/// Whether an open file is the one at a path: not when that was removed or replaced.
#[must_use]
pub fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(found)) => is_same(&open, &found),
        _ => false,
    }
}

#[cfg(unix)]
fn is_same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    a.created().ok() == b.created().ok()
}

/// Names this running system in the names of drafts.
fn system_tag() -> String {
    const LENGTH: usize = 8;
    let own = Holder::own();
    let mut tag = sha256_hex(format!("{}\n{}", own.host, own.boot).as_bytes());
    tag.truncate(LENGTH);
    tag
}

/// Removes the unfinished files that processes which ended left in a folder. Those of this system
/// are told by their locks; of others, which may live, those that were not written for `patience`.
pub fn sweep(folder: &Path, patience: Duration) {
    let own = format!("{PREFIX}{}-", system_tag());
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut now = None;
    for entry in entries {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        if !is_draft(&name) || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let Ok(file) = OpenOptions::new().write(true).open(&path) else {
            continue;
        };
        let ended = match file.try_lock() {
            Ok(()) if name.starts_with(&own) => true,
            Err(TryLockError::WouldBlock) => false,
            _ => {
                let now = now.get_or_insert_with(|| time_in(folder));
                let written = entry.metadata().and_then(|found| found.modified());
                let age = now
                    .zip(written.ok())
                    .map(|(now, at)| now.duration_since(at));
                matches!(age, Some(Ok(age)) if age >= patience)
            }
        };
        if ended && is_at(&file, &path) {
            // What cannot be removed stays for the next one.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether a file is named as unfinished ones are, also those of older programs.
fn is_draft(name: &str) -> bool {
    let ours = name.starts_with(PREFIX) && name.ends_with(SUFFIX);
    let probe = name.starts_with(".hawqeye-probe-");
    ours || probe || (name.starts_with('.') && name.ends_with(".unverified"))
}

/// Makes a rename itself durable. Some file systems cannot sync a folder; the file is complete either
/// way, so that is no failure of the write.
pub fn sync_folder(folder: &Path) {
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
    let size = regular(path)?;
    if size > limit {
        return Err(Error::format(
            path,
            format!("{size} bytes, but at most {limit} are expected here: give the right file"),
        ));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    let opened = File::open(path).map_err(failed)?;
    opened.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Bytes of a file that can be read again, and from anywhere.
///
/// # Errors
/// [`Error::File`] when it is not there or is a folder, [`Error::Format`] when it is not a regular file.
pub fn regular(path: &Path) -> Result<u64> {
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
    Ok(found.len())
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
    fn what_ended_processes_left_is_swept_and_what_lives_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let own = format!("{PREFIX}{}-{}-77{SUFFIX}", system_tag(), u32::MAX);
        let old = [
            ".hawqeye-4711-0.tmp",
            ".e.st.unverified",
            ".hawqeye-00000000-1-0.tmp",
        ];
        for name in old.iter().copied().chain([&*own, "e.st", ".profile"]) {
            fs::write(at(name), "x").unwrap();
        }
        let living = Draft::write(&at("other.st"), b"y").unwrap();
        sweep(folder.path(), ABANDONED);
        assert!(!at(&own).exists() && living.path().exists());
        assert!(
            old.iter().all(|name| at(name).exists()),
            "they may live elsewhere"
        );
        sweep(folder.path(), Duration::ZERO);
        living.publish(&at("other.st")).unwrap();
        assert_eq!(names(folder.path()), [".profile", "e.st", "other.st"]);
    }

    #[test]
    fn two_drafts_of_one_file_have_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("e.st");
        let drafts = [b"a", b"b"].map(|bytes| Draft::write(&target, bytes).unwrap());
        assert_ne!(drafts[0].path(), drafts[1].path());
        for (draft, bytes) in drafts.into_iter().zip([b"a", b"b"]) {
            draft.publish(&target).unwrap();
            assert_eq!(fs::read(&target).unwrap(), bytes);
        }
        assert_eq!(names(folder.path()), ["e.st"]);
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
