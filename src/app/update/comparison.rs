//! Comparing the plan with another one.

use std::path::Path;

use crate::app::command::Command;
use crate::app::effect::Effect;
use crate::app::jobs::Task;
use crate::app::key::{Key, KeyCode};
use crate::app::state::comparison::{Choice, Other};
use crate::app::state::overlay::{Overlay, Purpose};
use crate::app::state::{Level, State, planning};

use super::{command, overlay, start};

/// Asks which plan to compare with, or ends the comparison.
pub(super) fn toggle(state: &mut State) -> Vec<Effect> {
    if state.bits.other.take().is_some() {
        return Vec::new();
    }
    state.overlays.push(Overlay::Plans { selected: 0 });
    let runs = state.place.folder.join("runs");
    start(state, Task::RunPlans(runs))
}

/// A key in the list of plans; `Some` when it closes.
pub(super) fn press(state: &mut State, key: Key, selected: &mut usize) -> Option<Vec<Effect>> {
    let choices = state.comparable();
    if key.code == KeyCode::Enter {
        match choices.into_iter().nth(*selected) {
            Some(Choice::Plan(other)) => compare(state, other),
            Some(Choice::File) => {
                let path = state.bits.other_path.clone();
                command::ask(state, Purpose::OtherPlan, path);
            }
            None => {}
        }
        return Some(Vec::new());
    }
    if matches!(key.code, KeyCode::Char('c' | 'q')) {
        return Some(Vec::new());
    }
    overlay::moved(key, selected, choices.len());
    None
}

fn compare(state: &mut State, other: Other) {
    let Some(plan) = &state.bits.plan else {
        return;
    };
    let text = match other.differences(plan) {
        0 => format!("{} has the same bits", other.name),
        _ => format!(
            "compared with {}; n and N go to the differences, c ends it",
            other.name
        ),
    };
    state.bits.other = Some(other);
    state.notify(Level::Info, text);
}

/// Starts to read the plan in a file.
pub(super) fn open(state: &mut State, path: &str) -> Vec<Effect> {
    path.clone_into(&mut state.bits.other_path);
    start(state, Task::PlanFile(path.into()))
}

/// A plan file was read.
pub(super) fn opened(state: &mut State, path: &Path, text: &str) {
    let Some(inputs) = state.loaded().cloned() else {
        return;
    };
    match planning::read_foreign(text, &inputs) {
        Ok(plan) => {
            let name = path.file_name().unwrap_or(path.as_os_str());
            let name = name.to_string_lossy().into_owned();
            let plan = plan.into();
            compare(state, Other { name, plan });
        }
        Err(reason) => state.notify(Level::Warning, format!("{}: {reason}", path.display())),
    }
}

/// The plans of the project's runs were read; those of another network are left out.
pub(super) fn listed(state: &mut State, texts: Vec<(String, String)>) {
    let Some(inputs) = state.loaded().cloned() else {
        return;
    };
    let plans = texts.into_iter().filter_map(|(run, text)| {
        let plan = planning::read_foreign(&text, &inputs).ok()?.into();
        let name = format!("run {run}");
        Some(Other { name, plan })
    });
    state.bits.run_plans = plans.collect();
}

/// Goes to the next or the previous row that differs, around the ends.
pub(super) fn jump(state: &mut State, towards: Command) {
    let (differing, visible) = (state.differing(), state.visible_layers());
    let at = state.cursor(&visible).unwrap_or(0);
    let place = |row: &usize| visible.iter().position(|index| index == row);
    let beyond = |row: &&usize| match towards {
        Command::NextDifference => place(row) > Some(at),
        _ => place(row) < Some(at),
    };
    let found = match towards {
        Command::NextDifference => differing.iter().find(beyond).or(differing.first()),
        _ => differing.iter().rfind(beyond).or(differing.last()),
    };
    match found {
        Some(row) => state.layer = *row,
        None => state.notify(Level::Info, "no row shown has other bits"),
    }
}
