//! Editing the plan: bits, pins, ties, allocation, undo.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::app::effect::Effect;
use crate::app::jobs::{JobKind, LossChangesRequest, Task};
use crate::app::state::bits::{Accuracy, Allocation, BUDGETS, Change, Column, DEBOUNCE, Frontier};
use crate::app::state::overlay::Overlay;
use crate::app::state::planning::Subject;
use crate::app::state::{Filter, Level, State, planning};
use crate::engine::allocate::Budget;
use crate::engine::hessian::Metric;
use crate::engine::plan::Plan;

use super::start;

/// The rows an edit concerns.
pub(super) fn selection(state: &State) -> BTreeSet<usize> {
    state.bits.selection(state.layer, &state.visible_layers())
}

/// Replaces the plan and lets everything follow that depends on it.
pub(super) fn change(state: &mut State, plan: Plan, what: impl Into<String>) -> Vec<Effect> {
    if state.bits.change(plan, what) {
        changed(state)
    } else {
        Vec::new()
    }
}

/// The plan on screen is another one: saves it, and measures it after a moment of quiet.
pub(super) fn changed(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    schedule_evaluation(state, &mut effects);
    state.tune.refused = None;
    state.withdraw(JobKind::is_of_plan);
    effects.extend(renew_frontier(state));
    if let Some(plan) = &state.bits.plan {
        effects.push(Effect::SavePlan(plan.clone()));
    }
    effects
}

/// Measures the plan on screen after a moment of quiet, unless its accuracy is known.
pub(super) fn schedule_evaluation(state: &mut State, effects: &mut Vec<Effect>) {
    let known = matches!(state.bits.accuracy(), Accuracy::Done(_) | Accuracy::Running);
    state.bits.evaluate_at = (!known).then(|| state.now + DEBOUNCE);
    if !matches!(state.bits.accuracy(), Accuracy::Running)
        && let Some(job) = state.job(JobKind::Evaluate)
    {
        effects.push(Effect::Stop(job.id));
    }
}

/// Starts measuring when it is time and nothing else runs.
pub(super) fn evaluate_when_due(state: &mut State) -> Vec<Effect> {
    if state.is_watching() {
        return Vec::new();
    }
    let due = state.bits.evaluate_at.is_some_and(|at| at <= state.now);
    let busy = state.foreground().is_some() || state.job(JobKind::Evaluate).is_some();
    let Some(plan) = state
        .bits
        .plan
        .clone()
        .filter(|_| due && state.loaded().is_some())
    else {
        return Vec::new();
    };
    state.bits.evaluate_at = None;
    if busy {
        // Looked at again when that work ends.
        state.bits.waiting = true;
        return Vec::new();
    }
    state.bits.waiting = false;
    state.bits.evaluating = Some(crate::app::state::bits::key(&plan));
    start(state, Task::Evaluate(plan))
}

/// Measures the loss changes at the bits of the plan on screen that the analysis did not measure,
/// once the plan has been left alone for a moment.
pub(super) fn follow(state: &mut State) -> Vec<Effect> {
    let busy = state.foreground().is_some() || state.job(JobKind::LossChanges).is_some();
    if busy || state.is_watching() || state.bits.evaluate_at.is_some() || state.leaving.is_some() {
        return Vec::new();
    }
    let wanted = state.awaited();
    if wanted.is_empty() {
        return Vec::new();
    }
    let analysis = state.analysis.measured_with();
    let request = LossChangesRequest { wanted, analysis };
    state.analysis.asked.clone_from(&request.wanted);
    start(state, Task::LossChanges(request))
}

/// Changes the bits of the selected rows.
pub(super) fn set_bits(state: &mut State, by: Change) -> Vec<Effect> {
    let Some(plan) = state.bits.plan.clone() else {
        return Vec::new();
    };
    let rows = selection(state);
    let column = state.bits.column;
    let (next, refused) = planning::with_bits(&plan, &state.analysis.layers, &rows, (column, by));
    if let Some(reason) = refused {
        state.notify(Level::Warning, reason);
    }
    let what = match rows.len() {
        1 => format!("bits of {}", plan.layers[state.layer].name),
        count => format!("bits of {count} layers"),
    };
    change(state, next, what)
}

/// Pins the selected rows, or unpins them when all are pinned.
pub(super) fn pin(state: &mut State) -> Vec<Effect> {
    let Some(plan) = state.bits.plan.clone() else {
        return Vec::new();
    };
    let rows = selection(state);
    let pin = !rows.iter().all(|row| plan.layers[*row].pinned);
    let what = if pin { "pin" } else { "unpin" };
    let next = planning::edited(&plan, &rows, |plan, rows| plan.pin(rows, pin));
    change(state, next, what)
}

/// Ties the selected rows, or unties them.
pub(super) fn tie(state: &mut State, tie: bool) -> Vec<Effect> {
    let Some(plan) = state.bits.plan.clone() else {
        return Vec::new();
    };
    let rows = selection(state);
    if tie && rows.len() < 2 {
        state.notify(
            Level::Warning,
            "select at least two layers first (v, or * for a pattern)",
        );
        return Vec::new();
    }
    let next = planning::edited(&plan, &rows, |plan, rows| {
        if tie {
            plan.tie(rows);
        } else {
            plan.untie(rows);
        }
    });
    let mut effects = change(state, next, if tie { "tie" } else { "untie" });
    effects.extend(frontier(state));
    effects
}

