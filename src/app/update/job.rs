//! What jobs report, and how they end.

use std::sync::Arc;
use std::time::Duration;

use crate::app::effect::{AtLeave, Effect};
use crate::app::jobs::{
    Done, Failure, Inputs, JobId, JobKind, JobMessage, LeftRunning, Task, TuneReport,
};
use crate::app::state::analysis::Status;
use crate::app::state::export::Exported;
use crate::app::state::running::Running;
use crate::app::state::tune::{Run, RunStatus};
use crate::app::state::{Checking, Leaving, Level, Loading, State, bits, planning};
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::job::{Event, Outcome, Phase};

use super::{comparison, detail, edit, form, launch, leave, projects, runs, start};

/// Work whose end is announced takes at least this long.
const LONG: Duration = Duration::from_secs(10);

/// A message of a job; one that is not known any more is ignored.
pub(super) fn arrived(state: &mut State, message: JobMessage) -> Vec<Effect> {
    match message {
        JobMessage::Event { job, event } => {
            reported(state, job, event);
            Vec::new()
        }
        JobMessage::Memory { job, resident } => {
            let found = state.running.iter_mut().find(|running| running.id == job);
            if let Some(running) = found {
                running.memory = Some(resident);
            }
            Vec::new()
        }
        JobMessage::Quiet { job, quiet } => {
            let found = state.running.iter_mut().find(|running| running.id == job);
            if let Some(running) = found {
                running.quiet = quiet;
            }
            Vec::new()
        }
        JobMessage::Ended { job, result } => {
            let Some(at) = state.running.iter().position(|running| running.id == job) else {
                return Vec::new();
            };
            let running = state.running.remove(at);
            let mut effects = match result {
                Ok(done) => {
                    clock(state, &running, &done);
                    finished(state, done)
                }
                Err(failure) => {
                    failed(state, &running, &failure);
                    Vec::new()
                }
            };
            effects.extend(ring(state, &running));
            effects.extend(afterwards(state, &running));
            effects
        }
    }
}

/// Rings when long work ended that the user waited for.
fn ring(state: &State, ended: &Running) -> Option<Effect> {
    let long = state.now.saturating_sub(ended.started) >= LONG;
    (long && ended.kind.is_foreground()).then_some(Effect::Ring)
}

/// The pace of a forward walk, from the test of the float network.
fn clock(state: &mut State, running: &Running, done: &Done) {
    let took = state.now.saturating_sub(running.started).as_secs_f64();
    let (Done::Checked(Some(score)), Some(inputs)) = (done, state.loaded()) else {
        return;
    };
    let macs = inputs.outline.forward() as f64 * score.total as f64;
    state.pace = (took > 0.0).then(|| macs / took);
}

/// What waited for the work to end.
fn afterwards(state: &mut State, ended: &Running) -> Vec<Effect> {
    if state.leaving.is_some() && state.foreground().is_none() {
        return leave(state, AtLeave::Stop);
    }
    if ended.kind == JobKind::Evaluate {
        state.bits.evaluating = None;
    }
    if state.bits.waiting && state.foreground().is_none() {
        state.bits.waiting = false;
        state.bits.evaluate_at = Some(state.now);
        return edit::evaluate_when_due(state);
    }
    Vec::new()
}

fn reported(state: &mut State, job: JobId, event: Event) {
    let now = state.now;
    let Some(running) = state.running.iter_mut().find(|running| running.id == job) else {
        return;
    };
    let kind = running.kind;
    match event {
        // Between its steps a run measures ranges and accuracies: that is part of the training.
        Event::Progress { phase, .. } if running.is_training() && phase != Phase::Tune => {}
        Event::Progress { phase, done, total } => running.progress(now, phase, (done, total)),
        Event::Eigenvalue {
            layer,
            iteration,
            value,
            residual,
        } => {
            state.analysis.iterate(layer, iteration, (value, residual));
        }
        // Without loss changes; the whole layer comes at the end.
        Event::Layer { .. } if kind == JobKind::Remeasure => {}
        Event::Layer { measured } => state.analysis.measured(*measured),
        Event::Landscape { measured } => state.detail.grow(*measured),
        Event::Warning { message } => {
            state.notify_about(Level::Warning, kind, message.clone());
            if let (JobKind::Tune, Some(run)) = (kind, &mut state.tune.run) {
                run.apply(Some(now), &Event::Warning { message });
            }
        }
        event if kind == JobKind::Tune => {
            if let Event::Step { step, total, .. } = event {
                running.progress(now, Phase::Tune, (step, total));
            }
            if let Some(run) = &mut state.tune.run {
                run.apply(Some(now), &event);
            }
        }
        _ => {}
    }
}

