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

use std::fs;
use std::path::{Path, PathBuf};

use super::checkpoint::{self, Outline, Position};
use super::record::{FORMAT, Record};
use super::stages::Stage;
use crate::engine::counts::counted;
use crate::engine::events::{self, History};
use crate::engine::graph::Shape;
use crate::engine::job::Event;
use crate::engine::model::Structure;
use crate::engine::plan::{self, Plan};
use crate::engine::presence::{Claim, Holder, Presence};
use crate::engine::quant::{LayerBits, QuantizedNetwork};
use crate::engine::text::{self, Wanted};
use crate::engine::{Error, Result, files};

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

/// Those of them that training makes.
const RESULTS: [&str; 3] = ["events.jsonl", "checkpoint.safetensors", "best.safetensors"];

/// What `settings.json` is.
const SETTINGS: Wanted<'static> = Wanted {
    what: "the settings of a run",
    next: "put back the settings.json that the run was started with, or start a new run in another \
           folder",
    limit: 16 << 20,
};

/// A run folder that this program works on; no other does until it is dropped.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    presence: Presence,
}

impl RunFolder {
    /// A new run in a folder that holds none; the folder is created.
    ///
    /// # Errors
    /// When the folder holds a run, is in use, or cannot be written.
    pub fn create(
        path: &Path,
        record: &Record,
        (plan, structure): (&Plan, &Structure),
    ) -> Result<Self> {
        fs::create_dir_all(path).map_err(|source| Error::file("create", path, source))?;
        if holds_run(path) {
            return Err(taken(path));
        }
        let folder = Self::claimed(path)?;
        refuse_remains(path)?;
        if holds_run(path) {
            return Err(taken(path));
        }
        files::sync_folder(files::folder_of(path));
        // In this order: a plan without a network is none that a run has left.
        structure.write(&network_path(path))?;
        plan::file::write(&plan_path(path), plan)?;
        folder.write_record(record)?;
        Ok(folder)
    }

    /// Writes down what the run is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_record(&self, record: &Record) -> Result<()> {
        let path = settings_path(&self.path);
        let mut text = serde_json::to_string_pretty(record)
            .map_err(|error| Error::format(&path, error.to_string()))?;
        text.push('\n');
        files::write_atomically(&path, text.as_bytes())
    }

    /// The folder of a run that is to be continued as `record`.
    ///
    /// # Errors
    /// When it holds no run, another one, or is in use.
    pub fn open(path: &Path, record: &Record) -> Result<(Self, Record)> {
        let found = read_record(path)?;
        let differences = found.differences(record);
        if !differences.is_empty() {
            return Err(Error::invalid(format!(
                "{} holds another run: {}; give what it was started with, or start a new run in \
                 another folder",
                path.display(),
                some(&differences)
            )));
        }
        Ok((Self::claimed(path)?, found))
    }

    fn claimed(path: &Path) -> Result<Self> {
        match Presence::claim(path)? {
            Claim::Ours(presence) => Ok(Self {
                path: path.to_owned(),
                presence,
            }),
            Claim::Of(other) => {
                let host = other.map(|other| other.host).unwrap_or_default();
                let elsewhere = !host.is_empty() && host != Holder::own().host;
                let place = if elsewhere {
                    format!(", on {host}")
                } else {
                    String::new()
                };
                Err(Error::invalid(format!(
                    "another program works on the run in {}{place}; wait for it, or stop it first",
                    path.display()
                )))
            }
        }
    }

    /// Who works on the run: this program.
    #[must_use]
    pub const fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Where the last state is.
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        checkpoint_path(&self.path)
    }

    /// Where the state of the best epoch is.
    #[must_use]
    pub fn best(&self) -> PathBuf {
        best_path(&self.path)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the events are.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        events_path(&self.path)
    }
}

/// Refuses a folder without a run that holds what a run would write over: a run whose settings are lost,
/// or files of something else. What a run that was killed while it began has left is its plan and its
/// network; it begins again.
///
/// # Errors
/// A sentence with the files.
pub fn refuse_remains(folder: &Path) -> Result<()> {
    if holds_run(folder) {
        return Ok(());
    }
    let is_there = |name: &&str| folder.join(name).exists();
    let results = RUN_FILES.iter().filter(|name| RESULTS.contains(name));
    let found: Vec<&str> = results.copied().filter(|name| is_there(name)).collect();
    let begun = is_there(&"network.json") || !is_there(&"plan.toml");
    let lost = match (&found[..], begun) {
        ([], true) => return Ok(()),
        ([], false) => "plan.toml".to_owned(),
        _ => found.join(", "),
    };
    Err(Error::invalid(format!(
        "{} holds {lost} but no settings.json, so that a new run would write over what is there: put the \
         settings of that run back, or choose another folder",
        folder.display()
    )))
}

