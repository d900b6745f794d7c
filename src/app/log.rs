//! The log file of a project.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::EnvFilter;

use crate::engine::{Error, Result};

/// A longer log starts anew.
const LONGEST: u64 = 4 << 20;

/// Where everything that is logged goes; another project has another file.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Option<File>>>);

impl Log {
    /// Takes everything that is logged from now on; `level` is what `HAWQEYE_LOG` says.
    pub(super) fn start(level: &str) -> Self {
        let log = Self::default();
        let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(move || writer.clone())
            .with_ansi(false);
        // A second logger in the same process (tests) keeps the first.
        let _ = subscriber.try_init();
        log
    }

    /// Writes into this file from now on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write_to(&self, path: &Path) -> Result<()> {
        let long = std::fs::metadata(path).is_ok_and(|found| found.len() > LONGEST);
        let mut open = File::options();
        open.create(true).write(true).append(!long).truncate(long);
        let file = open
            .open(path)
            .map_err(|source| Error::file("write", path, source))?;
        *self.file() = Some(file);
        Ok(())
    }

    fn file(&self) -> MutexGuard<'_, Option<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file().as_mut() {
            Some(file) => file.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().as_mut().map_or(Ok(()), File::flush)
    }
}
