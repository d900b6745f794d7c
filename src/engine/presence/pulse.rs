//! The thread of a holder that shows that it lives and reads what is wished of it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Holder, Wish, heartbeat_path, lock_path, wish};
use crate::engine::error::said;
use crate::engine::{Error, Result, files};

/// Between two heartbeats.
const BEAT: Duration = Duration::from_secs(2);
/// Between two looks at what is wished.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
struct Inner {
    wish: Wish,
    lost: bool,
    over: bool,
}

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread.
#[derive(Debug)]
pub(super) struct Pulse {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Starts it for a folder whose lock is ours; the first heartbeat is there when it returns.
    pub fn start(folder: &Path, lock: &File) -> Result<Self> {
        let shared = Arc::<Shared>::default();
        let path = lock_path(folder);
        let mut beating = Beating {
            folder: folder.to_owned(),
            lock: lock
                .try_clone()
                .map_err(|source| Error::file("write", &path, source))?,
            shared: shared.clone(),
            beats: 0,
        };
        beating.beat(Wish::Go);
        let thread = thread::Builder::new().name("hawqeye-pulse".to_owned());
        let thread = thread.spawn(move || beating.live());
        let thread = thread.map_err(|source| {
            Error::invalid(format!(
                "cannot start a thread ({}); allow this user more processes (ulimit -u)",
                said(&source)
            ))
        })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    pub fn wish(&self) -> Wish {
        self.shared.inner().wish
    }

    pub fn is_lost(&self) -> bool {
        self.shared.inner().lost
    }

    /// Waits a moment, or until something else is wished.
    pub fn wait(&self) {
        let inner = self.shared.inner();
        let known = inner.wish;
        let waited = self
            .shared
            .changed
            .wait_timeout_while(inner, LOOK, |inner| inner.wish == known);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.shared.inner().over = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the heartbeat panicked");
        }
    }
}

struct Beating {
    folder: PathBuf,
    lock: File,
    shared: Arc<Shared>,
    beats: u64,
}

impl Beating {
    fn live(mut self) {
        let mut last = Instant::now();
        loop {
            let inner = self.shared.inner();
            let waited = self
                .shared
                .changed
                .wait_timeout_while(inner, LOOK, |inner| !inner.over);
            let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
            let (over, before) = (inner.over, inner.wish);
            drop(inner);
            if over {
                return;
            }
            let now = wish::read(&self.folder).unwrap_or(before);
            if now != before {
                self.shared.inner().wish = now;
                self.shared.changed.notify_all();
            }
            if now == before && last.elapsed() < BEAT {
                continue;
            }
            last = Instant::now();
            if is_ours(&self.folder, &self.lock) {
                self.beat(now);
            } else {
                self.shared.inner().lost = true;
                return;
            }
        }
    }

    /// A line of always the same length, so that a full disk does not silence it.
    fn beat(&mut self, wish: Wish) {
        self.beats += 1;
        let state = if wish == Wish::Hold { "held" } else { "    " };
        let line = format!("{:020} {state}\n", self.beats);
        let mut options = File::options();
        let options = options.create(true).truncate(false).write(true);
        let written = options
            .open(heartbeat_path(&self.folder))
            .and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(refused) = written {
            tracing::debug!("heartbeat: {refused}");
        }
    }
}

/// Whether the lock of a folder is still this one, and names this process.
pub(super) fn is_ours(folder: &Path, lock: &File) -> bool {
    let holder = super::holder_of(folder);
    files::is_at(lock, &lock_path(folder)) && holder.as_ref() == Some(Holder::own())
}
