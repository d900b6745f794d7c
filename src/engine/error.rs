//! Errors as facts: each variant carries what was expected, what came, and where.

use std::io;
use std::path::{Path, PathBuf};

/// Result of every fallible engine call.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in the engine. `Display` is one clear sentence with the next step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {}", path.display(), said(source))]
    File {
        /// What was attempted: `read`, `write`, `create`, ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A file was read, but its content is not what it should be.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected, what came, and the next step.
        reason: String,
    },
    /// A request that cannot be carried out as stated (a bad option, an unknown layer, ...).
    #[error("{0}")]
    Invalid(String),
    /// No plan fits the budget; carries the reachable range.
    #[error("{0}")]
    Infeasible(String),
    /// Two wires, or a wire and a parameter, do not fit together.
    #[error("{operation} {node}: expected {expected}, got {got}")]
    Shape {
        /// The operation's name.
        operation: &'static str,
        /// The node's name.
        node: String,
        /// The shape the operation can take.
        expected: String,
        /// The shape that came.
        got: String,
    },
    /// A value that must be finite is not.
    #[error(
        "{0} is not finite; check the weights and statistics, and in training lower the learning rate"
    )]
    NotFinite(String),
    /// candle failed.
    #[error("candle, which drives the device, failed: {0}; on a GPU, try --device cpu")]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// A file-system failure while doing `action` to `path`.
    #[must_use]
    pub fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// Content of `path` that is not what it should be.
    #[must_use]
    pub fn format(path: &Path, reason: impl Into<String>) -> Self {
        Self::Format {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// The same of another file, where it is of `path`: a draft is told by the name it is to have.
    #[must_use]
    pub fn of_file(self, path: &Path, named: &Path) -> Self {
        match self {
            Self::File {
                action,
                path: of,
                source,
            } if of == path => Self::file(action, named, source),
            Self::Format { path: of, reason } if of == path => Self::format(named, reason),
            other => other,
        }
    }

    /// A request that cannot be carried out.
    #[must_use]
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }
}

/// What the operating system said, as a person would, with the next step where there is one.
#[must_use]
pub fn said(source: &io::Error) -> String {
    let words = match source.kind() {
        io::ErrorKind::NotFound => "not found; is the path right?",
        io::ErrorKind::IsADirectory => "it is a folder; name a file",
        io::ErrorKind::NotADirectory => "a file is in the way; name a folder",
        io::ErrorKind::PermissionDenied => "permission denied; choose a place that is yours",
        io::ErrorKind::ReadOnlyFilesystem => "the disk is read-only; choose another place",
        io::ErrorKind::StorageFull => "the disk is full; make room or choose another place",
        _ => {
            let said = source.to_string();
            let words = said.split(" (os error ").next();
            return words.unwrap_or_default().to_owned();
        }
    };
    words.to_owned()
}
