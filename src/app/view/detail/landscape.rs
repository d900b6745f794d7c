//! The loss along a layer's top eigenvector, beside what its eigenvalue predicts.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::{absent, failed, key, told};
use crate::app::command::Command;
use crate::app::jobs::detail::LandscapeRequest;
use crate::app::state::State;
use crate::app::state::detail::View;
use crate::app::theme::Theme;
use crate::app::view::format::number;
use crate::app::view::plot::{self, Curve, Kind, Labels};
use crate::engine::hessian::landscape::{Landscape, POINTS};

/// Points of the predicted curve.
const SMOOTH: usize = 81;

pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let kept = state
        .selected()
        .and_then(|layer| state.detail.landscapes.of(&layer.layer));
    let Some(kept) = kept else {
        return absent(frame, area, ("The landscape", state), theme);
    };
    match &kept.result {
        Err(reason) => failed(frame, area, (reason, state), theme),
        Ok(landscape) => {
            let sentences = words(landscape, (&kept.request, state), theme);
            let rest = told(frame, area, &sentences, theme);
            curves(frame, rest, landscape, theme);
        }
    }
}

/// What the picture shows.
fn words(
    landscape: &Landscape,
    (request, state): (&LandscapeRequest, &State),
    theme: &Theme,
) -> Vec<String> {
    let plus_minus = theme.symbols.plus_minus;
    let (reach, bits) = (number(landscape.reach), request.bits);
    let share = 100.0 * landscape.reach / landscape.norm;
    let mut sentences = vec![format!(
        "t up to {plus_minus}{reach}: the perturbation at {bits} bits, {} % of the weights' norm.",
        number(share)
    )];
    let ends = [landscape.points.first(), landscape.points.last()];
    if let [Some(left), Some(right)] = ends
        && landscape.is_complete()
    {
        let rise = |point: &(f64, f64)| number(point.1 - landscape.loss);
        let predicted = |point: &(f64, f64)| number(landscape.predicted(point.0) - landscape.loss);
        sentences.push(format!(
            "Loss {} at 0; there it rises by {} and {}, predicted {} and {}.",
            number(landscape.loss),
            rise(left),
            rise(right),
            predicted(left),
            predicted(right)
        ));
    } else {
        sentences.push(progress(landscape, state));
    }
    if landscape.is_complete() && !state.is_computed() {
        let key = key(state, Command::Compute);
        sentences.push(format!(
            "Plan or settings changed since; {key} computes it again."
        ));
    }
    sentences
}

fn progress(landscape: &Landscape, state: &State) -> String {
    let done = format!("{} of {POINTS} points", landscape.points.len());
    if state.detail.is_computing(View::Landscape, &landscape.layer) {
        format!(
            "{done}; {} pauses, {} stops.",
            key(state, Command::Pause),
            key(state, Command::Stop)
        )
    } else {
        format!(
            "Stopped at {done}; {} computes it anew.",
            key(state, Command::Compute)
        )
    }
}

fn curves(frame: &mut Frame, area: Rect, landscape: &Landscape, theme: &Theme) {
    let smooth = (0..SMOOTH).map(|at| {
        let share = 2.0 * at as f64 / (SMOOTH - 1) as f64 - 1.0;
        let t = share * landscape.reach;
        (t, landscape.predicted(t))
    });
    let curves = [
        Curve {
            points: plot::points(smooth),
            style: theme.series(1),
            kind: Kind::Line,
        },
        Curve {
            points: plot::points(landscape.points.iter().copied()),
            style: theme.series(0),
            kind: Kind::Points,
        },
    ];
    let ends = plot::round_ends([-landscape.reach, landscape.reach]);
    let [left, right] = ends.map(number);
    let labels = Labels {
        title: "loss at w + t v; points measured, line predicted",
        x: [&left, &right],
        log: false,
        within: [0.0, f64::INFINITY],
    };
    plot::draw_over(frame, area, theme, (ends, (labels, &curves)));
}
