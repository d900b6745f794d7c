//! A run read back: its network, with what is doubtful in it.

use std::path::Path;

use super::checkpoint::{self, Outline, Position};
use super::paths::{best_path, checkpoint_path, events_path};
use super::read::{read_plan, read_record, read_structure};
use super::record::Record;
use super::stages::Stage;
use crate::engine::counts::counted;
use crate::engine::events::History;
use crate::engine::model::Structure;
use crate::engine::plan::Plan;
use crate::engine::quant::{LayerBits, QuantizedNetwork};
use crate::engine::{Error, Result};

/// A run read back from its folder.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it is.
    pub record: Record,
    /// Its float network.
    pub structure: Structure,
    /// Its plan.
    pub plan: Plan,
    /// The network of the last checkpoint, or where that is damaged of the best epoch; quantized as far
    /// as the stages went.
    pub network: QuantizedNetwork,
    /// Where that checkpoint stands.
    pub position: Position,
    /// Whether the last checkpoint is damaged, and this is the network of the best epoch.
    pub is_replaced: bool,
    /// What is doubtful in it, a sentence each: that it is not the last checkpoint but that of the best
    /// epoch, and what the run warned of.
    pub doubts: Vec<String>,
}

impl Run {
    /// Whether training and the final evaluation are done.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.position.test.is_some()
    }
}

/// The network, plan and settings of a run; the weights file it started from is not needed.
///
/// # Errors
/// When the folder holds no run, no checkpoint yet, or a damaged one.
pub fn load_run(folder: &Path) -> Result<Run> {
    let record = read_record(folder)?;
    let structure = read_structure(folder, &record)?;
    let plan = read_plan(folder, &record)?;
    let stages = record.stage_layers()?;
    let (path, best) = (checkpoint_path(folder), best_path(folder));
    if !path.exists() && !best.exists() {
        return Err(Error::invalid(format!(
            "the run in {} has no checkpoint yet; continue it with --resume",
            folder.display()
        )));
    }
    let outline = Outline {
        base: &structure.graph,
        bits: &|entered| bits_after(&plan, &stages, entered),
        scale: record.scale,
    };
    let (state, instead) = match checkpoint::read(&path, &outline) {
        Ok(state) => (state, None),
        Err(damaged) => match checkpoint::read(&best, &outline) {
            Ok(state) => {
                let instead = format!(
                    "{}: {} and is taken instead",
                    lost(&path, &damaged),
                    best_is_whole(&state)
                );
                (state, Some(instead))
            }
            Err(_) => return Err(hopeless(&path, &damaged)),
        },
    };
    let warnings = match History::read(&events_path(folder)) {
        Ok(history) => history.warnings,
        Err(damaged) => vec![format!("what the run warned of is not known: {damaged}")],
    };
    Ok(Run {
        network: state.network,
        position: state.position,
        is_replaced: instead.is_some(),
        doubts: instead.into_iter().chain(warnings).collect(),
        record,
        structure,
        plan,
    })
}

/// Why a checkpoint cannot be read, as the beginning of a sentence.
pub(super) fn lost(path: &Path, damaged: &Error) -> String {
    if path.exists() {
        damaged.to_string()
    } else {
        format!("{} is gone", path.display())
    }
}

/// `the network of the best epoch, after 7 steps, is whole`.
pub(super) fn best_is_whole(best: &checkpoint::State) -> String {
    let steps = counted(best.position.step as usize, "step");
    format!("the network of the best epoch, after {steps}, is whole")
}

/// A checkpoint that cannot be read, and nothing beside it to go on with.
pub(super) fn hopeless(path: &Path, damaged: &Error) -> Error {
    let lost = lost(path, damaged);
    Error::invalid(format!(
        "{lost}, and there is no whole network of a best epoch beside it; put back one of them, or \
         start a new run in another folder"
    ))
}

/// Bits of each layer once this many stages were entered.
#[must_use]
pub fn bits_after(plan: &Plan, stages: &[Stage], entered: usize) -> Vec<LayerBits> {
    let planned = plan.bits();
    let mut bits = vec![LayerBits::FLOAT; planned.len()];
    for &layer in stages.iter().take(entered).flatten() {
        bits[layer] = planned[layer];
    }
    bits
}
