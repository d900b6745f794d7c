//! Going to another project.

use crate::app::effect::Effect;
use crate::app::jobs::{FoundProject, Held, JobKind, Task};
use crate::app::key::{Key, KeyCode};
use crate::app::state::overlay::Overlay;
use crate::app::state::{Level, State};

use super::{availability, overlay, start};

/// Asks which project to go to.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let Some(folder) = state.place.folder.parent().map(ToOwned::to_owned) else {
        return Vec::new();
    };
    state.overlays.push(Overlay::Projects {
        selected: 0,
        found: None,
    });
    let own = state.place.project.clone();
    start(state, Task::Projects { folder, own })
}

/// The projects were found: the one used last before this one is selected.
pub(super) fn listed(state: &mut State, projects: Vec<FoundProject>) {
    if let Some(Overlay::Projects { selected, found }) = state.overlays.last_mut() {
        let other = projects
            .iter()
            .position(|project| project.held != Held::Here);
        *selected = other.unwrap_or(0);
        *found = Some(projects);
    }
}

/// A key in the list; `Some` when it closes.
pub(super) fn press(
    state: &mut State,
    key: Key,
    (selected, found): (&mut usize, &Option<Vec<FoundProject>>),
) -> Option<Vec<Effect>> {
    let found = found.as_deref().unwrap_or_default();
    match key.code {
        KeyCode::Enter => Some(
            found
                .get(*selected)
                .map_or_else(Vec::new, |project| go(state, project)),
        ),
        KeyCode::Char('q') => Some(Vec::new()),
        _ => {
            overlay::moved(key, selected, found.len());
            None
        }
    }
}

/// Leaves this project as `q` and `f` do, for another one.
fn go(state: &mut State, project: &FoundProject) -> Vec<Effect> {
    if project.held == Held::Here {
        return Vec::new();
    }
    if let Some(reason) = why_not_leave(state) {
        state.notify(Level::Info, format!("projects: {reason}"));
        return Vec::new();
    }
    vec![
        Effect::SaveSession,
        Effect::OpenProject(project.name.clone()),
    ]
}

/// Why this project cannot be left for another now.
pub(super) fn why_not_leave(state: &State) -> Option<String> {
    let stays = state.is_watching() || state.leaves_work_running();
    let loads = state.job(JobKind::Open).is_some();
    availability::busy(state).filter(|_| !stays && !loads)
}
