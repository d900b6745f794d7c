//! The application and its front ends, from outside.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod attach;
mod bench;
mod comparison;
mod detail;
mod detail_views;
mod editor;
mod fake;
mod imports;
mod keymap;
mod mouse;
mod projects;
mod pty;
mod random;
mod terminal;
mod themes;
mod update;
mod views;
