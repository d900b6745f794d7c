//! What happens to the application; time arrives as a message too.

use std::time::Duration;

use super::jobs::JobMessage;
use super::key::Key;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// The application starts.
    Start,
    /// Time since the start; precedes every batch of messages.
    Clock(Duration),
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The size of the terminal changed.
    Resize,
    /// A job reports.
    Job(JobMessage),
    /// The operating system asks for something.
    Signal(Signal),
    /// A file could not be written.
    WriteFailed(String),
}

/// What the operating system asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Leave now (SIGTERM, SIGHUP, the terminal is gone).
    Terminate,
    /// Leave as ^C does in a pipeline (SIGINT from outside).
    Interrupt,
}
