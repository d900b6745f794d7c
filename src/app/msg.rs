//! What happens to the application; time arrives as a message too.

use std::time::Duration;

use super::command::Command;
use super::jobs::JobMessage;
use super::key::Key;
use super::state::Screen;
use super::state::bits::Column;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// The application starts.
    Start,
    /// Time since the start; precedes every batch of messages.
    Clock(Duration),
    /// A key was pressed.
    Key(Key),
    /// The mouse did something.
    Mouse {
        /// What.
        gesture: Gesture,
        /// On what; absent: on nothing that reacts.
        target: Option<Target>,
    },
    /// Text was pasted.
    Paste(String),
    /// The size of the terminal changed.
    Resize,
    /// A job reports.
    Job(JobMessage),
    /// The operating system asks for something.
    Signal(Signal),
    /// The user's editor ended.
    Edited {
        /// The text it left.
        text: String,
        /// How it ended, a sentence when not well.
        ended: Result<(), String>,
    },
    /// A file could not be written.
    WriteFailed(String),
    /// From now on this instance only watches, for this reason.
    OnlyWatched(String),
}

/// What the mouse does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesture {
    /// The left button was pressed.
    Click,
    /// The mouse was moved with the button held down.
    Drag,
    /// The button was let go.
    Release,
    /// The wheel was turned up.
    WheelUp,
    /// The wheel was turned down.
    WheelDown,
}

/// What the mouse can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A tab.
    Screen(Screen),
    /// The row of a layer, in the order of the network.
    Layer(usize),
    /// The bits of a layer.
    Bits(usize, Column),
    /// The row of a run, by position.
    Run(usize),
    /// The line between two panes.
    Splitter,
    /// The share of the first pane, in per cent, when that line is dragged here.
    Share(u8),
    /// The row of a format, by position.
    Format(usize),
    /// The name of a command.
    Command(Command),
    /// A row of the list in the topmost window, by position.
    Row(usize),
    /// An answer to the question in the topmost window.
    Answer(Key),
    /// The topmost window, beside what reacts.
    Window,
}

/// What the operating system asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Leave now (SIGTERM).
    Terminate,
    /// The terminal is gone (SIGHUP): leave, but let work go on that can.
    HangUp,
    /// Leave as ^C does in a pipeline (SIGINT from outside).
    Interrupt,
}
