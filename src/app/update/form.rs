//! Opening another network.

use std::path::Path;

use crate::app::command::Command;
use crate::app::effect::Effect;
use crate::app::jobs::form::{Answers, Choices, Field, OpenRequest};
use crate::app::jobs::{JobKind, Task};
use crate::app::key::{Key, KeyCode};
use crate::app::state::form::{Form, dropped};
use crate::app::state::overlay::Overlay;
use crate::app::state::{Level, State};

use super::{overlay, projects, start};

/// Asks what to open, beginning with what is open now.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let mut form = Form::new(&state.place.inputs);
    let effects = renewed(state, &mut form);
    state.overlays.push(Overlay::Open(Box::new(form)));
    effects
}

/// A key in the window; `Some` when it closes.
pub(super) fn press(state: &mut State, key: Key, form: &mut Form) -> (Vec<Effect>, bool) {
    if state.keymap.beside_text(Command::Projects) == Some(key) {
        return (projects::open(state), true);
    }
    let found = form
        .choices
        .as_ref()
        .map_or(0, |choices| choices.found.len());
    let effects = match key.code {
        KeyCode::BackTab => turned(state, form, Field::ALL.len() - 1),
        KeyCode::Down => {
            let next = form.chosen.map_or(0, |at| at + 1);
            form.chosen = (found > 0).then(|| next.min(found - 1));
            Vec::new()
        }
        KeyCode::Up => {
            form.chosen = form.chosen.and_then(|at| at.checked_sub(1));
            Vec::new()
        }
        KeyCode::Enter if form.chosen.is_some() => take(state, form),
        KeyCode::Enter if form.field == Field::Project => return finish(state, form),
        KeyCode::Tab | KeyCode::Enter => turned(state, form, 1),
        _ if overlay::typed(form.current(), key) => {
            (form.chosen, form.opens) = (None, false);
            form.follow_network();
            listing(state, form)
        }
        _ => Vec::new(),
    };
    (effects, false)
}

/// A click on a row: the lines come first, then the choices.
pub(super) fn choose(state: &mut State, form: &mut Form, at: usize) -> Vec<Effect> {
    if let Some(field) = Field::ALL.get(at) {
        form.go(*field);
        return renewed(state, form);
    }
    form.chosen = Some(at - Field::ALL.len());
    take(state, form)
}

/// Pasted text: a file that is dropped takes the place of the line.
pub(super) fn paste(state: &mut State, form: &mut Form, text: &str) -> Vec<Effect> {
    let text: String = dropped(text).chars().filter(|c| !c.is_control()).collect();
    let whole = text.starts_with(['/', '~']) && form.field != Field::Preprocessing;
    let before = if whole { "" } else { form.text() };
    let line = format!("{before}{text}");
    if line.len() <= overlay::LONGEST {
        *form.current() = line.into();
    }
    form.chosen = None;
    form.follow_network();
    listing(state, form)
}

/// Goes to another line, and looks at what is there so far.
fn turned(state: &mut State, form: &mut Form, steps: usize) -> Vec<Effect> {
    form.turn(steps);
    renewed(state, form)
}

/// The line becomes the choice; one that ends a path is looked at.
fn take(state: &mut State, form: &mut Form) -> Vec<Effect> {
    let chosen = form.choices.as_ref().zip(form.chosen.take());
    let Some(text) = chosen
        .and_then(|(choices, at)| choices.found.get(at))
        .cloned()
    else {
        return Vec::new();
    };
    let goes_on = text.ends_with(['/', ':', '=']);
    *form.current() = text.into();
    form.follow_network();
    if goes_on {
        listing(state, form)
    } else {
        turned(state, form, 1)
    }
}

/// Opens what was found to be right, or as soon as it is.
fn finish(state: &mut State, form: &mut Form) -> (Vec<Effect>, bool) {
    form.opens = true;
    let mut effects = look(state, form);
    let closed = opened(state, form);
    let closes = closed.is_some();
    effects.extend(closed.unwrap_or_default());
    (effects, closes)
}

/// What follows when everything is right; `None` while it is not known, or something is wrong.
fn opened(state: &mut State, form: &mut Form) -> Option<Vec<Effect>> {
    let request = form.request()?;
    let answers = form.answers()?;
    if answers.request != placed(state, request) {
        return None;
    }
    let Some(found) = answers.found.clone() else {
        form.opens = false;
        if let Some(wrong) = form.wrong() {
            form.go(wrong);
        }
        return None;
    };
    if let Some(reason) = projects::why_not_leave(state) {
        form.opens = false;
        state.notify(Level::Info, format!("open: {reason}"));
        return None;
    }
    Some(vec![Effect::SaveSession, Effect::Open(Box::new(found))])
}

/// The request with the place of the projects.
fn placed(state: &State, request: OpenRequest) -> OpenRequest {
    let projects = state.place.folder.parent();
    let data = projects.and_then(Path::parent);
    OpenRequest {
        folder: data.map(ToOwned::to_owned).unwrap_or_default(),
        ..request
    }
}

/// Looks at what was typed, and at how the line may go on.
fn renewed(state: &mut State, form: &mut Form) -> Vec<Effect> {
    let mut effects = listing(state, form);
    effects.extend(look(state, form));
    effects
}

/// Finds how the line in work may go on.
fn listing(state: &mut State, form: &Form) -> Vec<Effect> {
    let (field, text) = (form.field, form.text().to_owned());
    start(state, Task::Choices { field, text })
}

/// Looks at what was typed, unless that was done; a look at something else ends.
fn look(state: &mut State, form: &mut Form) -> Vec<Effect> {
    let Some(request) = form.request().map(|request| placed(state, request)) else {
        return Vec::new();
    };
    if form
        .answers()
        .is_some_and(|answers| answers.request == request)
    {
        return Vec::new();
    }
    let running = state.job(JobKind::Look).map(|job| Effect::Stop(job.id));
    let mut effects: Vec<Effect> = running.into_iter().collect();
    effects.extend(start(state, Task::Look(Box::new(request))));
    effects
}

/// What was asked arrives; what was typed meanwhile is asked next.
pub(super) fn answered(state: &mut State, answers: Answers) -> Vec<Effect> {
    let Some((at, mut form)) = taken(state) else {
        return Vec::new();
    };
    let request = form.request().map(|request| placed(state, request));
    let mut effects = Vec::new();
    if request.as_ref() == Some(&answers.request) {
        form.hear(answers);
        let closed = if form.opens {
            opened(state, &mut form)
        } else {
            None
        };
        if let Some(closed) = closed {
            return closed;
        }
    } else if state.job(JobKind::Look).is_none() {
        effects = look(state, &mut form);
    }
    state.overlays.insert(at, Overlay::Open(form));
    effects
}

/// How the line may go on; too late when it has other text by now.
pub(super) fn listed(state: &mut State, found: Choices) {
    if let Some(Overlay::Open(form)) = state.overlays.last_mut()
        && (form.field, form.text()) == (found.field, &*found.text)
    {
        form.choices = Some(found);
    }
}

/// The window, wherever it lies.
fn taken(state: &mut State) -> Option<(usize, Box<Form>)> {
    let at = state
        .overlays
        .iter()
        .position(|overlay| matches!(overlay, Overlay::Open(_)))?;
    match state.overlays.remove(at) {
        Overlay::Open(form) => Some((at, form)),
        _ => None,
    }
}
