//! Whether somebody works in a folder, seen from outside.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::{Holder, Locks, has_no_locks, heartbeat_path, holder_of, lock_path};
use crate::engine::files;

/// Silence that is worth a word.
pub const SILENCE: Duration = Duration::from_secs(10);
/// Silence after which a holder on another machine counts as gone.
pub const STALE: Duration = Duration::from_mins(1);
/// Between two looks at a heartbeat.
const LOOK: Duration = Duration::from_millis(200);

/// Somebody works in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// Who, when the lock names it.
    pub holder: Option<Holder>,
}

/// Who works in a folder; `None` when nobody does.
#[must_use]
pub fn look(folder: &Path) -> Option<Sign> {
    let path = lock_path(folder);
    let lock = File::options().read(true).write(true).open(&path);
    let lock = lock.or_else(|_| File::open(&path)).ok()?;
    // Shared: two who look do not take each other for a holder.
    let locks = match lock.try_lock_shared() {
        Ok(()) => Locks::Known,
        Err(TryLockError::WouldBlock) => {
            let holder = holder_of(folder);
            return Some(Sign { holder });
        }
        Err(TryLockError::Error(refused)) if has_no_locks(&refused) => Locks::Unknown,
        // A lock that cannot be asked for on a file that can only be read.
        Err(TryLockError::Error(_)) => Locks::Unknown,
    };
    drop(lock);
    let holder = holder_of(folder)?;
    lives(folder, &holder, locks, Duration::ZERO).then_some(Sign {
        holder: Some(holder),
    })
}

/// Whether a holder lives whose lock could be had here; its heartbeat is listened to for so long.
pub(super) fn lives(folder: &Path, holder: &Holder, locks: Locks, listening: Duration) -> bool {
    if holder.is_bare() || (holder.is_of_this_system() && locks == Locks::Known) {
        return false;
    }
    if holder.is_countable() {
        return holder.process_here().is_some() && holder != Holder::own();
    }
    let mut beats = Beats::of(folder);
    match beats.silent() {
        None => false,
        Some(silent) if silent >= STALE => false,
        Some(_) if listening.is_zero() => true,
        Some(_) => beats.change_within(listening),
    }
}

/// The heartbeat of a folder, followed: how long it has been silent by the clock here.
#[derive(Debug)]
pub struct Beats {
    folder: PathBuf,
    last: Option<Vec<u8>>,
    seen: Instant,
    before: Duration,
}

impl Beats {
    /// That of a folder, from now on.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            last: read(folder),
            seen: Instant::now(),
            before: age(folder).unwrap_or_default(),
        }
    }

    /// How long ago the last sign of life came; `None` when there never was one, or it ended well.
    pub fn silent(&mut self) -> Option<Duration> {
        let now = read(&self.folder)?;
        if self.last.as_ref() != Some(&now) {
            self.last = Some(now);
            self.seen = Instant::now();
            self.before = Duration::ZERO;
        }
        Some(self.before + self.seen.elapsed())
    }

    /// Whether the holder is being held.
    #[must_use]
    pub fn are_held(&self) -> bool {
        let last = self.last.as_deref().unwrap_or_default();
        last.windows(4).any(|word| word == b"held")
    }

    fn change_within(&mut self, time: Duration) -> bool {
        let begin = Instant::now();
        let first = self.last.clone();
        while begin.elapsed() < time {
            thread::sleep(LOOK);
            if self.silent().is_none() {
                return false;
            }
            if self.last != first {
                return true;
            }
        }
        false
    }
}

fn read(folder: &Path) -> Option<Vec<u8>> {
    const LIMIT: u64 = 1 << 10;
    files::read_limited(&heartbeat_path(folder), LIMIT).ok()
}

/// Since the last heartbeat, by the clock of the file system where it can be asked.
fn age(folder: &Path) -> Option<Duration> {
    let written = fs::metadata(heartbeat_path(folder)).ok()?.modified().ok()?;
    let now = files::time_in(folder).unwrap_or_else(SystemTime::now);
    Some(now.duration_since(written).unwrap_or_default())
}
