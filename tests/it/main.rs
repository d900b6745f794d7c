//! The application and its front ends, from outside.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod attach;
mod bench;
mod chance;
mod comparison;
mod damage;
mod detail;
mod detail_views;
mod editor;
mod fake;
mod form;
mod gallery;
mod imports;
mod kept;
mod keymap;
mod many;
mod mouse;
mod pictures;
mod projects;
mod pty;
mod random;
mod readme;
mod runs;
mod storm;
mod svg;
mod terminal;
mod themes;
mod update;
mod views;
