//! Starting the long work: analysis, fine-tuning, export.

use super::command::{ask, go};
use super::start;
use crate::app::command::Command;
use crate::app::effect::Effect;
use crate::app::jobs::{AnalysisRequest, ExportRequest, Task, TuneRequest};
use crate::app::state::analysis::Status;
use crate::app::state::bits::key;
use crate::app::state::export::Exported;
use crate::app::state::overlay::Purpose;
use crate::app::state::runs::Pane;
use crate::app::state::tune::{MAX_EPOCHS, Run, RunStatus};
use crate::app::state::{Screen, State};
use crate::engine::finetune::Schedule;

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
    let settings = &mut state.tune.settings;
    match command {
        Command::Tune => return start_run(state, false),
        Command::TuneAnew => return start_run(state, true),
        Command::MoreEpochs => settings.epochs = (settings.epochs + 1).min(MAX_EPOCHS),
        Command::FewerEpochs => settings.epochs = settings.epochs.saturating_sub(1).max(1),
        Command::Schedule => {
            settings.schedule = match settings.schedule {
                Schedule::Staged => Schedule::Joint,
                Schedule::Joint => Schedule::Staged,
            };
        }
        _ => state.tune.next_learning_rate(),
    }
    Vec::new()
}

fn start_run(state: &mut State, anew: bool) -> Vec<Effect> {
    let Some(plan) = state.bits.plan.clone() else {
        return Vec::new();
    };
    let resumed = state
        .tune
        .run
        .take()
        .filter(|run| !anew && run.is_resumable());
    let resume = resumed.as_ref().is_some_and(|run| run.checkpoint.is_some());
    let folder = match &resumed {
        Some(run) if resume => run.folder.clone(),
        _ => state.tune.take_folder(),
    };
    let mut run = resumed
        .filter(|_| resume)
        .unwrap_or_else(|| Run::new(folder.clone(), RunStatus::Running));
    run.status = RunStatus::Running;
    // A run that goes on keeps the bits it was started with.
    run.plan.get_or_insert_with(|| key(&plan));
    run.interrupt();
    let settings = &mut state.tune.settings;
    settings.last_run = Some(run.name());
    let request = TuneRequest {
        plan: (*plan).clone(),
        sensitivity: state.analysis.sensitivity(),
        epochs: settings.epochs,
        schedule: settings.schedule,
        learning_rate: settings.learning_rate,
        folder,
        resume,
    };
    state.tune.run = Some(run);
    state.tune.list.pane = Pane::Run;
    go(state, Screen::Tune);
    let mut effects = vec![Effect::SaveSession];
    effects.extend(start(state, Task::Tune(Box::new(request))));
    effects
}

/// The export and its path.
pub(super) fn export(state: &mut State, command: Command) -> Vec<Effect> {
    let format = state.export.format;
    let run = state.tune.run.as_ref();
    let name = run.map(Run::name).unwrap_or_default();
    let path = state.export.path(format, &name);
    if command == Command::ExportPath {
        ask(state, Purpose::Path, path.display().to_string());
        return Vec::new();
    }
    let Some(run) = run else { return Vec::new() };
    let request = ExportRequest {
        run: run.folder.clone(),
        format,
        path,
    };
    state
        .export
        .written
        .insert(format.name(), Exported::Running);
    start(state, Task::Export(request))
}
