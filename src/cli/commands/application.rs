//! No command: the terminal application.

use std::io::{self, IsTerminal};

use crate::cli::args::Shared;
use crate::cli::failure::Failure;

/// Opens the terminal application.
///
/// # Errors
/// When there is no terminal to open it on.
pub fn run(_shared: &Shared) -> Result<(), Failure> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(Failure::usage(
            "the terminal application needs a terminal on stdin and stdout; without one use a \
             command, such as hawqeye eval (see hawqeye --help)",
        ));
    }
    Err(Failure::failed(
        "this build has no terminal application; use a command (see hawqeye --help)",
    ))
}
