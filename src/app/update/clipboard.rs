//! What goes into the clipboard of the terminal, and the bits that are copied from row to row.

use crate::app::effect::Effect;
use crate::app::state::bits::{Change, Column};
use crate::app::state::runs::Pane;
use crate::app::state::{Level, Screen, State, planning};
use crate::engine::events::history::Evaluation;
use crate::engine::plan::file as plan_file;

use super::edit;

/// Copies the row at the cursor: on the bit table also its bits, for other rows.
pub(super) fn copy(state: &mut State) -> Vec<Effect> {
    let text = match state.screen {
        Screen::Sensitivity | Screen::Bits => layer(state),
        Screen::Tune if state.tune.list.pane == Pane::Runs => run(state),
        _ => state.toast.as_ref().map(|(notice, _)| notice.text.clone()),
    };
    let Some(text) = text else {
        state.notify(Level::Info, "copy: there is nothing to copy here");
        return Vec::new();
    };
    if let Some(plan) = &state.bits.plan {
        let row = &plan.layers[state.layer];
        state.bits.copied = Some((row.weight_bits, row.activation_bits));
    }
    copied(state, "the row", text)
}

/// Copies the plan, as its file holds it.
pub(super) fn copy_plan(state: &mut State) -> Vec<Effect> {
    let plan = state.bits.plan.as_ref();
    let text = plan.map(|plan| plan_file::to_toml(plan));
    text.map_or_else(Vec::new, |text| copied(state, "the plan", text))
}

fn copied(state: &mut State, what: &str, text: String) -> Vec<Effect> {
    state.notify(
        Level::Info,
        format!("{what} is in the clipboard, if the terminal allows it (OSC 52)"),
    );
    vec![Effect::Copy(text)]
}

/// What is known of the layer at the cursor, separated by tabs.
fn layer(state: &State) -> Option<String> {
    let layer = state.analysis.layers.get(state.layer)?;
    let row = state.bits.plan.as_ref()?.layers.get(state.layer)?;
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:e}"));
    let cells = [
        layer.layer.to_string(),
        layer.parameters.to_string(),
        row.weight_bits.to_string(),
        row.activation_bits.to_string(),
        number(layer.eigenvalue),
        number(layer.trace),
    ];
    Some(cells.join("\t"))
}

/// What is known of the run at the cursor, separated by tabs.
fn run(state: &State) -> Option<String> {
    let rows = state.tune.rows();
    let row = rows.get(state.tune.selected(&rows))?;
    let (facts, run) = (row.facts?, row.run?);
    let accuracy = |measured: Option<&Evaluation>| {
        measured.map_or_else(String::new, |measured| {
            measured.score.accuracy().to_string()
        })
    };
    let cells = [
        row.folder.display().to_string(),
        format!("{:.2}", facts.weight_compression),
        facts.settings.schedule.to_string(),
        facts.settings.epochs.to_string(),
        facts.settings.learning_rate.to_string(),
        run.history.step.to_string(),
        accuracy(run.history.validation()),
        accuracy(run.history.test()),
        row.note.to_owned(),
    ];
    Some(cells.join("\t"))
}

/// Gives the selected rows the bits of the row that was copied.
pub(super) fn paste_bits(state: &mut State) -> Vec<Effect> {
    let (Some(plan), Some((weights, activations))) = (state.bits.plan.clone(), state.bits.copied)
    else {
        return Vec::new();
    };
    let (rows, layers) = (edit::selection(state), &state.analysis.layers);
    let by = (Column::Weights, Change::Set(weights));
    let (next, first) = planning::with_bits(&plan, layers, &rows, by);
    let by = (Column::Activations, Change::Set(activations));
    let (next, second) = planning::with_bits(&next, layers, &rows, by);
    if let Some(reason) = first.or(second) {
        state.notify(Level::Warning, reason);
    }
    edit::change(state, next, "paste bits")
}
