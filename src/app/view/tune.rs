//! The fine-tuning screen: settings or progress, the stages, and the curves of loss and accuracy.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::chrome::tail;
use super::format::{count, cut, duration, number, percent};
use super::plot::{self, Curve, Kind, Labels};
use super::{FILL, columns, fact, heading, rows};
use crate::app::command::Command;
use crate::app::jobs::JobKind;
use crate::app::state::State;
use crate::app::state::tune::{Run, RunStatus};
use crate::app::theme::{Role, Theme};
use crate::engine::finetune::{Schedule, Settings};
use crate::engine::job::Split;

/// Batches that the shown loss is a mean of.
const SMOOTHED: usize = 20;

pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let Some(run) = &state.tune.run else {
        settings(frame, area, state, theme);
        return;
    };
    let [facts, rest] = rows(area, [area.height.min(6), FILL]);
    progress(frame, facts, (state, run), theme);
    if rest.height < 4 {
        return;
    }
    if rest.width >= 70 {
        let [left, _, right] = columns(rest, [26, 2, FILL]);
        stages(frame, left, run, theme);
        curves(frame, right, (state, run), theme);
    } else {
        curves(frame, rest, (state, run), theme);
    }
}

fn setting<'a>(
    state: &State,
    command: Command,
    (name, value): (&str, String),
    theme: &Theme,
) -> Line<'a> {
    let keys = state.keymap.keys_of(&state.screen.scopes(), command);
    let mut line = fact(name, value, theme);
    let key = keys.into_iter().next().unwrap_or_default();
    line.spans
        .insert(0, Span::styled(format!("{key} "), theme.style(Role::Key)));
    line
}

fn rate(state: &State) -> String {
    match state.tune.settings.learning_rate {
        Some(rate) => rate.to_string(),
        None => format!("{} (usual)", Settings::default().learning_rate),
    }
}

fn settings(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let settings = &state.tune.settings;
    let order = match settings.schedule {
        Schedule::Staged => "staged: one layer or block after another, by omega",
        Schedule::Joint => "joint: all layers at once",
    };
    let mut lines = vec![
        heading("Next run", area.width, theme),
        setting(
            state,
            Command::MoreEpochs,
            ("epochs", settings.epochs.to_string()),
            theme,
        ),
        setting(
            state,
            Command::Schedule,
            ("schedule", order.to_owned()),
            theme,
        ),
        setting(
            state,
            Command::LearningRate,
            ("learning rate", rate(state)),
            theme,
        ),
    ];
    if let Some(plan) = &state.bits.plan {
        let totals = crate::app::state::planning::totals(plan, &state.analysis.layers);
        let text = format!(
            "{:.2}x smaller weights, {:.2} bits on average",
            totals.weight_compression(),
            totals.average_bits()
        );
        lines.push(fact("  plan", text, theme));
    }
    lines.push(Line::raw(""));
    let text =
        "Training starts from the float network; the run can be paused, stopped and resumed.";
    let wrapped = super::format::wrap(text, area.width as usize);
    lines.extend(
        wrapped
            .into_iter()
            .map(|line| Line::styled(line, theme.style(Role::Muted))),
    );
    frame.render_widget(Paragraph::new(lines), area);
}

fn progress(frame: &mut Frame, area: Rect, (state, run): (&State, &Run), theme: &Theme) {
    let (status, role) = match &run.status {
        RunStatus::Running if state.job(JobKind::Tune).is_some_and(|job| job.paused) => {
            ("paused".to_owned(), Role::Warning)
        }
        RunStatus::Running => ("training".to_owned(), Role::LiveBar),
        RunStatus::Stopped => ("stopped; can go on".to_owned(), Role::Warning),
        RunStatus::Done => ("done".to_owned(), Role::Good),
        RunStatus::Failed(reason) => (reason.clone(), Role::Bad),
    };
    let ratio = plot::unit(run.step as f64 / run.total.max(1) as f64);
    let width = (area.width as usize).saturating_sub(34).min(40);
    let bar = theme.symbols.bar(ratio, width);
    let mut first = heading(format!("Run {}", run.name()), area.width, theme);
    first.spans.truncate(1);
    first
        .spans
        .push(Span::styled(format!("  {status}"), theme.style(role)));
    let lines = vec![
        first,
        Line::from(vec![
            Span::styled(format!("{bar:<width$}"), theme.style(Role::Progress)),
            Span::raw(format!(" {}", steps(state, run))),
        ]),
        numbers(run, theme),
        scores(run, theme),
        Line::styled(saved(run), theme.style(Role::Muted)),
        Line::styled(next_run(state, run), theme.style(Role::Muted)),
    ];
    frame.render_widget(Paragraph::new(lines), area);
}

/// How far training is, and how long it will still take.
fn steps(state: &State, run: &Run) -> String {
    if run.total == 0 {
        return "before the first step".to_owned();
    }
    let job = state.job(JobKind::Tune).filter(|job| job.is_training());
    let left = job.and_then(|job| job.eta.remaining(state.now));
    let left = left.map_or_else(String::new, |left| format!(", {} left", duration(left)));
    format!("step {} of {}{left}", count(run.step), count(run.total))
}

/// What a new run would be like.
fn next_run(state: &State, run: &Run) -> String {
    if run.status == RunStatus::Running {
        return String::new();
    }
    let settings = &state.tune.settings;
    let (epochs, order) = (settings.epochs, settings.schedule);
    format!(
        "next run: {epochs} epochs, {order}, learning rate {}",
        rate(state)
    )
}

