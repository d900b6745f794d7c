//! The curves of the marked runs, one over the other; each has a colour and a sign.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{SIGNS, name};
use crate::app::state::State;
use crate::app::state::look::{LossAxis, Smoothing, Span as Part};
use crate::app::state::runs::Row;
use crate::app::state::tune::Run;
use crate::app::theme::{Role, Theme};
use crate::app::view::format::count;
use crate::app::view::plot::{self, Curve, Kind, Labels};
use crate::app::view::{FILL, columns, rows};
use crate::engine::job::Split;

/// Signs on a curve.
const SIGNS_A_CURVE: usize = 8;
/// Height from which accuracy and loss stand one above the other.
const HIGH: u16 = 14;
/// Width from which they stand side by side where they cannot.
const BROAD: u16 = 70;

/// A run that is drawn.
struct Drawn<'a> {
    run: &'a Run,
    /// The place of its colour and sign.
    place: usize,
}

pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let marked = state.tune.compared();
    let [legend, area] = rows(area, [1, FILL]);
    frame.render_widget(legend_of(state, &marked, theme), legend);
    let drawn: Vec<Drawn> = marked
        .iter()
        .filter_map(|row| {
            Some(Drawn {
                run: row.run?,
                place: row.mark.unwrap_or(0),
            })
        })
        .collect();
    if area.height >= HIGH {
        let [top, bottom] = rows(area, [area.height / 2, FILL]);
        accuracies(frame, top, (&drawn, theme));
        losses(frame, bottom, (&drawn, state, theme));
    } else if area.width >= BROAD {
        let [left, _, right] = columns(area, [area.width / 2 - 1, 2, FILL]);
        accuracies(frame, left, (&drawn, theme));
        losses(frame, right, (&drawn, state, theme));
    } else {
        accuracies(frame, area, (&drawn, theme));
    }
}

/// Which sign and colour is which run.
fn legend_of<'a>(state: &State, marked: &[Row], theme: &Theme) -> Line<'a> {
    let named = marked.iter().flat_map(|row| {
        let place = row.mark.unwrap_or(0);
        let style = theme.series(place);
        [
            Span::styled(format!("{} ", SIGNS[place]), style),
            Span::styled(format!("{}   ", name(state, row)), theme.style(Role::Text)),
        ]
    });
    Line::from(named.collect::<Vec<_>>())
}

fn accuracies(frame: &mut Frame, area: Rect, (drawn, theme): (&[Drawn], &Theme)) {
    let points = |drawn: &Drawn| {
        // The float network stands at the first step, too.
        let measured = drawn.run.history.evaluated(Split::Validation);
        let quantized = measured.filter(|measured| measured.label != "float");
        let points = quantized.map(|measured| (measured.step as f64, measured.score.accuracy()));
        points.collect()
    };
    let curves = curves(drawn, points, theme);
    let labels = ("validation accuracy, whole runs", false, [0.0, 1.0]);
    over_steps(frame, area, (drawn, &curves, theme), labels);
}

fn losses(frame: &mut Frame, area: Rect, (drawn, state, theme): (&[Drawn], &State, &Theme)) {
    let look = state.tune.look;
    let log = look.loss_axis == LossAxis::Log;
    let part = |drawn: &Drawn| plot::on_axis(look.part(&drawn.run.loss, Part::Whole).0, log);
    let left_out: usize = drawn.iter().map(|drawn| part(drawn).1).sum();
    let curves = curves(drawn, |drawn| part(drawn).0, theme);
    let mut title = vec![
        if log {
            "log training loss"
        } else {
            "training loss"
        }
        .to_owned(),
    ];
    title.push("whole runs".to_owned());
    if look.smoothing != Smoothing::Off {
        title.push(format!("smoothed: {}", look.smoothing.name()));
    }
    if left_out > 0 {
        title.push(format!("{left_out} values <= 0 left out"));
    }
    let within = if log { plot::ANY } else { [0.0, f64::INFINITY] };
    over_steps(
        frame,
        area,
        (drawn, &curves, theme),
        (&title.join(", "), log, within),
    );
}

/// The lines of all runs, and over them their signs.
fn curves(
    drawn: &[Drawn],
    points: impl Fn(&Drawn) -> Vec<(f64, f64)>,
    theme: &Theme,
) -> Vec<Curve> {
    let (mut lines, mut signs) = (Vec::new(), Vec::new());
    for run in drawn {
        let points = plot::points(points(run));
        let style = theme.series(run.place);
        signs.push(Curve {
            points: some(&points, run.place),
            style,
            kind: Kind::Sign(SIGNS[run.place]),
        });
        lines.push(Curve {
            points,
            style,
            kind: Kind::Line,
        });
    }
    lines.extend(signs);
    lines
}

/// A few points of a curve; those of curves with other signs are elsewhere.
fn some(points: &[(f64, f64)], place: usize) -> Vec<(f64, f64)> {
    if points.len() <= SIGNS_A_CURVE {
        return points.to_vec();
    }
    let places = SIGNS.len() * SIGNS_A_CURVE;
    let at = |sign: usize| (sign * SIGNS.len() + place) * points.len() / places;
    (0..SIGNS_A_CURVE).map(|sign| points[at(sign)]).collect()
}

fn over_steps(
    frame: &mut Frame,
    area: Rect,
    (drawn, curves, theme): (&[Drawn], &[Curve], &Theme),
    (title, log, within): (&str, bool, [f64; 2]),
) {
    let steps = drawn
        .iter()
        .map(|drawn| drawn.run.history.step)
        .max()
        .unwrap_or(0);
    let last = format!("step {}", count(steps));
    let labels = Labels {
        title,
        x: ["0", &last],
        log,
        within,
    };
    plot::draw_over(frame, area, theme, ([0.0, steps as f64], (labels, curves)));
}