/// Sets the selected rows back to the last automatic plan.
pub(super) fn reset(state: &mut State) -> Vec<Effect> {
    let (Some(plan), Some(automatic)) = (state.bits.plan.clone(), state.bits.automatic.clone())
    else {
        return Vec::new();
    };
    let rows = selection(state);
    let next = planning::edited(&plan, &rows, |plan, rows| plan.reset(rows, &automatic));
    change(state, next, "reset to automatic")
}

/// Begins or ends the visual selection.
pub(super) fn visual(state: &mut State) {
    let bits = &mut state.bits;
    if bits.has_selection() {
        bits.clear_selection();
    } else {
        bits.anchor = Some(state.layer);
    }
}

/// Selects the layers that match a pattern.
///
/// # Errors
/// When none does.
pub(super) fn select(state: &mut State, pattern: &str) -> Result<(), String> {
    let filter = Filter::new(pattern);
    let layers = state.analysis.layers.iter().enumerate();
    let found: BTreeSet<usize> = layers
        .filter(|(_, layer)| filter.shows(&layer.layer))
        .map(|(index, _)| index)
        .collect();
    let Some(first) = found.first() else {
        return Err(format!("no layer matches `{pattern}`"));
    };
    state.layer = *first;
    state.bits.anchor = None;
    state.bits.marked = found;
    Ok(())
}

/// Switches between weights and activations.
pub(super) fn switch_column(state: &mut State) {
    state.bits.column = match state.bits.column {
        Column::Weights => Column::Activations,
        Column::Activations => Column::Weights,
    };
}

/// The next metric that was measured for every layer.
pub(super) fn next_metric(state: &mut State) -> Vec<Effect> {
    let at = Metric::ALL
        .iter()
        .position(|metric| *metric == state.bits.metric)
        .unwrap_or(0);
    let rest = (1..=Metric::ALL.len()).map(|step| Metric::ALL[(at + step) % Metric::ALL.len()]);
    let measured = |metric: &Metric| planning::is_measured(&state.analysis.layers, *metric);
    if let Some(metric) = rest.into_iter().find(measured) {
        state.bits.metric = metric;
        state.bits.frontier = None;
    }
    frontier(state)
}

/// What the allocator is asked about; `None` before everything is measured.
pub(super) fn subject(state: &State) -> Option<Subject> {
    state.bits.subject(state.analysis.sensitivity()?)
}

/// Computes the frontier again where it is of other ties, step sizes or another metric than those of
/// the plan on screen.
pub(super) fn renew_frontier(state: &mut State) -> Vec<Effect> {
    let known = state.bits.frontier.is_some();
    if !known || state.bits.frontier_of == state.bits.framework() {
        return Vec::new();
    }
    state.bits.frontier = None;
    frontier(state)
}

/// Computes the frontier of all budgets.
pub(super) fn frontier(state: &mut State) -> Vec<Effect> {
    match subject(state) {
        Some(subject) if state.job(JobKind::Frontier).is_none() => {
            state.bits.frontier_of = state.bits.framework();
            start(state, Task::Frontier(Box::new(Frontier { subject })))
        }
        _ => Vec::new(),
    }
}

/// Starts the allocation of the next plan of the frontier that is smaller, or larger.
pub(super) fn frontier_step(state: &mut State, towards: Ordering) -> Vec<Effect> {
    let (Some(subject), Some(plan)) = (subject(state), &state.bits.plan) else {
        return Vec::new();
    };
    let size = planning::totals(plan, &state.analysis.layers).weight_bytes();
    let points = state.bits.frontier.iter().flatten();
    let sizes = points.map(|(bytes, _)| *bytes);
    let beyond = sizes.filter(|bytes| bytes.total_cmp(&size) == towards);
    let next = match towards {
        Ordering::Less => beyond.max_by(f64::total_cmp),
        _ => beyond.min_by(f64::total_cmp),
    };
    let Some(bytes) = next.filter(|_| state.job(JobKind::Allocate).is_none()) else {
        state.notify(Level::Info, "this is the end of the frontier");
        return Vec::new();
    };
    let budget = Budget::Size(bytes);
    start(
        state,
        Task::Allocate(Box::new(Allocation { subject, budget })),
    )
}

/// Opens the window that asks for a budget.
pub(super) fn ask_budget(state: &mut State) {
    let typed = state.bits.typed.get(&0).cloned();
    let input = typed
        .unwrap_or_else(|| BUDGETS[0].example.to_owned())
        .into();
    state.overlays.push(Overlay::Allocate {
        kind: 0,
        input,
        suggested: true,
        problem: None,
    });
}

/// Starts the allocation to a budget.
///
/// # Errors
/// When the text is no budget.
pub(super) fn allocate(state: &mut State, kind: usize, text: &str) -> Result<Vec<Effect>, String> {
    let Some(subject) = subject(state) else {
        return Err("the analysis has to be finished first (screen 2)".to_owned());
    };
    if state.job(JobKind::Allocate).is_some() {
        return Err("still computing the last one".to_owned());
    }
    let budget = planning::parse_budget(kind, text)?;
    subject.check(budget)?;
    state.bits.typed.insert(kind, text.to_owned());
    let allocation = Allocation { subject, budget };
    Ok(start(state, Task::Allocate(Box::new(allocation))))
}

/// The allocator answered with a plan.
pub(super) fn allocated(state: &mut State, plan: Plan) -> Vec<Effect> {
    state.bits.automatic = Some(Arc::new(plan.clone()));
    state.notify(
        Level::Info,
        "allocated; change what you like, enter goes on to fine-tuning",
    );
    change(state, plan, "allocate")
}
