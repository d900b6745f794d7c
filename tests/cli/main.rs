//! The real program, driven from outside: results, exit codes, messages, interruption.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a test"
)]

mod analyze;
mod bench;
mod data;
mod destinations;
mod eval;
mod export;
mod inspect;
#[cfg(target_os = "linux")]
mod kills;
mod memory;
mod messages;
mod networks;
#[path = "../judge/onnx.rs"]
#[allow(dead_code, reason = "the judge of networks writes more kinds of files")]
mod onnx;
mod output;
mod page;
mod plan;
#[cfg(target_os = "linux")]
mod processes;
#[path = "../judge/random.rs"]
mod random;
mod reading;
mod real;
mod report;
mod support;
mod tune;
mod usage;
mod widths;
