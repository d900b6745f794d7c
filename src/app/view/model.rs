//! The model screen: what is loaded, whether it is sound, and the settings of the analysis.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::chrome::tail;
use super::format::{bytes, count, duration, number, percent, wrap};
use super::{fact, heading};
use crate::app::command::Command;
use crate::app::jobs::Inputs;
use crate::app::state::analysis::Status;
use crate::app::state::{Checking, Loading, State};
use crate::app::theme::{Role, Theme};

/// Accuracy may differ by this much from what was expected.
const EXPECTED_WITHIN: f64 = 0.002;
/// Cells before the value of a setting: its key and its name.
const INDENT: usize = 16;

/// How much is told of the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Everything,
    /// Without what can be looked up elsewhere.
    Most,
}

pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let too_many = |lines: &[Line]| lines.len() > area.height as usize;
    let mut lines = all(state, area, theme, Told::Everything);
    if too_many(&lines) {
        lines.retain(|line| line.width() > 0);
    }
    if too_many(&lines) && state.loaded().is_some() {
        lines = all(state, area, theme, Told::Most);
        lines.retain(|line| line.width() > 0);
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn all<'a>(state: &'a State, area: Rect, theme: &Theme, told: Told) -> Vec<Line<'a>> {
    let mut lines = match &state.inputs {
        Loading::Loaded(inputs) => loaded(inputs, area, theme, told),
        Loading::Running => vec![
            heading("Inputs", area.width, theme),
            fact("model", state.place.model.clone(), theme),
            fact("data", state.place.data.clone(), theme),
            Line::raw("being read ..."),
        ],
        Loading::Failed(reason) => failed((state, reason), area, theme),
    };
    if state.loaded().is_some() {
        lines.push(Line::raw(""));
        lines.push(heading("Float network", area.width, theme));
        lines.extend(check(state, area.width as usize, theme));
        lines.push(Line::raw(""));
        lines.extend(settings(state, area, theme));
    }
    lines
}

/// Why the inputs could not be read, and what can be done from here.
fn failed<'a>((state, reason): (&State, &str), area: Rect, theme: &Theme) -> Vec<Line<'a>> {
    let mut lines = vec![heading("Inputs", area.width, theme)];
    let wrapped = wrap(reason, area.width as usize);
    lines.extend(
        wrapped
            .into_iter()
            .map(|text| Line::styled(text, theme.style(Role::Bad))),
    );
    lines.push(Line::raw(""));
    for command in [Command::Check, Command::OpenNetwork, Command::Projects] {
        let keys = state.keymap.keys_of(&state.screen.scopes(), command);
        let keys = keys.into_iter().chain(std::iter::repeat(String::new()));
        let room = (area.width as usize).saturating_sub(14);
        let told = keys.zip(wrap(command.doc(), room));
        lines.extend(told.map(|(keys, text)| fact(&keys, text, theme)));
    }
    lines
}

fn loaded<'a>(inputs: &Inputs, area: Rect, theme: &Theme, told: Told) -> Vec<Line<'a>> {
    let room = (area.width as usize).saturating_sub(14);
    let network = format!(
        "{}, {} layers, {} parameters",
        inputs.architecture,
        inputs.layers.len(),
        count(inputs.parameters as u64)
    );
    let short = inputs.weights_sha256.get(..12).unwrap_or_default();
    let images = format!(
        "{} of {}, {} classes",
        inputs.data, inputs.image, inputs.classes
    );
    let [train, test] =
        [inputs.train_images, inputs.test_images].map(|images| count(images as u64));
    let split = if inputs.whole {
        format!("{test} in one part, for training and for testing")
    } else {
        format!("{train} for training, {test} for testing")
    };
    let mut lines = vec![
        heading("Inputs", area.width, theme),
        fact("network", network, theme),
        fact("weights", tail(&inputs.weights, room, theme), theme),
    ];
    let notes = inputs.notes.iter().flat_map(|note| wrap(note, room));
    lines.extend(notes.map(|line| fact("", line, theme)));
    if told == Told::Most {
        lines.remove(0);
        lines.push(fact("images", images, theme));
        return lines;
    }
    lines.extend([
        fact(
            "sha-256",
            format!("{short}{}", theme.symbols.ellipsis),
            theme,
        ),
        fact("images", images, theme),
        fact("", split, theme),
    ]);
    let done = wrap(&inputs.preprocessing, room).into_iter().enumerate();
    let word = |line: usize| if line == 0 { "input" } else { "" };
    lines.extend(done.map(|(line, text)| fact(word(line), text, theme)));
    lines.extend([
        fact("from", tail(&inputs.data_source, room, theme), theme),
        fact("device", inputs.device.clone(), theme),
    ]);
    lines
}

