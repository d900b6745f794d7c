//! The plan as a text in the user's editor. A text that is no plan is kept, to be mended.

use crate::app::effect::Effect;
use crate::app::key::{Key, KeyCode};
use crate::app::state::bits::Draft;
use crate::app::state::overlay::Overlay;
use crate::app::state::{Level, State, planning};
use crate::engine::plan::file as plan_file;

use super::edit;

/// What stands above the plan.
const INTRODUCTION: &str = "\
# The plan. Bits are 2 to 8, or 32 to leave the values as they are. `pinned` layers keep their
# bits when bits are allocated; layers with the same `tie` share their weight bits.
# Save and leave the editor to take it over; leave without a change to keep the plan as it is.

";

/// Gives the plan to the editor, or the text that came back with a mistake.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let Some(plan) = &state.bits.plan else {
        return Vec::new();
    };
    let text = match state.bits.draft.take() {
        Some(Draft::Kept(text)) => text,
        _ => format!("{INTRODUCTION}{}", plan_file::to_toml(plan)),
    };
    state.bits.draft = Some(Draft::Given(text.clone()));
    vec![Effect::EditPlan(text)]
}

/// The editor ended and left a text.
pub(super) fn ended(state: &mut State, text: String, ended: Result<(), String>) -> Vec<Effect> {
    let given = match state.bits.draft.take() {
        Some(Draft::Given(given) | Draft::Kept(given)) => given,
        None => String::new(),
    };
    if let Err(reason) = ended {
        let kept = !text.is_empty() && text != given;
        let rest = if kept {
            state.bits.draft = Some(Draft::Kept(text));
            "; the plan is as it was, and your text opens again with e"
        } else {
            "; the plan is as it was"
        };
        state.notify(Level::Warning, format!("{reason}{rest}"));
        return Vec::new();
    }
    take(state, text, &given)
}

/// Takes the text over as one change, or asks what to do with it. A text that is as it was given
/// changes nothing, whatever became of the plan meanwhile.
fn take(state: &mut State, text: String, given: &str) -> Vec<Effect> {
    let Some(inputs) = state.loaded().cloned() else {
        return Vec::new();
    };
    match planning::read_foreign(&text, &inputs) {
        Ok(plan) => {
            let mut effects = vec![Effect::DropEdited];
            let done = if text == given {
                Vec::new()
            } else {
                edit::change(state, plan, "edit in the editor")
            };
            let told = if done.is_empty() {
                "the plan is as it was"
            } else {
                "the plan was taken over; u undoes it"
            };
            state.notify(Level::Info, told);
            effects.extend(done);
            effects
        }
        Err(problem) => {
            state.bits.draft = Some(Draft::Kept(text));
            state.overlays.push(Overlay::EditAgain { problem });
            Vec::new()
        }
    }
}

/// A key for the question what becomes of a text that is no plan.
pub(super) fn press(state: &mut State, key: Key) -> Option<Vec<Effect>> {
    match key.code {
        KeyCode::Char('e') | KeyCode::Enter => Some(open(state)),
        KeyCode::Char('d') => {
            state.bits.draft = None;
            Some(vec![Effect::DropEdited])
        }
        KeyCode::Char('k') => Some(Vec::new()),
        _ => None,
    }
}
