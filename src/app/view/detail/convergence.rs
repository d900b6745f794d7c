//! How a layer's eigenvalue converged: the estimate, and the residual against the tolerance.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::told;
use crate::app::state::State;
use crate::app::theme::{Role, Theme};
use crate::app::view::format::number;
use crate::app::view::plot::{self, Curve, Kind, Labels};
use crate::app::view::{FILL, rows};
use crate::engine::hessian::sensitivity::LayerSensitivity;

/// Points of the dotted line of the tolerance.
const DOTS: usize = 25;
/// Rows from which the estimate has a picture of its own.
const ROOMY: u16 = 18;

pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    (layer, state): (&LayerSensitivity, &State),
    theme: &Theme,
) {
    let history = state.analysis.convergence(layer);
    let Some((value, residual)) = history.last().copied() else {
        let text = "Not measured yet, or measured elsewhere.".to_owned();
        told(frame, area, &[text], theme);
        return;
    };
    let tolerance = state.analysis.tolerance_of(layer);
    let steps = if history.len() == 1 {
        "iteration"
    } else {
        "iterations"
    };
    let text = format!(
        "{} {} {} {} after {} {steps}; residual {}, tolerance {tolerance:e}.",
        theme.symbols.lambda,
        number(value),
        theme.symbols.plus_minus,
        number(residual * value.abs()),
        history.len(),
        number(residual)
    );
    let rest = told(frame, area, &[text], theme);
    if rest.height >= ROOMY {
        let [upper, lower] = rows(rest, [rest.height / 2, FILL]);
        estimates(frame, upper, history, theme);
        residuals(frame, lower, ("residual", history, tolerance), theme);
    } else {
        residuals(frame, rest, ("residual", history, tolerance), theme);
    }
}

/// The residual of a layer alone.
pub(super) fn residual(
    frame: &mut Frame,
    area: Rect,
    (layer, state): (&LayerSensitivity, &State),
    theme: &Theme,
) {
    let history = state.analysis.convergence(layer);
    if !history.iter().any(|(_, residual)| residual.is_finite()) {
        let text = if history.is_empty() {
            "not measured yet"
        } else {
            "what was measured is not a number"
        };
        told(frame, area, &[text.to_owned()], theme);
        return;
    }
    let name = format!("residual of {}", layer.layer);
    let tolerance = state.analysis.tolerance_of(layer);
    residuals(frame, area, (&name, history, tolerance), theme);
}

/// The estimate after each iteration.
fn estimates(frame: &mut Frame, area: Rect, history: &[(f64, f64)], theme: &Theme) {
    let points = (1..)
        .zip(history)
        .map(|(at, (value, _))| (f64::from(at), *value));
    let curve = Curve {
        points: plot::points(points),
        style: theme.series(1),
        kind: Kind::Line,
    };
    let title = format!("estimate of {}", theme.symbols.lambda);
    picture(
        frame,
        area,
        (&title, false, history.len()),
        (&[curve], theme),
    );
}

/// The residual after each iteration, and the tolerance as a dotted line.
fn residuals(
    frame: &mut Frame,
    area: Rect,
    (name, history, tolerance): (&str, &[(f64, f64)], f64),
    theme: &Theme,
) {
    let points = (1..)
        .zip(history)
        .map(|(at, (_, residual))| (f64::from(at), *residual));
    let last = history.len().max(2) as f64;
    let dots = (0..DOTS).map(|at| 1.0 + (last - 1.0) * at as f64 / (DOTS - 1) as f64);
    let curves = [
        Curve {
            points: plot::logarithmic(dots.map(|x| (x, tolerance))),
            style: theme.style(Role::Muted),
            kind: Kind::Points,
        },
        Curve {
            points: plot::logarithmic(points),
            style: theme.series(0),
            kind: Kind::Line,
        },
    ];
    let dotted = tolerance.is_finite() && tolerance > 0.0;
    let told = if dotted { "; dotted: tolerance" } else { "" };
    let mut title = format!("{name}{told}");
    if title.chars().count() > area.width as usize {
        name.clone_into(&mut title);
    }
    picture(frame, area, (&title, true, history.len()), (&curves, theme));
}

fn picture(
    frame: &mut Frame,
    area: Rect,
    (title, log, last): (&str, bool, usize),
    (curves, theme): (&[Curve], &Theme),
) {
    if area.height < 4 {
        frame.render_widget(Line::raw(""), area);
        return;
    }
    let last = format!("iteration {last}");
    let labels = Labels {
        title,
        x: ["1", &last],
        log,
        within: plot::ANY,
    };
    plot::draw(frame, area, theme, (labels, curves));
}
