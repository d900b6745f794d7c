//! Closer looks at layers: choosing the view, computing what it shows, measuring layers again, and
//! holding what is drawn.

use std::sync::Arc;

use super::command::unhandled;
use super::start;
use crate::app::command::Command;
use crate::app::effect::Effect;
use crate::app::jobs::detail::{Detail, DetailDone, RemeasureRequest};
use crate::app::jobs::{AnalysisRequest, JobKind, Task};
use crate::app::state::detail::{Asked, View};
use crate::app::state::{Level, Screen, State};
use crate::engine::hessian::sensitivity::Sensitivity;
use crate::engine::job::Outcome;

/// Per cent that a key moves the line between the list and the closer look.
const SHARE_STEP: i16 = 5;
/// About the share that the list has before it is moved.
const USUAL_SHARE: i16 = 55;
/// Smallest and largest share of the list.
const SHARES: [u8; 2] = [20, 80];
/// What a tolerance is divided by when a layer is measured again.
const TIGHTER: f64 = 10.0;
/// The smallest tolerance: rows are float32 numbers.
const TIGHTEST: f64 = 1e-7;

/// Why one of these commands does nothing now.
pub(super) fn why_not(state: &State, command: Command) -> Option<String> {
    let reason = |wrong: bool, reason: &str| wrong.then(|| reason.to_owned());
    let nothing = || reason(state.selected().is_none(), "nothing is loaded yet");
    match command {
        Command::Freeze => reason(
            !state.can_freeze(),
            "only Sensitivity and Fine-tune can be held",
        ),
        Command::Compute => nothing().or_else(|| why_not_compute(state)),
        Command::Remeasure | Command::RemeasureShown => {
            nothing().or_else(|| why_not_remeasure(state, command))
        }
        _ => nothing(),
    }
}

fn why_not_compute(state: &State) -> Option<String> {
    match state.detail.view {
        View::Spectrum | View::Landscape => super::availability::busy(state).or_else(|| {
            let known = state.is_computed();
            known.then(|| "this is computed already, with these settings".to_owned())
        }),
        _ => Some("this view needs no computing; spectrum and landscape do".to_owned()),
    }
}

fn why_not_remeasure(state: &State, command: Command) -> Option<String> {
    let layers = chosen(state, command);
    let measured = |index: &usize| state.analysis.layers[*index].eigenvalue.is_some();
    let text = if state.analysis.report.is_none() || !layers.iter().all(measured) {
        "measure it a first time before (a)".to_owned()
    } else if tighter(state, &layers) >= loosest(state, &layers) {
        format!("float32 products bear no tolerance below {TIGHTEST:e}")
    } else {
        return super::availability::busy(state);
    };
    Some(text)
}

/// The layers a command concerns.
fn chosen(state: &State, command: Command) -> Vec<usize> {
    if command == Command::RemeasureShown {
        state.visible_layers()
    } else {
        vec![state.layer]
    }
}

fn loosest(state: &State, layers: &[usize]) -> f64 {
    let tolerances = layers
        .iter()
        .map(|index| state.analysis.tolerance_of(&state.analysis.layers[*index]));
    tolerances.fold(0.0, f64::max)
}

/// A tenth of the loosest tolerance, without the digits that a division leaves behind.
fn tighter(state: &State, layers: &[usize]) -> f64 {
    let divided = format!("{:.2e}", loosest(state, layers) / TIGHTER);
    divided.parse::<f64>().unwrap_or(TIGHTEST).max(TIGHTEST)
}

/// Does one of these commands.
pub(super) fn execute(state: &mut State, command: Command) -> Vec<Effect> {
    let view = &mut state.detail.view;
    match command {
        Command::NextView => *view = view.turned(1),
        Command::PreviousView => *view = view.turned(View::CYCLE.len() - 1),
        Command::Overview => *view = View::Overview,
        Command::Spectrum => *view = View::Spectrum,
        Command::Landscape => *view = View::Landscape,
        Command::Weights => *view = View::Weights,
        Command::Convergence => *view = View::Convergence,
        Command::Compare if *view == View::Compare => *view = View::Overview,
        Command::Compare => *view = View::Compare,
        Command::NarrowList => move_share(state, -SHARE_STEP),
        Command::WidenList => move_share(state, SHARE_STEP),
        Command::Compute => return compute(state),
        Command::Freeze => freeze(state),
        Command::Remeasure | Command::RemeasureShown => return remeasure(state, command),
        other => unhandled(other),
    }
    Vec::new()
}

/// Moves the line between the list and the closer look.
fn move_share(state: &mut State, by: i16) {
    let share = state.list_share.map_or(USUAL_SHARE, i16::from) + by;
    set_share(state, share.clamp(0, 100) as u8);
}

