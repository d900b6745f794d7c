//! The folder of a run:
//!
//! ```text
//! settings.json            what the run is; written once, and when its learning rate is changed
//! plan.toml                the plan, as given
//! network.json             the graph of the float network
//! events.jsonl             what happened, appended as the run goes
//! checkpoint.safetensors   the last state; replaced atomically
//! best.safetensors         that of the best epoch since every stage entered
//! lock heartbeat wish      who works on the run, see [`presence`](crate::engine::presence)
//! ```

use std::path::{Path, PathBuf};

/// Files of a run, by name: nobody else writes them.
pub const RUN_FILES: [&str; 10] = [
    "settings.json",
    "plan.toml",
    "network.json",
    "events.jsonl",
    "checkpoint.safetensors",
    "best.safetensors",
    "lock",
    "heartbeat",
    "wish",
    "notes.txt",
];

pub(super) fn settings_path(folder: &Path) -> PathBuf {
    folder.join("settings.json")
}

pub(super) fn network_path(folder: &Path) -> PathBuf {
    folder.join("network.json")
}

pub(super) fn plan_path(folder: &Path) -> PathBuf {
    folder.join("plan.toml")
}

/// The events of a run, one JSON line each.
#[must_use]
pub fn events_path(folder: &Path) -> PathBuf {
    folder.join("events.jsonl")
}

pub(super) fn checkpoint_path(folder: &Path) -> PathBuf {
    folder.join("checkpoint.safetensors")
}

pub(super) fn best_path(folder: &Path) -> PathBuf {
    folder.join("best.safetensors")
}

/// Files that training makes.
pub(super) const RESULTS: [&str; 3] =
    ["events.jsonl", "checkpoint.safetensors", "best.safetensors"];

/// Whether a folder holds what training made, but not the settings of its run.
#[must_use]
pub fn lost_settings(folder: &Path) -> bool {
    !holds_run(folder) && RESULTS.iter().any(|name| folder.join(name).is_file())
}

/// Whether a folder holds a run.
#[must_use]
pub fn holds_run(folder: &Path) -> bool {
    settings_path(folder).exists()
}