fn check<'a>(state: &State, width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let expected = state.loaded().and_then(|inputs| inputs.expected_accuracy);
    let told = |text: &str, role: Role| {
        let lines = wrap(text, width).into_iter();
        lines
            .map(|line| Line::styled(line, theme.style(role)))
            .collect()
    };
    match &state.check {
        Checking::Never => told("not tested yet", Role::Muted),
        Checking::Running => told("being tested ...", Role::Muted),
        Checking::Failed(reason) => told(reason, Role::Bad),
        Checking::Done(score) => {
            let accuracy = score.accuracy();
            let sound = expected.is_none_or(|known| (known - accuracy).abs() <= EXPECTED_WITHIN);
            let (sign, role) = if sound {
                (theme.symbols.good, Role::Good)
            } else {
                (theme.symbols.bad, Role::Bad)
            };
            let known = expected.map_or_else(String::new, |known| {
                format!("; expected {}", percent(known))
            });
            let text = format!(
                "{} right: {} of {} test images{known}; loss {}",
                percent(accuracy),
                count(score.correct as u64),
                count(score.total as u64),
                number(score.loss)
            );
            let gap = sign.chars().count() + 1;
            let lines = wrap(&text, width.saturating_sub(gap));
            let signs = std::iter::once(format!("{sign} "));
            let signs = signs.chain(std::iter::repeat(" ".repeat(gap)));
            let line = |(sign, text)| {
                Line::from(vec![Span::styled(sign, theme.style(role)), Span::raw(text)])
            };
            signs.zip(lines).map(line).collect()
        }
    }
}

fn settings<'a>(state: &State, area: Rect, theme: &Theme) -> Vec<Line<'a>> {
    let request = &state.analysis.request;
    let mut measures = vec!["eigenvalue"];
    measures.extend(request.trace.then_some("trace"));
    measures.extend(request.loss_change.then_some("loss change"));
    let scopes = state.screen.scopes();
    let row = |command: Command, value: String| {
        let key = state
            .keymap
            .keys_of(&scopes, command)
            .into_iter()
            .next()
            .unwrap_or_default();
        let mut line = fact(command.short(), value, theme);
        line.spans
            .insert(0, Span::styled(format!("{key} "), theme.style(Role::Key)));
        line
    };
    let mut lines = vec![
        heading("Analysis", area.width, theme),
        row(Command::Samples, samples(state)),
        row(
            Command::Tolerance,
            format!("relative residual {:e}", request.tolerance),
        ),
        row(Command::Metrics, measures.join(", ")),
    ];
    let width = area.width as usize;
    lines.extend(indented("takes", &takes(state), width, theme));
    lines.extend(indented("status", &status(state), width, theme));
    lines
}

/// A fact below those that have keys, on as many lines as it takes.
fn indented<'a>(name: &str, value: &str, width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    let lines = wrap(value, width.saturating_sub(INDENT));
    let line = |(name, value): (&str, String)| {
        let mut line = fact(name, value, theme);
        line.spans.insert(0, Span::raw("  "));
        line
    };
    names.zip(lines).map(line).collect()
}

/// How many images are asked for, or all where there are not so many.
fn samples(state: &State) -> String {
    let asked = state.analysis.request.samples;
    match state.loaded().map(|inputs| inputs.train_images) {
        Some(all) if all < asked => format!("all {all} training images"),
        _ => format!("{asked} training images"),
    }
}

/// Estimated time and memory of the analysis.
fn takes(state: &State) -> String {
    let Some(inputs) = state.loaded() else {
        return String::new();
    };
    let request = &state.analysis.request;
    let samples = request.samples.min(inputs.train_images);
    let estimate = inputs.outline.estimate(&request.settings(0), samples);
    let memory = bytes(estimate.bytes as f64);
    let ways = estimate.ways();
    match state.pace {
        None => format!("about {memory} of memory, {ways}"),
        Some(pace) => {
            let time = std::time::Duration::from_secs_f64((estimate.macs / pace).min(1e9));
            format!("about {} and {memory} of memory, {ways}", duration(time))
        }
    }
}

fn status(state: &State) -> String {
    let (done, all) = (state.analysis.measured_count(), state.analysis.layers.len());
    let seconds = state
        .analysis
        .report
        .as_ref()
        .and_then(|report| report.seconds);
    let took = seconds
        .filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
        .map(|seconds| {
            format!(
                " in {}",
                duration(std::time::Duration::from_secs_f64(seconds))
            )
        });
    match &state.analysis.status {
        Status::Never => "not started".to_owned(),
        Status::Running => format!("going on: {done} of {all} layers"),
        Status::Stopped => format!("stopped: {done} of {all} layers are measured"),
        Status::Done => format!("done: {done} of {all} layers{}", took.unwrap_or_default()),
        Status::Failed(reason) => format!("failed: {reason}"),
    }
}