/// Gives the list this share, in per cent, within what leaves room for both panes.
pub(super) fn set_share(state: &mut State, share: u8) {
    state.list_share = Some(share.clamp(SHARES[0], SHARES[1]));
    state.follow_frozen();
}

fn freeze(state: &mut State) {
    if state.frozen.take().is_none() {
        state.freeze();
    }
}

fn compute(state: &mut State) -> Vec<Effect> {
    let asked = match state.detail.view {
        View::Spectrum => state.spectrum_request().map(Asked::Spectrum),
        _ => state.landscape_request().map(Asked::Landscape),
    };
    let detail = match asked.clone() {
        Some(Asked::Spectrum(request)) => Detail::Spectrum(request),
        Some(Asked::Landscape(request)) => Detail::Landscape(request),
        _ => return Vec::new(),
    };
    state.detail.asked = asked;
    start(state, Task::Detail(detail))
}

fn remeasure(state: &mut State, command: Command) -> Vec<Effect> {
    let chosen = chosen(state, command);
    let tolerance = tighter(state, &chosen);
    let name = |index: &usize| state.analysis.layers[*index].layer.clone();
    let layers: Vec<Arc<str>> = chosen.iter().map(name).collect();
    let analysis = AnalysisRequest {
        tolerance,
        loss_change: false,
        ..state.analysis.measured_with()
    };
    state.detail.asked = Some(Asked::Remeasure(layers.clone()));
    let request = RemeasureRequest { layers, analysis };
    start(state, Task::Detail(Detail::Remeasure(request)))
}

/// Counts the weights of the selected layer when they are looked at and nobody has.
pub(super) fn follow(state: &mut State) -> Vec<Effect> {
    state.follow_frozen();
    let looks = state.screen == Screen::Sensitivity && state.detail.view == View::Weights;
    if !looks || state.job(JobKind::Weights).is_some() || state.loaded().is_none() {
        return Vec::new();
    }
    let Some(request) = state.weights_request() else {
        return Vec::new();
    };
    if state.detail.weights.has(&request.layer, &request) {
        return Vec::new();
    }
    state.detail.counting = Some(request.clone());
    start(state, Task::Detail(Detail::Weights(request)))
}

/// What came of a closer look.
pub(super) fn finished(state: &mut State, done: DetailDone) -> Vec<Effect> {
    let detail = &mut state.detail;
    match done {
        DetailDone::Weights(request, weights) => {
            detail.counting = None;
            let layer = request.layer.clone();
            detail.weights.keep(&layer, request, Ok(weights));
            return Vec::new();
        }
        DetailDone::Spectrum(request, Some(spectrum)) => {
            let layer = request.layer.clone();
            detail.spectra.keep(&layer, request, Ok(spectrum));
        }
        DetailDone::Landscape(request, Some(landscape)) => {
            let layer = request.layer.clone();
            detail.landscapes.keep(&layer, request, Ok(landscape));
        }
        DetailDone::Spectrum(_, None) | DetailDone::Landscape(_, None) => {}
        DetailDone::Remeasured(request, sensitivity, outcome) => {
            detail.asked = None;
            return remeasured(state, &request, (*sensitivity, outcome));
        }
    }
    detail.asked = None;
    Vec::new()
}

fn remeasured(
    state: &mut State,
    request: &RemeasureRequest,
    (sensitivity, outcome): (Sensitivity, Outcome),
) -> Vec<Effect> {
    let status = state.analysis.status.clone();
    state.analysis.settle();
    state.analysis.adopt(sensitivity, status);
    let tolerance = request.analysis.tolerance;
    let what = match &request.layers[..] {
        [layer] => layer.to_string(),
        layers => format!("{} layers", layers.len()),
    };
    let text = match outcome {
        Outcome::Done => format!("measured {what} again, to a residual of {tolerance:e}"),
        Outcome::Stopped => "stopped; layers that were not finished keep what they had".to_owned(),
    };
    state.notify(Level::Info, text);
    super::edit::frontier(state)
}

/// A closer look failed; what was known before stays.
pub(super) fn failed(state: &mut State, kind: JobKind, reason: &str) {
    let detail = &mut state.detail;
    if kind == JobKind::Weights {
        if let Some(request) = detail.counting.take() {
            let layer = request.layer.clone();
            detail.weights.keep(&layer, request, Err(reason.to_owned()));
        }
        return;
    }
    match detail.asked.take() {
        Some(Asked::Spectrum(request)) => {
            let layer = request.layer.clone();
            detail.spectra.keep(&layer, request, Err(reason.to_owned()));
        }
        Some(Asked::Landscape(request)) => {
            let layer = request.layer.clone();
            let landscapes = &mut detail.landscapes;
            landscapes.keep(&layer, request, Err(reason.to_owned()));
        }
        Some(Asked::Remeasure(_)) | None => {}
    }
    state.analysis.settle();
}
