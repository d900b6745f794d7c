//! Who works in a folder: kept out of each other's way, told to those who watch, and steered by them.
//! The same for runs, projects and workers, on one machine, in containers, and on file systems that
//! several machines share.
//!
//! ```text
//! lock        the holder: machine, system, process; locked while it works, emptied when it ends
//! heartbeat   a number that grows every two seconds while it works; removed when it ends
//! wish        what somebody who watches wishes, and of which holder; read five times a second
//! ```
//! Locks do not travel over every shared file system, and a process number means nothing elsewhere:
//! whether a holder on another machine lives is told by its heartbeat, and nobody is sent a signal.
//! No result depends on the clock that is used here.

mod look;
mod pulse;
mod wish;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

pub use super::holder::Holder;
pub use look::{Beats, SILENCE, STALE, Sign, look};
use pulse::Pulse;
pub use wish::{Minded, Wish, send};

use super::job::{Observer, Verdict};
use super::{Error, Result, files};

/// How long somebody who only looks may have the lock.
const GLANCE: Duration = Duration::from_millis(300);
/// Between two tries for it.
const PAUSE: Duration = Duration::from_millis(10);
/// How long the heartbeat of another machine is listened to before its holder counts as gone.
const LISTENING: Duration = Duration::from_secs(10);

/// The lock of a folder.
#[must_use]
pub fn lock_path(folder: &Path) -> PathBuf {
    folder.join("lock")
}

pub(super) fn heartbeat_path(folder: &Path) -> PathBuf {
    folder.join("heartbeat")
}

pub(super) fn wish_path(folder: &Path) -> PathBuf {
    folder.join("wish")
}

/// What asking for a folder brought.
#[derive(Debug)]
pub enum Claim {
    /// It is ours until this is dropped.
    Ours(Presence),
    /// Another process works in it.
    Of(Option<Holder>),
}

/// A folder that is ours.
#[derive(Debug)]
pub struct Presence {
    folder: PathBuf,
    lock: File,
    pulse: Pulse,
}

impl Presence {
    /// Asks for a folder that is there. What processes that ended left in it is removed.
    ///
    /// # Errors
    /// When the lock cannot be written.
    pub fn claim(folder: &Path) -> Result<Claim> {
        let path = lock_path(folder);
        let failed = |source| Error::file("write", &path, source);
        let Some((mut lock, locks)) = locked(&path).map_err(failed)? else {
            return Ok(Claim::Of(holder_of(folder)));
        };
        let mut before = String::new();
        // What cannot be read names nobody.
        let _ = lock.read_to_string(&mut before);
        if let Some(other) = Holder::read(&before)
            && look::lives(folder, &other, locks, LISTENING)
        {
            return Ok(Claim::Of(Some(other)));
        }
        lock.rewind().map_err(failed)?;
        lock.set_len(0).map_err(failed)?;
        lock.write_all(Holder::own().line().as_bytes())
            .map_err(failed)?;
        files::sweep(folder, files::SETTLED);
        forget(folder)?;
        let pulse = Pulse::start(folder, &lock)?;
        Ok(Claim::Ours(Self {
            folder: folder.to_owned(),
            lock,
            pulse,
        }))
    }

    /// Refuses to go on when the folder is not ours any more: it was removed, made anew, or taken
    /// over on another machine.
    ///
    /// # Errors
    /// A sentence that says so.
    pub fn check(&self) -> Result<()> {
        if pulse::is_ours(&self.folder, &self.lock) {
            return Ok(());
        }
        Err(lost(&self.folder))
    }

    /// What is wished from outside.
    #[must_use]
    pub fn wish(&self) -> Wish {
        self.pulse.wish()
    }

    /// Waits as long as it is wished from outside; whether to stop then.
    pub fn mind(&self, observer: &mut dyn Observer) -> Verdict {
        loop {
            match self.wish() {
                Wish::Go => return Verdict::Continue,
                Wish::Stop => return Verdict::Stop,
                Wish::Hold if observer.held() == Verdict::Stop => return Verdict::Stop,
                Wish::Hold => self.pulse.wait(),
            }
        }
    }

    /// Whether the folder was found to be lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.pulse.is_lost()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.pulse.stop();
        if pulse::is_ours(&self.folder, &self.lock) {
            // What stays is taken away by the next holder.
            let _ = forget(&self.folder);
            let _ = self.lock.set_len(0);
        }
    }
}

/// Why a folder that was ours is not written any more.
#[must_use]
pub fn lost(folder: &Path) -> Error {
    let shown = folder.display();
    let other = holder_of(folder).filter(|holder| holder != Holder::own());
    Error::invalid(match other {
        Some(other) if !other.host.is_empty() => format!(
            "another program, on {}, works in {shown} now: this one writes nothing more there",
            other.host
        ),
        _ => format!(
            "{shown} was removed or replaced while it was in use: nothing more is written there; \
             start again"
        ),
    })
}

/// Who is named by the lock of a folder.
#[must_use]
pub fn holder_of(folder: &Path) -> Option<Holder> {
    const LIMIT: u64 = 1 << 16;
    let bytes = files::read_limited(&lock_path(folder), LIMIT).ok()?;
    Holder::read(std::str::from_utf8(&bytes).ok()?)
}

/// Removes what an earlier holder left.
fn forget(folder: &Path) -> Result<()> {
    for path in [wish_path(folder), heartbeat_path(folder)] {
        match fs::remove_file(&path) {
            Err(refused) if refused.kind() != io::ErrorKind::NotFound => {
                return Err(Error::file("remove", &path, refused));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a file system has locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locks {
    Known,
    Unknown,
}

/// Opens and locks a file; `None` when another process has the lock.
fn locked(path: &Path) -> io::Result<Option<(File, Locks)>> {
    let begin = Instant::now();
    loop {
        let mut options = File::options();
        let options = options.create(true).truncate(false).read(true).write(true);
        let lock = options.open(path)?;
        match lock.try_lock() {
            Ok(()) if files::is_at(&lock, path) => return Ok(Some((lock, Locks::Known))),
            // Replaced in between.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if begin.elapsed() > GLANCE => return Ok(None),
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            Err(TryLockError::Error(refused)) if has_no_locks(&refused) => {
                return Ok(Some((lock, Locks::Unknown)));
            }
            Err(TryLockError::Error(refused)) => return Err(refused),
        }
    }
}

/// Whether a file system was asked for a lock in vain.
pub(super) fn has_no_locks(refused: &io::Error) -> bool {
    const NO_LOCKS: i32 = 37;
    refused.kind() == io::ErrorKind::Unsupported
        || (cfg!(target_os = "linux") && refused.raw_os_error() == Some(NO_LOCKS))
}

#[cfg(test)]
mod tests;
