//! The application and its front ends, from outside.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod bench;
mod detail;
mod detail_views;
mod fake;
mod imports;
mod keymap;
mod pty;
mod themes;
mod update;
mod views;