fn taken(path: &Path) -> Error {
    Error::invalid(format!(
        "{} already holds a run: continue it with --resume, or choose another folder",
        path.display()
    ))
}

fn settings_path(folder: &Path) -> PathBuf {
    folder.join("settings.json")
}

fn network_path(folder: &Path) -> PathBuf {
    folder.join("network.json")
}

fn plan_path(folder: &Path) -> PathBuf {
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

/// Whether a folder holds a run.
#[must_use]
pub fn holds_run(folder: &Path) -> bool {
    settings_path(folder).exists()
}

/// What a run is.
///
/// # Errors
/// When the folder holds no run, or its record cannot be read.
pub fn read_record(folder: &Path) -> Result<Record> {
    if !holds_run(folder) {
        return Err(Error::invalid(format!(
            "{} holds no run; expected a folder that `hawqeye tune` wrote",
            folder.display()
        )));
    }
    let path = settings_path(folder);
    let record: Record = text::read_json(&path, &SETTINGS)?;
    if record.format != FORMAT || record.version != 1 {
        let (format, version) = (&record.format, record.version);
        let got = format!("got {format:?} version {version} instead of {FORMAT:?} version 1");
        return Err(SETTINGS.refused(&path, &got));
    }
    record
        .check()
        .map_err(|error| SETTINGS.refused(&path, &error.to_string()))?;
    Ok(record)
}

/// The plan of a run, as it was given.
///
/// # Errors
/// When the folder holds no run, or its plan was changed since.
pub fn read_plan(folder: &Path, record: &Record) -> Result<Plan> {
    let names: Vec<_> = record.plan.iter().map(|(name, _)| name.clone()).collect();
    let path = plan_path(folder);
    let plan = plan::file::read(&path, Some(&names)).map_err(|refused| match refused {
        Error::Format { path, reason } => Error::Format {
            path,
            reason: format!(
                "{reason}; put back the plan.toml that the run was started with, or start a new run"
            ),
        },
        other => other,
    })?;
    for (layer, (name, bits)) in plan.layers.iter().zip(&record.plan) {
        let found = format!("{}/{}", layer.weight_bits, layer.activation_bits);
        if found != *bits {
            return Err(Error::format(
                &path,
                format!(
                    "layer {name} has bits {found}, but the run was started with {bits}; put them \
                     back, or start a new run with the changed plan"
                ),
            ));
        }
    }
    Ok(plan)
}

/// The float network of a run, without its numbers.
///
/// # Errors
/// When its file cannot be read, or was changed since.
pub fn read_structure(folder: &Path, record: &Record) -> Result<Structure> {
    let [channels, height, width] = record.model.image;
    let image = Shape::map(channels, height, width);
    let preset = || Structure::preset(&record.model.name, image, record.model.classes);
    let Some(identity) = &record.model.identity else {
        return preset();
    };
    let path = network_path(folder);
    let found = match Structure::read(&path) {
        Err(error) => match preset() {
            // The name says as much as the file.
            Ok(preset) if preset.graph.identity() == *identity => return Ok(preset),
            _ => return Err(error),
        },
        Ok(found) => found,
    };
    if found.graph.identity() == *identity {
        return Ok(found);
    }
    Err(Error::format(
        &path,
        "it is not the network that the run was started with; put that one back, or start a new run",
    ))
}

/// What happened in a run so far.
///
/// # Errors
/// When the events cannot be read.
pub fn read_events(folder: &Path) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    events::for_each(&events_path(folder), |event| events.push(event))?;
    Ok(events)
}

/// Where the last checkpoint of a run stands; `None` before the first.
///
/// # Errors
/// When the folder holds no run, or its checkpoint cannot be read.
pub fn read_position(folder: &Path) -> Result<Option<Position>> {
    let path = checkpoint_path(folder);
    if !path.exists() {
        return read_record(folder).map(|_| None);
    }
    checkpoint::read_position(&path).map(Some)
}

/// The training steps behind the last checkpoint of a run, by its first bytes; `None` before the first.
///
/// # Errors
/// When it cannot be read or does not begin as a checkpoint.
pub fn saved_step(folder: &Path) -> Result<Option<u64>> {
    let path = checkpoint_path(folder);
    let step = path.exists().then(|| checkpoint::read_step(&path));
    step.transpose()
}

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

/// The first few of many phrases, and how many more there are.
fn some(phrases: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = phrases[..phrases.len().min(SHOWN)].join("; ");
    match phrases.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_differences_some_are_named() {
        let phrases: Vec<String> = ["a", "b", "c", "d", "e"].map(String::from).into();
        assert_eq!(some(&phrases[..2]), "a; b");
        assert_eq!(some(&phrases), "a; b; c; and 2 more");
    }
}
