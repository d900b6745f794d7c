//! hawqeye shows where a neural network can afford fewer bits, lets you decide, and carries the
//! decision out: Hessian-aware mixed-precision quantization (HAWQ, arXiv 1905.03696) in a terminal.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)
)]

#[cfg(feature = "tui")]
pub mod app;
#[cfg(feature = "cli")]
pub mod cli;
pub mod engine;
#[cfg(feature = "cli")]
pub mod folders;
#[cfg(feature = "cli")]
pub mod numbers;
#[cfg(feature = "cli")]
pub mod overwriting;
#[cfg(feature = "cli")]
pub mod pace;
#[cfg(feature = "cli")]
pub mod project;
#[cfg(feature = "cli")]
pub mod report;
