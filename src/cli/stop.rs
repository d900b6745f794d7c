//! The wish to stop: set by the signals that ask for an end, read by every observer.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::failure::Exit;
use super::output;

/// What schedulers send before they kill, several times at that: none of them is ever impatient.
const PATIENT: [i32; 4] = [SIGTERM, SIGHUP, SIGUSR1, SIGUSR2];

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
    /// Set from now on by ^C, SIGTERM, SIGUSR1, SIGUSR2 and, unless it is ignored (`nohup`), SIGHUP.
    /// Only a second ^C ends the process at once.
    ///
    /// # Errors
    /// When the operating system refuses a handler or a thread.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        for signal in PATIENT {
            if signal != SIGHUP || !is_ignored(SIGHUP) {
                flag::register(signal, stop.0.clone())?;
            }
        }
        stop.on_interrupts()?;
        Ok(stop)
    }

    /// The first ^C asks, the second ends.
    fn on_interrupts(&self) -> io::Result<()> {
        flag::register(SIGINT, self.0.clone())?;
        let mut interrupts = Signals::new([SIGINT])?;
        let watch = move || {
            let mut asked = false;
            // One item for each that came since the last look.
            for _ in interrupts.forever() {
                if std::mem::replace(&mut asked, true) {
                    output::tell(
                        "error: ended at once by a second interrupt: what was done since the last \
                         checkpoint is lost\n",
                    );
                    std::process::exit(Exit::Failed as i32);
                }
            }
        };
        let thread = thread::Builder::new().name("hawqeye-interrupts".to_owned());
        thread.spawn(watch).map(drop)
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

/// Whether a signal was ignored by whoever started this process, where the system tells.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
