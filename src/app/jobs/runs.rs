//! The runs of a project: what is asked for, and what their folders tell.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::app::state::bits::PlanKey;
use crate::app::state::tune::Run;
use crate::engine::finetune::Settings;

/// Which runs are to be read.
#[derive(Debug, Clone, PartialEq)]
pub struct RunsRequest {
    /// The folder that holds them.
    pub folder: PathBuf,
    /// The run on screen, which may be elsewhere.
    pub shown: Option<PathBuf>,
    /// Whether that one is trained by this application: nobody else works on it.
    pub ours: bool,
    /// Those that were read before; read again only if something changed.
    pub known: Vec<Arc<Listed>>,
}

/// The runs that were found, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Runs {
    /// The newest.
    pub listed: Vec<Arc<Listed>>,
    /// How many older ones were left out.
    pub left_out: usize,
}

/// What the folder of a run holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The folder.
    pub folder: PathBuf,
    /// What it looked like from outside.
    pub stamp: Stamp,
    /// What the user wrote about it; one line.
    pub note: String,
    /// The run, or why it cannot be read, in a sentence.
    pub found: Result<Known, String>,
}

/// Tells whether a run has to be read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When it was begun.
    pub begun: Option<SystemTime>,
    /// When the last event was written.
    pub written: Option<SystemTime>,
    /// Bytes of its events.
    pub bytes: u64,
}

/// A run that could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// What is trained, and how.
    pub facts: Facts,
    /// What happened in it.
    pub run: Run,
    /// Bytes of the events that were read.
    pub read: u64,
}

/// What a run trains, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Its bits.
    pub plan: PlanKey,
    /// W-comp of its plan.
    pub weight_compression: f64,
    /// A-comp of its plan; absent when unknown.
    pub activation_compression: Option<f64>,
    /// Bytes of its weights at their bits.
    pub weight_bytes: f64,
    /// Bytes of its packed file, as predicted; absent when unknown.
    pub packed_bytes: Option<u64>,
    /// How it is trained.
    pub settings: Settings,
}
