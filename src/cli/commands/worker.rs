//! `worker`: what the terminal application starts for work that outlives it. Its order comes on
//! standard input, its events go to standard error.

#[cfg(feature = "tui")]
use crate::app::worker::{GREETING, Order, perform};
use crate::cli::args::Shared;
use crate::cli::failure::Failure;

/// Does what is ordered.
///
/// # Errors
/// See [`Failure`].
#[cfg(feature = "tui")]
pub fn run(shared: &Shared) -> Result<(), Failure> {
    use crate::cli::output;
    use crate::engine::job::Outcome;
    let order: Order = serde_json::from_reader(std::io::stdin().lock()).map_err(|error| {
        Failure::usage(format!(
            "expected an order of the terminal application on standard input: {}",
            crate::engine::complaint::plainly(error)
        ))
    })?;
    let mut reporter = shared.reporter()?;
    crate::cli::stop::ignore_hang_up().map_err(|refused| {
        let refused = crate::engine::error::said(&refused);
        Failure::failed(format!("cannot outlive the terminal: {refused}"))
    })?;
    // Whoever reads the number may send signals: from here on they are minded.
    output::tell(&format!("{GREETING}{}\n", std::process::id()));
    match perform(&order, &mut reporter)? {
        Outcome::Done => Ok(()),
        Outcome::Stopped => Err(Failure::interrupted("stopped, with its state saved")),
    }
}

/// Says that there is no application to work for.
///
/// # Errors
/// Always.
#[cfg(not(feature = "tui"))]
pub fn run(_shared: &Shared) -> Result<(), Failure> {
    Err(Failure::failed("this build has no terminal application"))
}
