//! The wish to stop: set by ^C and SIGTERM, read by every observer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::failure::Exit;

/// From now on the end of the terminal does not end this process.
///
/// # Errors
/// When the operating system refuses a handler.
#[cfg(feature = "tui")]
pub fn ignore_hang_up() -> io::Result<()> {
    flag::register(SIGHUP, Arc::default()).map(drop)
}

/// Whether somebody asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Set by ^C and SIGTERM from now on; the second of them ends the process at once.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the flag is looked at before it is set.
            flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, stop.0.clone())?;
            flag::register(signal, stop.0.clone())?;
        }
        Ok(stop)
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