fn finished(state: &mut State, done: Done) -> Vec<Effect> {
    match done {
        Done::Opened(inputs) => return opened(state, *inputs),
        Done::Checked(score) => {
            state.check = score.map_or(Checking::Never, Checking::Done);
        }
        Done::Analyzed {
            sensitivity,
            outcome,
        } => return analyzed(state, *sensitivity, outcome),
        Done::Allocated(plan) => return edit::allocated(state, *plan),
        Done::Projects(found) => projects::listed(state, found),
        Done::Looked(answers) => return form::answered(state, *answers),
        Done::Choices(found) => form::listed(state, found),
        Done::RunPlans(texts) => comparison::listed(state, texts),
        Done::PlanFile { path, text } => comparison::opened(state, &path, &text),
        Done::Frontier(points) => {
            state.bits.frontier = Some(points);
            return edit::renew_frontier(state);
        }
        Done::Evaluated {
            plan,
            score: Some(score),
        } => {
            state.bits.evaluated(bits::key(&plan), Ok(score));
        }
        // Stopped because the plan changed or other work began: measured later.
        Done::Evaluated { score: None, .. } => state.bits.waiting = true,
        Done::LossChanges(sensitivity) => state.analysis.adopt_loss_changes(*sensitivity),
        Done::NotBegun(reason) => return not_begun(state, &reason),
        Done::Tuned(report) => return tuned(state, &report),
        Done::Exported(Some(report)) => {
            let bytes = crate::numbers::count(report.bytes);
            let path = report.path.display().to_string();
            state.export.end(Some(Exported::Done(report)));
            state.notify(
                Level::Info,
                format!("wrote and verified {path}, {bytes} bytes"),
            );
        }
        Done::Detail(done) => return detail::finished(state, *done),
        Done::Runs(found) => runs::read(state, found),
        Done::Exported(None) => state.export.end(None),
    }
    Vec::new()
}

fn failed(state: &mut State, running: &Running, failure: &Failure) {
    let reason = failure.sentence();
    match running.kind {
        JobKind::Open => state.inputs = Loading::Failed(reason.clone()),
        JobKind::Check => state.check = Checking::Failed(reason.clone()),
        JobKind::Analyze => state.analysis.status = Status::Failed(reason.clone()),
        JobKind::Evaluate => {
            if let Some(key) = state.bits.evaluating.take() {
                state.bits.evaluated(key, Err(reason.clone()));
            }
        }
        JobKind::Tune => {
            state.tune.then = None;
            if let Some(run) = &mut state.tune.run {
                run.status = RunStatus::Failed(reason.clone());
            }
        }
        JobKind::Export => state.export.end(Some(Exported::Failed(reason.clone()))),
        JobKind::Spectrum | JobKind::Landscape | JobKind::Weights | JobKind::Remeasure => {
            detail::failed(state, running.kind, &reason);
        }
        JobKind::LossChanges => state.analysis.refuse_loss_changes(),
        JobKind::Runs => state.tune.list.problem = Some(reason.clone()),
        JobKind::Allocate
        | JobKind::Frontier
        | JobKind::RunPlans
        | JobKind::PlanFile
        | JobKind::Projects
        | JobKind::Look
        | JobKind::Choices => {}
    }
    if state.leaving == Some(Leaving::WhenDone) {
        state.leaving = None;
    }
    blame(state, running.kind, &reason);
}

/// Tells why work brought nothing.
fn blame(state: &mut State, kind: JobKind, reason: &str) {
    let text = format!("{}: {reason}", kind.name());
    state.notify_about(Level::Bad, kind, text);
}

/// A run left nothing on disk: there is none, and the one before is on screen again.
fn not_begun(state: &mut State, reason: &str) -> Vec<Effect> {
    state.tune.then = None;
    let Some(run) = &mut state.tune.run else {
        return Vec::new();
    };
    if run.history.has_begun() {
        run.status = RunStatus::Failed(reason.to_owned());
    } else {
        state.tune.give_up(reason);
    }
    if state.leaving == Some(Leaving::WhenDone) {
        state.leaving = None;
    }
    blame(state, JobKind::Tune, reason);
    vec![Effect::SaveSession]
}

/// What is said when measurements do not belong to what is open.
const OTHER_MEASUREMENTS: &str = "the saved measurements are of another network, or of images that were \
    preprocessed otherwise, and were left aside";

fn opened(state: &mut State, inputs: Inputs) -> Vec<Effect> {
    if state.analysis.open(&inputs) {
        state.notify(Level::Warning, OTHER_MEASUREMENTS.to_owned());
    }
    state.detail.forget();
    state.frozen = None;
    let inputs = Arc::new(inputs);
    state.inputs = Loading::Loaded(inputs.clone());
    state.layer = 0;
    state.bits.forget_measurements();
    let left = state.stored.as_mut().and_then(|stored| stored.left.take());
    let mut effects = restore(state, &inputs);
    if state.bits.plan.is_none() {
        state.bits.plan = Some(Arc::new(planning::default_plan(&inputs)));
    }
    effects.push(Effect::SaveInputs(inputs));
    effects.extend(attach(state, left));
    effects.extend(edit::frontier(state));
    if !state.is_watching() {
        edit::schedule_evaluation(state, &mut effects);
        state.check = Checking::Running;
        effects.extend(start(state, Task::Check));
    }
    effects
}

