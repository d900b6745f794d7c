//! A run that goes on, or ends early: its folder, its last state, and what changes from here on.

use super::checkpoint::{self, Outline, Position, State};
use super::doubts;
use super::folder::RunFolder;
use super::inputs::Inputs;
use super::load::{best_is_whole, hopeless, lost};
use super::optimizer::Velocities;
use super::paths::{best_path, checkpoint_path};
use super::record::Record;
use super::settings::{RateChange, check_rate};
use super::{Kept, Start};
use crate::engine::backend::Backend;
use crate::engine::events::History;
use crate::engine::{Error, Result};

/// A run that is opened to go on.
pub(super) struct Opened {
    /// Its folder.
    pub folder: RunFolder,
    /// Its last state if it has one.
    pub state: Option<State>,
    /// What its story is to tell, a sentence each.
    pub notes: Vec<String>,
}

/// Opens the folder of the run that `inputs` asks for; changes of its learning rate come into its
/// calendar.
///
/// # Errors
/// When the folder holds no run, another one, or is in use; when a change of the learning rate is
/// none.
pub(super) fn reopen<B: Backend>(inputs: &mut Inputs<B>, record: &Record) -> Result<Opened> {
    let opened = RunFolder::open(inputs.request.folder, record);
    let (folder, mut found) = opened.map_err(|refused| with_way_out(inputs, refused))?;
    let (state, instead) = last(inputs, &folder)?;
    let position = state.as_ref().map(|state| &state.position);
    let before = found.clone();
    let different = found.go_on(position.map_or(0, |position| position.step), record);
    if let Start::ChangeRate(rate) = inputs.request.start {
        change_rate(&mut found, position, rate)?;
    }
    if found != before {
        folder.write_record(&found)?;
    }
    let elsewhere = different.into_iter().map(|phrase| {
        format!(
            "the run was trained with {phrase}: numbers may differ in their last digits from those \
             of an undisturbed run"
        )
    });
    inputs.calendar.rates = found.settings.rates;
    Ok(Opened {
        folder,
        state,
        notes: instead.into_iter().chain(elsewhere).collect(),
    })
}

/// The last state, or none with a sentence where there was one; where it is damaged and the best is to be kept anyway, that of the best epoch,
/// which is whole, with a sentence that says so.
fn last<B: Backend>(
    inputs: &Inputs<B>,
    folder: &RunFolder,
) -> Result<(Option<State>, Option<String>)> {
    let path = folder.checkpoint();
    let bits = |entered| inputs.bits(entered);
    let outline = outline(inputs, &bits);
    if !path.exists() && !folder.best().exists() {
        let note = match History::read(&folder.events()) {
            Ok(history) => doubts::begun_anew(&history),
            Err(damaged) => Some(format!(
                "the run has no checkpoint and begins anew from the float network, and what happened \
                 in it before is not known: {damaged}"
            )),
        };
        return Ok((None, note));
    }
    let damaged = match checkpoint::read(&path, &outline) {
        Ok(state) => return Ok((Some(state), None)),
        Err(damaged) => damaged,
    };
    let Ok(best) = checkpoint::read(&folder.best(), &outline) else {
        return Err(hopeless(&path, &damaged));
    };
    let (lost, whole) = (lost(&path, &damaged), best_is_whole(&best));
    if inputs.request.start == Start::Conclude(Kept::Best) {
        let note = format!("{lost}: {whole} and is kept");
        return Ok((Some(best), Some(note)));
    }
    Err(Error::invalid(format!(
        "{lost}: {whole}; end the run with it by --resume --conclude best, or export it as it is"
    )))
}

/// A run that cannot be opened: what can be done with it anyway, where its checkpoint is damaged.
fn with_way_out<B: Backend>(inputs: &Inputs<B>, refused: Error) -> Error {
    let folder = inputs.request.folder;
    let damaged = checkpoint::read_position(&checkpoint_path(folder)).is_err();
    if !damaged || checkpoint::read_position(&best_path(folder)).is_err() {
        return refused;
    }
    Error::invalid(format!(
        "{refused}; its checkpoint is damaged, but the network of its best epoch is whole: hawqeye \
         export takes that"
    ))
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
            "stages that have entered: {entered} of {stages}; the network is not yet the plan's: \
             train on until the last has"
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