fn saved(run: &Run) -> String {
    match run.checkpoint {
        Some(step) => format!("checkpoint of step {} is on disk", count(step)),
        None => "no checkpoint yet".to_owned(),
    }
}

/// Loss, accuracy, rate and pace of the moment.
fn numbers<'a>(run: &Run, theme: &Theme) -> Line<'a> {
    let unknown = || "-".to_owned();
    let facts = [
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
        ("rate", run.learning_rate.map_or_else(unknown, number)),
        (
            "images/s",
            run.images_per_second
                .map_or_else(unknown, |rate| format!("{rate:.0}")),
        ),
    ];
    pairs(&facts, theme)
}

/// Accuracies that are compared.
fn scores<'a>(run: &Run, theme: &Theme) -> Line<'a> {
    let accuracy = |label: &str| {
        run.labelled(label)
            .map(|measured| measured.score.accuracy())
    };
    let last = run
        .evaluated(Split::Validation)
        .filter(|m| m.step > 0)
        .last();
    let text = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), percent);
    let facts = [
        ("validation: float", text(accuracy("float"))),
        ("post-training", text(accuracy("post-training"))),
        ("now", text(last.map(|measured| measured.score.accuracy()))),
        (
            "test",
            text(run.test().map(|measured| measured.score.accuracy())),
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

fn stages(frame: &mut Frame, area: Rect, run: &Run, theme: &Theme) {
    let mut lines = vec![heading(
        format!("Stages {}/{}", run.stages.len(), run.stage_total),
        area.width,
        theme,
    )];
    let running = run.status == RunStatus::Running;
    let room = (area.height as usize).saturating_sub(2);
    let first = run.stages.len().saturating_sub(room);
    for (index, stage) in run.stages.iter().enumerate().skip(first) {
        let last = index + 1 == run.stages.len();
        let (sign, role) = match (last, running, run.status == RunStatus::Done) {
            (true, true, _) => (theme.symbols.cursor, Role::LiveBar),
            (true, false, false) => (theme.symbols.dot, Role::Warning),
            _ => (theme.symbols.good, Role::Good),
        };
        let names: Vec<&str> = stage.layers.iter().map(AsRef::as_ref).collect();
        let width = (area.width as usize).saturating_sub(6);
        let text = match names.as_slice() {
            [one] => tail(one, width, theme),
            [one, rest @ ..] => cut(
                &format!("{one} +{}", rest.len()),
                width,
                theme.symbols.ellipsis,
            ),
            [] => String::new(),
        };
        lines.push(Line::from(vec![
            Span::styled(format!("{sign:<2} "), theme.style(role)),
            Span::styled(format!("{:>2} {text}", index + 1), theme.style(Role::Text)),
        ]));
    }
    let open = run.stage_total.saturating_sub(run.stages.len());
    if open > 0 {
        lines.push(Line::styled(
            format!("{} {open} to come", theme.symbols.dot),
            theme.style(Role::Muted),
        ));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn curves(frame: &mut Frame, area: Rect, (state, run): (&State, &Run), theme: &Theme) {
    if run.step == 0 {
        let text = "The curves begin with the first step.";
        frame.render_widget(Line::styled(text, theme.style(Role::Muted)), area);
        return;
    }
    let (loss, accuracy) = if area.width >= 90 && area.height < 24 {
        let [left, _, right] = columns(area, [area.width / 2 - 1, 2, FILL]);
        (left, right)
    } else if area.height >= 12 {
        let [top, bottom] = rows(area, [area.height / 2, FILL]);
        (top, bottom)
    } else {
        (Rect::ZERO, area)
    };
    let last = format!("step {}", count(run.step));
    let x = ["0", last.as_str()];
    let train = |series: &crate::app::state::series::Series| Curve {
        points: plot::points(series.history()),
        style: theme.series(0),
        kind: Kind::Line,
    };
    let validation = |value: fn(&crate::engine::job::Score) -> f64| Curve {
        points: plot::points(
            run.evaluated(Split::Validation)
                .map(|m| (m.step as f64, value(&m.score))),
        ),
        style: theme.series(1),
        kind: Kind::Points,
    };
    let curves = [train(&run.loss), validation(|score| score.loss)];
    let labels = Labels {
        title: "loss: line training, points validation",
        x,
        log: false,
        within: [0.0, f64::INFINITY],
    };
    plot::draw(frame, loss, theme, (labels, &curves));
    let mut curves = vec![
        train(&run.accuracy),
        validation(crate::engine::job::Score::accuracy),
    ];
    for (index, label) in ["float", "post-training"].into_iter().enumerate() {
        curves.extend(level(run, label).map(|points| Curve {
            points,
            style: theme.series(2 + index),
            kind: Kind::Line,
        }));
    }
    let _ = state;
    let title = match area.width {
        0..74 => "accuracy; levels: float, post-training",
        _ => "accuracy: line training, points validation; levels: float, post-training",
    };
    plot::draw(
        frame,
        accuracy,
        theme,
        (
            Labels {
                title,
                x,
                log: false,
                within: [0.0, 1.0],
            },
            &curves,
        ),
    );
}

/// A score as a level line over the whole run.
fn level(run: &Run, label: &str) -> Option<Vec<(f64, f64)>> {
    let accuracy = run.labelled(label)?.score.accuracy();
    Some(plot::points([
        (0.0, accuracy),
        (run.step.max(1) as f64, accuracy),
    ]))
}
