//! The real program, driven from outside: results, exit codes, messages, interruption.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a test"
)]

mod analyze;
mod bench;
mod eval;
mod export;
mod output;
mod page;
mod plan;
mod real;
mod report;
mod support;
mod tune;
mod usage;
mod widths;
