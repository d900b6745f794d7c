//! How a command ends when it does not end well: one sentence and an exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::engine::Error;
use crate::engine::shown::shown;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for is done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// No plan fits the budget.
    Infeasible = 3,
    /// Stopped by a signal; the state is saved.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// One sentence; nothing is printed when it is empty.
    pub message: String,
}

impl Failure {
    /// The command line makes no sense.
    pub fn usage(reason: impl Into<Self>) -> Self {
        let exit = Exit::Usage;
        Self {
            exit,
            ..reason.into()
        }
    }

    /// It failed.
    pub fn failed(reason: impl Into<Self>) -> Self {
        reason.into()
    }

    /// Stopped by a signal; says how to go on.
    pub fn interrupted(next: impl Into<Self>) -> Self {
        let exit = Exit::Interrupted;
        Self {
            exit,
            ..next.into()
        }
    }

    /// Nobody reads the results any more; there is nothing to say and nobody to say it to.
    #[must_use]
    pub const fn unread() -> Self {
        Self {
            exit: Exit::Done,
            message: String::new(),
        }
    }

    /// Writes the sentence to stderr.
    pub fn print(&self) {
        if self.message.is_empty() {
            return;
        }
        let word = match self.exit {
            Exit::Interrupted => "interrupted",
            _ => "error",
        };
        // Nothing can be done when even the message cannot be written.
        let _ = writeln!(io::stderr(), "{word}: {}", shown(&self.message));
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error {
            Error::Infeasible(_) => Exit::Infeasible,
            _ => Exit::Failed,
        };
        Self {
            exit,
            message: error.to_string(),
        }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        let exit = Exit::Failed;
        Self { exit, message }
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_budget_has_its_own_exit_code() {
        let failure = Failure::from(Error::Infeasible("no".into()));
        assert_eq!(failure.exit, Exit::Infeasible);
        assert_eq!(Failure::from(Error::invalid("no")), Failure::failed("no"));
    }
}
