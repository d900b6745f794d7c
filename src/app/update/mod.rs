//! What every message does to the state. Pure: what has to happen outside is returned as effects.

mod availability;
mod clipboard;
mod command;
mod comparison;
mod detail;
mod draft;
mod edit;
mod form;
mod job;
mod launch;
mod mouse;
mod overlay;
mod projects;
mod runs;
mod themes;

pub use availability::{available, why_not};

use std::time::Duration;

use super::effect::{AtLeave, Effect};
use super::jobs::{JobKind, JobMessage, Task};
use super::key::{Key, KeyCode};
use super::keymap::Meaning;
use super::msg::{Gesture, Msg, Signal};
use super::settings::Motion;
use super::state::running::Running;
use super::state::{Level, LongWork, State};

/// How long a sequence of keys is unfinished before what may follow is shown.
const HINT: Duration = Duration::from_millis(300);
/// Exit code after a signal.
const INTERRUPTED: u8 = 130;

/// Changes the state by a message; returns what has to happen outside.
pub fn update(state: &mut State, message: Msg) -> Vec<Effect> {
    let mut effects = react(state, message);
    effects.extend(runs::follow(state));
    effects.extend(detail::follow(state));
    effects.extend(edit::follow(state));
    effects
}

fn react(state: &mut State, message: Msg) -> Vec<Effect> {
    match message {
        Msg::Start => begin(state),
        Msg::Clock(now) => clock(state, now),
        Msg::Key(key) => {
            state.dirty = true;
            press(state, key)
        }
        Msg::Mouse { gesture, target } => {
            let moves = matches!(gesture, Gesture::Drag | Gesture::Release);
            state.dirty |= !moves || state.dragging;
            mouse::pointed(state, gesture, target)
        }
        Msg::Paste(text) => {
            state.dirty = true;
            overlay::paste(state, &text)
        }
        Msg::Resize => {
            state.dirty = true;
            Vec::new()
        }
        Msg::Job(message) => {
            // With less motion, progress waits for the clock.
            let progress = matches!(message, JobMessage::Event { .. });
            state.dirty |= !progress || state.settings.motion == Motion::Usual;
            job::arrived(state, message)
        }
        Msg::Signal(signal) => {
            state.exit_code = INTERRUPTED;
            leave(
                state,
                match signal {
                    Signal::Terminate | Signal::Interrupt => AtLeave::Stop,
                    Signal::HangUp => AtLeave::Keep,
                },
            )
        }
        Msg::Edited { text, ended } => {
            state.dirty = true;
            draft::ended(state, text, ended)
        }
        Msg::WriteFailed(reason) => {
            state.notify(Level::Bad, reason);
            Vec::new()
        }
        Msg::OnlyWatched(reason) => {
            state.notify(Level::Bad, reason.clone());
            state.long_work = LongWork::OfAnother;
            state.only_watched = Some(reason);
            Vec::new()
        }
    }
}

fn begin(state: &mut State) -> Vec<Effect> {
    let problems = state
        .stored
        .as_mut()
        .map(|stored| std::mem::take(&mut stored.problems));
    let problems = problems.unwrap_or_default();
    let several = (problems.len() > 1).then_some(problems.len());
    for problem in problems {
        state.notify(Level::Warning, problem);
    }
    if let Some(count) = several {
        let summary =
            format!("{count} problems with the settings or the project; :log shows them all");
        state.notify(Level::Warning, summary);
    }
    start(state, Task::Open)
}

fn clock(state: &mut State, now: Duration) -> Vec<Effect> {
    let pulse = state.settings.motion.pulse().as_millis();
    let second = |time: Duration| time.as_millis() / pulse;
    if !state.running.is_empty() && second(now) != second(state.now) {
        state.dirty = true;
    }
    let hinted = state.hints_sequence();
    state.now = now;
    state.dirty |= hinted != state.hints_sequence();
    if state.toast.as_ref().is_some_and(|(_, until)| *until <= now) {
        state.toast = None;
        state.dirty = true;
    }
    edit::evaluate_when_due(state)
}

/// Starts a job.
fn start(state: &mut State, task: Task) -> Vec<Effect> {
    let (id, kind) = (state.take_job_id(), task.kind());
    let mut effects = Vec::new();
    if kind.is_foreground() {
        if let Some(evaluation) = state.job(JobKind::Evaluate) {
            effects.push(Effect::Stop(evaluation.id));
            state.bits.waiting = true;
        }
        let measuring = state.job(JobKind::LossChanges);
        effects.extend(measuring.map(|job| Effect::Stop(job.id)));
    }
    state.withdraw(|about| about == kind);
    state.running.push(Running::new(id, kind, state.now));
    state.dirty = true;
    effects.push(Effect::Start { job: id, task });
    effects
}

/// Leaves. Who only watches never stops the work of another.
fn leave(state: &State, work: AtLeave) -> Vec<Effect> {
    let work = if state.is_watching() {
        AtLeave::Keep
    } else {
        work
    };
    let code = state.exit_code;
    vec![Effect::SaveSession, Effect::Leave { code, work }]
}

fn press(state: &mut State, key: Key) -> Vec<Effect> {
    if !state.overlays.is_empty() {
        return overlay::press(state, key);
    }
    if key == Key::plain(KeyCode::Esc) && !state.pending.is_empty() {
        state.pending.clear();
        return Vec::new();
    }
    state.pending.push(key);
    match state.keymap.meaning(&state.screen.scopes(), &state.pending) {
        Meaning::Prefix => {
            state.hint_at = Some(state.now + HINT);
            Vec::new()
        }
        Meaning::Command(command) => {
            state.pending.clear();
            command::execute(state, command)
        }
        Meaning::Unbound => {
            let keys = super::key::show(&state.pending);
            state.pending.clear();
            state.notify(
                Level::Info,
                format!("`{keys}` does nothing here; ? shows the keys"),
            );
            Vec::new()
        }
    }
}
