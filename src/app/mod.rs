//! The terminal application: state, pure update, read-only view, and a shell around them.
//!
//! ```text
//!  keys, signals ─> shell ─Msg─> update(&mut State) ─Effect─> effect ─> jobs ─> engine
//!                     └──────── view(&State, &Theme) ─> terminal    <─Msg── inbox
//! ```

pub mod command;
pub mod config;
pub mod effect;
pub mod jobs;
pub mod key;
pub mod keymap;
pub mod msg;
pub mod project;
pub mod shell;
pub mod state;
pub mod symbols;
pub mod term;
pub mod theme;
pub mod update;
pub mod view;
