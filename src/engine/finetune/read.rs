//! What the files of a run say, read without working on it.

use std::path::Path;
use std::sync::Arc;

use super::checkpoint::{self, Position};
use super::paths::{
    checkpoint_path, events_path, holds_run, lost_settings, network_path, plan_path, settings_path,
};
use super::record::{FORMAT, Record};
use crate::engine::events;
use crate::engine::graph::Shape;
use crate::engine::job::Event;
use crate::engine::model::Structure;
use crate::engine::plan::{self, Plan, PlannedLayer};
use crate::engine::text::{self, Wanted};
use crate::engine::{Error, Result};

/// What `settings.json` is.
const SETTINGS: Wanted<'static> = Wanted {
    what: "the settings of a run",
    next: "put back the settings.json that the run was started with, or start a new run in another \
           folder",
    limit: 16 << 20,
};

/// What to do without the plan of a run.
const PUT_BACK: &str =
    "put back the plan.toml that the run was started with, or start a new run in another folder";

/// A folder without settings: of a run that lost them, or of none.
fn no_run(folder: &Path) -> Error {
    if lost_settings(folder) {
        return Error::invalid(format!(
            "{} is gone, without which nothing can be said of the run; put back the settings.json that it \
             was started with",
            settings_path(folder).display()
        ));
    }
    Error::invalid(format!(
        "{} holds no run; expected a folder that `hawqeye tune` wrote",
        folder.display()
    ))
}

/// What a run is.
///
/// # Errors
/// When the folder holds no run, or its record cannot be read.
pub fn read_record(folder: &Path) -> Result<Record> {
    if !holds_run(folder) {
        return Err(no_run(folder));
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

/// The plan that the settings of a run tell: its bits, without what was pinned or tied.
fn recorded_plan(record: &Record) -> Result<Plan> {
    let layer = |(name, bits): &(Arc<str>, String)| {
        let (weights, activations) = bits.split_once('/').unwrap_or((bits, ""));
        Ok(PlannedLayer {
            name: name.clone(),
            weight_bits: weights.parse()?,
            activation_bits: activations.parse()?,
            pinned: false,
            tie: None,
        })
    };
    let layers = record.plan.iter().map(layer).collect::<Result<_>>()?;
    Ok(Plan {
        model: record.model.name.clone(),
        fingerprint: None,
        scale: record.scale,
        layers,
    })
}

/// The plan of a run, as it was given; where its file is gone, as the settings tell it.
///
/// # Errors
/// When the plan was changed since.
pub fn read_plan(folder: &Path, record: &Record) -> Result<Plan> {
    let names: Vec<_> = record.plan.iter().map(|(name, _)| name.clone()).collect();
    let path = plan_path(folder);
    if !path.exists() {
        return recorded_plan(record);
    }
    let refused = |reason: &str| Error::format(&path, format!("{reason}; {PUT_BACK}"));
    let text = text::read(&path, plan::file::LIMIT)?;
    if text.trim().is_empty() {
        return Err(refused("it is empty"));
    }
    let plan = plan::file::parse(&text, Some(&names)).map_err(|reason| refused(&reason))?;
    for (layer, (name, bits)) in plan.layers.iter().zip(&record.plan) {
        let found = format!("{}/{}", layer.weight_bits, layer.activation_bits);
        if found != *bits {
            return Err(Error::format(
                &path,
                format!(
                    "layer {name} has bits {found}, and in the settings.json beside it {bits}: one of \
                     the two files was changed since the run was started; put that one back, or start \
                     a new run"
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
pub fn saved(folder: &Path) -> Result<Option<Position>> {
    let path = checkpoint_path(folder);
    let step = path.exists().then(|| checkpoint::read_head(&path));
    step.transpose()
}
