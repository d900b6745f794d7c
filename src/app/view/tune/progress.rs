//! How far a run is: its status, the numbers of the moment, its scores and its note.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::settings::rate;
use crate::app::jobs::{JobKind, Quiet};
use crate::app::state::State;
use crate::app::state::tune::{Run, RunStatus};
use crate::app::theme::{Role, Theme};
use crate::app::view::format::{bytes, count, cut, duration, number, percent};
use crate::app::view::plot;
use crate::numbers::counted;

/// Batches that the shown loss is a mean of.
const SMOOTHED: usize = 20;

pub(super) fn draw(frame: &mut Frame, area: Rect, (state, run): (&State, &Run), theme: &Theme) {
    let ratio = plot::unit(run.history.step as f64 / run.history.total.max(1) as f64);
    let width = (area.width as usize).saturating_sub(34).min(40);
    let bar = theme.symbols.bar(ratio, width);
    let lines = vec![
        title(state, (run, area.width), theme),
        Line::from(vec![
            Span::styled(format!("{bar:<width$}"), theme.style(Role::Progress)),
            Span::raw(format!(" {}", steps(state, run))),
        ]),
        numbers((state, run), theme),
        scores(run, theme),
        Line::styled(saved(run), theme.style(Role::Muted)),
        Line::styled(next_run(state, run), theme.style(Role::Muted)),
    ];
    frame.render_widget(Paragraph::new(lines), area);
}

/// Which run it is, where it stands, and its note as far as there is room.
fn title<'a>(state: &State, (run, width): (&Run, u16), theme: &Theme) -> Line<'a> {
    let name = format!("Run {}", run.name());
    let mut line = Line::from(Span::styled(name, theme.style(Role::Title)));
    if let Some(subject) = &run.subject {
        line.push_span(Span::raw(format!(", {subject}")));
    }
    let (status, role) = status(state, run);
    line.push_span(Span::styled(format!("  {status}"), theme.style(role)));
    let room = (width as usize).saturating_sub(line.width());
    line.spans.extend(note(state, (run, room), theme));
    line
}

/// Where it stands.
fn status(state: &State, run: &Run) -> (String, Role) {
    match &run.status {
        RunStatus::Running if state.job(JobKind::Tune).is_some_and(|job| job.paused) => {
            ("paused".to_owned(), Role::Warning)
        }
        RunStatus::Running if state.tune.then.is_some() => {
            ("stopping, to go on otherwise".to_owned(), Role::Warning)
        }
        RunStatus::Running => ("training".to_owned(), Role::LiveBar),
        RunStatus::Stopped => ("stopped; can go on".to_owned(), Role::Warning),
        RunStatus::Done => ("done".to_owned(), Role::Good),
        RunStatus::Failed(_) => ("failed".to_owned(), Role::Bad),
    }
}

/// What the user wrote about it.
fn note<'a>(state: &State, (run, room): (&Run, usize), theme: &Theme) -> Option<Span<'a>> {
    let listed = state.tune.list.of(&run.folder)?;
    let text = format!("  {} {}", theme.symbols.dot, listed.note);
    let shown = cut(&text, room, theme.symbols.ellipsis);
    (!listed.note.is_empty()).then(|| Span::styled(shown, theme.style(Role::Muted)))
}

/// How far training is, and how long it will still take.
fn steps(state: &State, run: &Run) -> String {
    if run.history.total == 0 {
        return "before the first step".to_owned();
    }
    let job = state.job(JobKind::Tune).filter(|job| job.is_training());
    let left = job.and_then(|job| job.eta.remaining(state.now));
    let left = left.map_or_else(String::new, |left| format!(", {} left", duration(left)));
    format!(
        "step {} of {}{left}",
        count(run.history.step),
        count(run.history.total)
    )
}

/// What a new run would be like.
fn next_run(state: &State, run: &Run) -> String {
    if run.status == RunStatus::Running {
        return String::new();
    }
    let settings = &state.tune.settings.training;
    let (epochs, order) = (counted(settings.epochs, "epoch"), settings.schedule);
    format!("next run: {epochs}, {order}, learning rate {}", rate(state))
}

fn saved(run: &Run) -> String {
    let Some(step) = run.history.checkpoint else {
        return "no checkpoint yet".to_owned();
    };
    let best = run.history.best().map_or_else(String::new, |best| {
        let accuracy = percent(best.score.accuracy());
        format!("; best {} with {accuracy}", best.label)
    });
    format!("checkpoint of step {} is on disk{best}", count(step))
}

/// Loss, accuracy, rate and pace of the moment.
fn numbers<'a>((state, run): (&State, &Run), theme: &Theme) -> Line<'a> {
    let unknown = || "-".to_owned();
    let job = state.job(JobKind::Tune);
    if let Some(quiet) = job.and_then(|job| job.quiet.as_ref()) {
        return Line::styled(last_sign(quiet), theme.style(Role::Warning));
    }
    let memory = job.and_then(|job| job.memory);
    let mut facts = vec![
        (
            "loss",
            run.loss.recent_mean(SMOOTHED).map_or_else(unknown, number),
        ),
        (
            "batches right",
            run.accuracy
                .recent_mean(SMOOTHED)
                .map_or_else(unknown, percent),
        ),
        (
            "rate",
            run.history.learning_rate.map_or_else(unknown, number),
        ),
        (
            "images/s",
            run.images_per_second
                .map_or_else(unknown, |rate| format!("{rate:.0}")),
        ),
    ];
    facts.extend(memory.map(|resident| ("memory", bytes(resident as f64))));
    pairs(&facts, theme)
}

/// Since when nothing is heard of the process that works on a run, and where that is.
fn last_sign(quiet: &Quiet) -> String {
    let seconds = quiet.since.as_secs();
    let place = match &*quiet.host {
        "" => String::new(),
        host => format!(" on {host}"),
    };
    format!("last sign of life {seconds} s ago{place}")
}

/// Accuracies that are compared.
fn scores<'a>(run: &Run, theme: &Theme) -> Line<'a> {
    let accuracy = |label: &str| {
        run.history
            .validated(label)
            .map(|measured| measured.score.accuracy())
    };
    let last = run.history.validation();
    let text = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), percent);
    let facts = [
        ("validation: float", text(accuracy("float"))),
        ("post-training", text(accuracy("post-training"))),
        ("now", text(last.map(|measured| measured.score.accuracy()))),
        (
            "test",
            text(run.history.test().map(|measured| measured.score.accuracy())),
        ),
    ];
    pairs(&facts, theme)
}

fn pairs<'a>(facts: &[(&'static str, String)], theme: &Theme) -> Line<'a> {
    let spans = facts.iter().flat_map(|(name, value)| {
        [
            Span::styled(format!("{name} "), theme.style(Role::Muted)),
            Span::styled(format!("{value}  "), theme.style(Role::Text)),
        ]
    });
    Line::from(spans.collect::<Vec<_>>())
}
