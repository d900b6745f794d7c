//! Starting the long work: analysis, fine-tuning, export.

use super::command::{ask, go, stop, unhandled};
use super::start;
use crate::app::command::Command;
use crate::app::effect::Effect;
use crate::app::jobs::{AnalysisRequest, ExportRequest, JobKind, Task, TuneRequest};
use crate::app::state::analysis::Status;
use crate::app::state::bits::key;
use crate::app::state::overlay::{Overlay, Purpose};
use crate::app::state::runs::Pane;
use crate::app::state::tune::{MAX_EPOCHS, Run, RunStatus};
use crate::app::state::{Screen, State};
use crate::engine::finetune::{Schedule, Start};

/// Starts the analysis, or goes on with it.
pub(super) fn analyze(state: &mut State, anew: bool) -> Vec<Effect> {
    let Some(inputs) = state.loaded().cloned() else {
        return Vec::new();
    };
    let anew = anew || state.analysis.status == Status::Done;
    state.analysis.start(anew, &inputs);
    go(state, Screen::Sensitivity);
    let request = AnalysisRequest {
        anew,
        ..state.analysis.request.clone()
    };
    // A crash must not lose the settings that an interrupted analysis is recognised by.
    let mut effects = vec![Effect::SaveSession];
    effects.extend(start(state, Task::Analyze(request)));
    effects
}

/// Fine-tuning and its settings.
pub(super) fn tune(state: &mut State, command: Command) -> Vec<Effect> {
    let settings = &mut state.tune.settings.training;
    match command {
        Command::Tune => return start_run(state, Start::Resume),
        Command::TuneAnew => return start_run(state, Start::Fresh),
        Command::ChangeRate => {
            let rate = state
                .tune
                .run
                .as_ref()
                .and_then(|run| run.history.learning_rate);
            let shown = rate.map_or_else(String::new, crate::numbers::number);
            ask(state, Purpose::Rate, shown);
        }
        Command::KeepBest => state.overlays.push(Overlay::Confirm(command)),
        Command::MoreEpochs => settings.epochs = (settings.epochs + 1).min(MAX_EPOCHS),
        Command::FewerEpochs => settings.epochs = settings.epochs.saturating_sub(1).max(1),
        Command::Schedule => {
            settings.schedule = match settings.schedule {
                Schedule::Staged => Schedule::Joint,
                Schedule::Joint => Schedule::Staged,
            };
        }
        Command::LearningRate => state.tune.next_learning_rate(),
        Command::TrainingSettings => ask(state, Purpose::Training, String::new()),
        other => unhandled(other),
    }
    Vec::new()
}

/// The run goes on at a rate that was typed.
///
/// # Errors
/// When it is none.
pub(super) fn change_rate(state: &mut State, text: &str) -> Result<Vec<Effect>, String> {
    let rate: Option<f64> = text.parse().ok();
    let rate = rate.filter(|rate| rate.is_finite() && *rate > 0.0);
    let rate = rate.ok_or_else(|| format!("{text:?}: expected a number above 0, such as 0.005"))?;
    Ok(go_on(state, Start::ChangeRate(rate)))
}

/// The next run is trained with settings that were typed, such as `distill=0.7 temperature=4`.
///
/// # Errors
/// When one is unknown or cannot be.
pub(super) fn set_training(state: &mut State, text: &str) -> Result<Vec<Effect>, String> {
    let settings = &mut state.tune.settings.training;
    *settings = settings.with(text)?;
    Ok(vec![Effect::SaveSession])
}

/// Goes on otherwise: at once, or as soon as the run has stopped for it.
pub(super) fn go_on(state: &mut State, how: Start) -> Vec<Effect> {
    if state.job(JobKind::Tune).is_none() {
        return start_run(state, how);
    }
    let stopping = stop(state);
    state.tune.then = Some(how);
    stopping
}

/// Starts a run, or goes on with the one on screen if it can.
pub(super) fn start_run(state: &mut State, how: Start) -> Vec<Effect> {
    let Some(plan) = state.bits.plan.clone() else {
        return Vec::new();
    };
    let shown = state.tune.run.take();
    let goes_on = |run: &Run| how != Start::Fresh && run.is_resumable();
    let (resumed, before) = match shown {
        Some(run) if goes_on(&run) && run.history.checkpoint.is_some() => (Some(run), None),
        shown => (None, shown),
    };
    let resume = resumed.is_some();
    let folder = match &resumed {
        Some(run) => run.folder.clone(),
        None => state.tune.take_folder(),
    };
    let mut run = resumed.unwrap_or_else(|| Run::new(folder.clone(), RunStatus::Running));
    run.status = RunStatus::Running;
    // A run that goes on keeps the bits it was started with.
    run.plan.get_or_insert_with(|| key(&plan));
    run.interrupt();
    let request = TuneRequest {
        plan: (*plan).clone(),
        sensitivity: state.analysis.sensitivity(),
        settings: state.tune.settings.training.clone(),
        folder,
        start: if resume { how } else { Start::Fresh },
    };
    state.tune.begin(run, before);
    state.tune.list.pane = Pane::Run;
    go(state, Screen::Tune);
    let mut effects = vec![Effect::SaveSession];
    effects.extend(start(state, Task::Tune(Box::new(request))));
    effects
}

/// The export and its path.
pub(super) fn export(state: &mut State, command: Command) -> Vec<Effect> {
    let format = state.export.format;
    let Some(run) = state.tune.run.as_ref() else {
        return Vec::new();
    };
    let place = state.export.place(format, &run.name());
    if command == Command::ExportPath {
        ask(state, Purpose::Path, place.path.display().to_string());
        return Vec::new();
    }
    let request = ExportRequest {
        run: run.folder.clone(),
        format,
        path: place.path.clone(),
    };
    state.export.begin(place);
    start(state, Task::Export(request))
}
