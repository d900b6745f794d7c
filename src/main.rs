//! The `hawqeye` program.
use std::process::ExitCode;

fn main() -> ExitCode {
    hawqeye::app::run(&hawqeye::app::Options::default())
}
