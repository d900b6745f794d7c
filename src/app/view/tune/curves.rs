//! The curves of a run: loss and accuracy over the whole run, over its last steps, or both side by
//! side.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

use super::controls;
use crate::app::command::Command;
use crate::app::state::State;
use crate::app::state::look::{Look, LossAxis, Smoothing, Span};
use crate::app::state::tune::Run;
use crate::app::theme::{Role, Theme};
use crate::app::view::format::{count, cut};
use crate::app::view::plot::{self, Curve, Kind, Labels};
use crate::app::view::{FILL, Hits, columns, rows};
use crate::engine::job::{Score, Split};

/// Width from which both spans are shown.
const WIDE: u16 = 124;
/// Height from which loss and accuracy stand one above the other.
const HIGH: u16 = 12;
/// Width from which they stand side by side where they cannot.
const BROAD: u16 = 90;

/// A run, and how it is looked at.
#[derive(Clone, Copy)]
struct View<'a> {
    run: &'a Run,
    look: Look,
    span: Span,
    theme: &'a Theme,
}

pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    (state, hits, run): (&State, &mut Hits, &Run),
    theme: &Theme,
) {
    if run.history.step == 0 {
        let text = "The curves begin with the first step.";
        frame.render_widget(Line::styled(text, theme.style(Role::Muted)), area);
        return;
    }
    let [bar, area] = rows(area, [1, FILL]);
    let look = state.tune.look;
    let view = |span| View {
        run,
        look,
        span,
        theme,
    };
    let both = area.width >= WIDE && run.loss.is_long();
    chosen(frame, bar, (state, hits, both), theme);
    if both {
        let [left, _, right] = columns(area, [area.width / 2 - 1, 2, FILL]);
        view(Span::Whole).draw(frame, left);
        view(Span::Recent).draw(frame, right);
    } else {
        view(look.span).draw(frame, area);
    }
}

/// What is chosen, with the keys that change it.
fn chosen(
    frame: &mut Frame,
    area: Rect,
    (state, hits, both): (&State, &mut Hits, bool),
    theme: &Theme,
) {
    let look = state.tune.look;
    let span = match look.span {
        Span::Whole => "whole run",
        Span::Recent => "last steps",
    };
    let mut named = vec![
        (Command::CurveSpan, span.to_owned()),
        (
            Command::Smoothing,
            format!("smoothing {}", look.smoothing.name()),
        ),
        (Command::LossAxis, format!("loss {}", look.loss_axis.name())),
    ];
    if both {
        named.remove(0);
    }
    controls(frame, area, (state, hits), (theme, &named));
}

/// The sign of a validation.
const fn point(theme: &Theme) -> &'static str {
    if theme.symbols.unicode { "•" } else { "o" }
}

