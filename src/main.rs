//! The `hawqeye` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    hawqeye::cli::main(std::env::args_os())
}
