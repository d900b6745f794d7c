//! The log file of a project.

use std::fs::File;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::engine::{Error, Result};

/// A longer log starts anew.
const LONGEST: u64 = 4 << 20;

/// Sends everything that is logged to a file; `level` is what `HAWQEYE_LOG` says.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn to_file(path: &Path, level: &str) -> Result<()> {
    let long = std::fs::metadata(path).is_ok_and(|found| found.len() > LONGEST);
    let mut open = File::options();
    open.create(true).write(true).append(!long).truncate(long);
    let file = open
        .open(path)
        .map_err(|source| Error::file("write", path, source))?;
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Mutex::new(file))
        .with_ansi(false);
    // A second logger in the same process (tests) keeps the first.
    let _ = subscriber.try_init();
    Ok(())
}