impl View<'_> {
    fn draw(self, frame: &mut Frame, area: Rect) {
        if area.height >= HIGH {
            let [top, bottom] = rows(area, [area.height / 2, FILL]);
            self.loss(frame, top);
            self.accuracy(frame, bottom);
        } else if area.width >= BROAD {
            let [left, _, right] = columns(area, [area.width / 2 - 1, 2, FILL]);
            self.loss(frame, left);
            self.accuracy(frame, right);
        } else {
            self.accuracy(frame, area);
        }
    }

    fn loss(self, frame: &mut Frame, area: Rect) {
        let (training, steps) = self.look.part(&self.run.loss, self.span);
        let validation = self.validation(|score| score.loss);
        let log = self.look.loss_axis == LossAxis::Log;
        let (training, below) = plot::on_axis(training, log);
        let (validation, more) = plot::on_axis(validation, log);
        let mut what = vec![if log { "log loss" } else { "loss" }.to_owned()];
        if below + more > 0 {
            what.push(format!("{} values <= 0 left out", below + more));
        }
        let within = if log { plot::ANY } else { [0.0, f64::INFINITY] };
        let curves = [self.line(training), self.points(validation)];
        self.plot(
            frame,
            area,
            (what, steps, String::new()),
            (log, within),
            &curves,
        );
    }

    fn accuracy(self, frame: &mut Frame, area: Rect) {
        let (training, steps) = self.look.part(&self.run.accuracy, self.span);
        let validation = self.validation(Score::accuracy);
        let range = plot::bounds(training.iter().chain(&validation).map(|point| point.1));
        let mut curves = vec![self.line(training), self.points(validation)];
        let mut levels = Vec::new();
        for (index, label) in ["float", "post-training"].into_iter().enumerate() {
            let Some(points) = self.level(label, range) else {
                continue;
            };
            levels.push(label);
            curves.push(Curve {
                points,
                style: self.theme.series(2 + index),
                kind: Kind::Line,
            });
        }
        let levels = match levels.len() {
            0 => String::new(),
            1 => format!("; level {}", levels[0]),
            _ => format!("; levels {}", levels.join(", ")),
        };
        let what = vec!["accuracy".to_owned()];
        self.plot(
            frame,
            area,
            (what, steps, levels),
            (false, [0.0, 1.0]),
            &curves,
        );
    }

    fn plot(
        self,
        frame: &mut Frame,
        area: Rect,
        (mut what, steps, levels): (Vec<String>, usize, String),
        (log, within): (bool, [f64; 2]),
        curves: &[Curve],
    ) {
        let (first, last) = (self.first(), self.run.history.step);
        what.insert(
            1,
            match self.span {
                Span::Whole => "whole run".to_owned(),
                Span::Recent => format!("last {} steps", count((last + 1).saturating_sub(first))),
            },
        );
        if steps > 1 {
            let smoothed = self.look.smoothing != Smoothing::Off;
            let means = if smoothed { "smoothed: means" } else { "means" };
            what.push(format!("{means} of {} steps", count(steps as u64)));
        }
        let (what, width) = (what.join(", "), area.width as usize);
        let curves_are = format!("; line training, {} validation", point(self.theme));
        let title = [
            format!("{what}{curves_are}{levels}"),
            format!("{what}{curves_are}"),
            cut(&what, width, self.theme.symbols.ellipsis),
        ];
        let title = title.iter().find(|title| title.width() <= width);
        let labels = Labels {
            title: title.map_or("", String::as_str),
            x: [&count(first), &format!("step {}", count(last))],
            log,
            within,
        };
        let steps = [first as f64, last as f64];
        plot::draw_over(frame, area, self.theme, (steps, (labels, curves)));
    }

    /// The first step that is shown.
    fn first(self) -> u64 {
        let oldest = self.run.loss.recent().first().map(|point| point.0 as u64);
        match self.span {
            Span::Whole => 0,
            Span::Recent => oldest.unwrap_or(0),
        }
    }

    fn line(self, points: Vec<(f64, f64)>) -> Curve {
        Curve {
            points: plot::points(points),
            style: self.theme.series(0),
            kind: Kind::Line,
        }
    }

    fn points(self, points: Vec<(f64, f64)>) -> Curve {
        Curve {
            points: plot::points(points),
            style: self.theme.series(1),
            kind: Kind::Points,
        }
    }

    /// Validations within the span.
    fn validation(self, value: fn(&Score) -> f64) -> Vec<(f64, f64)> {
        let first = self.first();
        let measured = self.run.history.evaluated(Split::Validation);
        let within = measured.filter(|measured| measured.step >= first);
        within
            .map(|measured| (measured.step as f64, value(&measured.score)))
            .collect()
    }

    /// A score as a level line over the span; over the last steps only one that is near the curves,
    /// which would be flat otherwise.
    fn level(self, label: &str, [low, high]: [f64; 2]) -> Option<Vec<(f64, f64)>> {
        let accuracy = self.run.history.validated(label)?.score.accuracy();
        let (first, last) = (self.first(), self.run.history.step.max(1));
        let shown = self.span == Span::Whole || (low..=high).contains(&accuracy);
        let ends = [(first as f64, accuracy), (last as f64, accuracy)];
        shown.then(|| plot::points(ends))
    }
}
