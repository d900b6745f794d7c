//! A run that goes on, or ends early: its folder, its last state, and what changes from here on.

use super::checkpoint::{self, Outline, Position, State};
use super::folder::RunFolder;
use super::inputs::Inputs;
use super::optimizer::Velocities;
use super::record::Record;
use super::settings::{RateChange, check_rate};
use super::{Kept, Start};
use crate::engine::backend::Backend;
use crate::engine::job::{Event, Observer};
use crate::engine::{Error, Result};

/// The folder of a run, and its last state if it has one.
pub(super) type Opened = (RunFolder, Option<State>);

/// Opens the folder of the run that `inputs` asks for; changes of its learning rate come into its
/// calendar.
///
/// # Errors
/// When the folder holds no run, another one, or is in use; when a change of the learning rate is
/// none.
pub(super) fn reopen<B: Backend>(
    inputs: &mut Inputs<B>,
    record: &Record,
    observer: &mut dyn Observer,
) -> Result<Opened> {
    let (folder, mut found) = RunFolder::open(inputs.request.folder, record)?;
    warn_of_differences(&found, record, observer);
    let state = last(inputs, &folder)?;
    if let Start::ChangeRate(rate) = inputs.request.start {
        let position = state.as_ref().map(|state| &state.position);
        change_rate(&mut found, position, rate)?;
        folder.write_record(&found)?;
    }
    inputs.calendar.rates = found.settings.rates;
    Ok((folder, state))
}

fn warn_of_differences(found: &Record, record: &Record, observer: &mut dyn Observer) {
    for (what, there, here) in [
        ("device", &found.device, &record.device),
        ("program version", &found.program, &record.program),
    ] {
        if there != here {
            observer.on(Event::Warning {
                message: format!(
                    "the run was started with {what} {there} and goes on with {here}: numbers may \
                     differ in their last digits from those of an undisturbed run"
                ),
            });
        }
    }
}

fn last<B: Backend>(inputs: &Inputs<B>, folder: &RunFolder) -> Result<Option<State>> {
    let path = folder.checkpoint();
    if !path.exists() {
        return Ok(None);
    }
    checkpoint::read(&path, &outline(inputs, &|entered| inputs.bits(entered))).map(Some)
}

fn outline<'a, B: Backend>(
    inputs: &'a Inputs<B>,
    bits: &'a dyn Fn(usize) -> Vec<crate::engine::quant::LayerBits>,
) -> Outline<'a> {
    Outline {
        base: inputs.subject.graph,
        bits,
        scale: inputs.request.plan.scale,
    }
}

fn change_rate(record: &mut Record, position: Option<&Position>, rate: f64) -> Result<()> {
    check_rate(rate)?;
    if position.is_some_and(|position| position.test.is_some()) {
        return Err(Error::invalid(
            "the run is done: its learning rate cannot be changed; start a new run with another",
        ));
    }
    let step = position.map_or(0, |position| position.step);
    let rates = &mut record.settings.rates;
    rates.retain(|change| change.step < step);
    rates.push(RateChange {
        step,
        learning_rate: rate,
    });
    Ok(())
}

/// The state that a run ends with when it ends early: the network to keep, at the run's own place.
///
/// # Errors
/// When there is no such network yet, or not every stage has entered.
pub(super) fn concluded<B: Backend>(
    inputs: &Inputs<B>,
    (folder, last): (&RunFolder, State),
    kept: Kept,
) -> Result<State> {
    let (entered, stages) = (last.position.stages, inputs.calendar.stages);
    if entered < stages {
        return Err(Error::invalid(format!(
            "{entered} of {stages} stages have entered: the network is not yet the plan's; train on \
             until the last has"
        )));
    }
    if kept == Kept::Last || last.position.test.is_some() {
        return Ok(last);
    }
    let path = folder.best();
    if !path.exists() {
        return Err(Error::invalid(
            "no epoch has ended since every stage entered, so that none is the best; train on, or \
             keep the last",
        ));
    }
    let best = checkpoint::read(&path, &outline(inputs, &|entered| inputs.bits(entered)))?;
    Ok(State {
        network: best.network,
        velocities: Velocities::new(),
        position: Position {
            step: best.position.step,
            ..last.position
        },
    })
}