/// Follows the work that an earlier application left running.
fn attach(state: &mut State, left: Option<LeftRunning>) -> Vec<Effect> {
    let Some(left) = left else {
        return Vec::new();
    };
    match &left {
        LeftRunning::Analysis => state.analysis.status = Status::Running,
        LeftRunning::Run(_) => {
            if let Some(run) = &mut state.tune.run {
                run.status = RunStatus::Running;
            }
        }
    }
    let task = Task::Attach(left);
    let text = format!("{} went on in the background", task.kind().name());
    state.notify(Level::Info, text);
    start(state, task)
}

/// Goes on where the project was left, with what belongs to these inputs.
fn restore(state: &mut State, inputs: &Inputs) -> Vec<Effect> {
    let mut effects = Vec::new();
    let Some(stored) = state.stored.take() else {
        return effects;
    };
    if let Some(mut sensitivity) = stored.sensitivity {
        if belongs(&sensitivity, inputs) {
            let done = !stored.partial;
            let status = if done { Status::Done } else { Status::Stopped };
            sensitivity.complete_from(&inputs.layers);
            state.analysis.adopt(sensitivity, status);
            tell_doubts(state);
        } else {
            state.notify(Level::Warning, OTHER_MEASUREMENTS.to_owned());
        }
    }
    match stored.plan.map(|text| planning::read(&text, inputs)) {
        Some(Ok(plan)) => state.bits.plan = Some(Arc::new(plan)),
        Some(Err(reason)) => {
            let text = format!("the saved plan was left aside: plan.toml: {reason}");
            state.notify(Level::Warning, text.clone());
            effects.push(Effect::SetPlanAside(text));
        }
        None => {}
    }
    let mut layers = inputs.layers.iter();
    let selected = layers.position(|layer| Some(&*layer.layer) == stored.session.layer.as_deref());
    state.layer = selected.unwrap_or(state.layer);
    state.tune.next = stored.next_run.max(1);
    state.tune.run = stored.run.map(|run| Run::replay(run.folder, &run.events));
    if let Some(run) = &mut state.tune.run {
        run.subject = stored.subject;
    }
    state.export.find(&stored.exports);
    effects
}

fn belongs(sensitivity: &Sensitivity, inputs: &Inputs) -> bool {
    let weights = sensitivity
        .model
        .as_ref()
        .and_then(|model| model.weights_sha256.as_ref());
    let layers = sensitivity.layers.iter().map(|layer| &layer.layer);
    let identity = sensitivity.identity.as_ref();
    weights.is_none_or(|sum| *sum == inputs.weights_sha256)
        && identity.is_none_or(|own| own.preprocessing == inputs.preprocessing_identity)
        && layers.eq(inputs.layers.iter().map(|layer| &layer.layer))
}

/// What is doubtful in the measurements, whole, in the log.
fn tell_doubts(state: &mut State) {
    for doubt in state.analysis.doubts.clone() {
        state.notify_about(Level::Warning, JobKind::Analyze, doubt.to_string());
    }
}

fn analyzed(state: &mut State, sensitivity: Sensitivity, outcome: Outcome) -> Vec<Effect> {
    let status = match outcome {
        Outcome::Done => Status::Done,
        Outcome::Stopped => Status::Stopped,
    };
    state.analysis.adopt(sensitivity, status);
    tell_doubts(state);
    let (done, all) = (state.analysis.measured_count(), state.analysis.layers.len());
    state.notify(
        Level::Info,
        match outcome {
            Outcome::Done => format!("analysed {all} layers"),
            Outcome::Stopped => format!("stopped; {done} of {all} layers are measured and saved"),
        },
    );
    edit::frontier(state)
}

fn tuned(state: &mut State, report: &TuneReport) -> Vec<Effect> {
    let then = state.tune.then.take();
    let Some(run) = &mut state.tune.run else {
        return Vec::new();
    };
    run.status = match report.outcome {
        Outcome::Done => RunStatus::Done,
        Outcome::Stopped => RunStatus::Stopped,
    };
    if let (Some(how), Outcome::Stopped, None) = (then, report.outcome, state.leaving) {
        return launch::start_run(state, how);
    }
    let text = match (report.outcome, report.test) {
        (Outcome::Stopped, _) => "stopped with a checkpoint; nothing is lost".to_owned(),
        (Outcome::Done, Some(test)) => {
            format!(
                "fine-tuned: {:.2} % of the test images are right",
                100.0 * test.accuracy()
            )
        }
        (Outcome::Done, None) => "fine-tuned".to_owned(),
    };
    let name = run.name();
    state.export.forget(&name);
    state.notify(Level::Info, text);
    Vec::new()
}
