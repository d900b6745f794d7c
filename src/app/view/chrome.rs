//! What surrounds every screen: header, tabs, guide, footer.

use std::fmt::Write as _;

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};
use unicode_width::UnicodeWidthStr;

use super::Hits;
use super::filter::found;
use super::format::{cut, cut_start, duration, wrap};
use super::line::{Told, typed};
use crate::app::command::Command;
use crate::app::key::sequence;
use crate::app::keymap::Keymap;
use crate::app::msg::Target;
use crate::app::settings::Motion;
use crate::app::state::guide::{Step, guide as next};
use crate::app::state::overlay::{Overlay, Purpose};
use crate::app::state::remaining::Remaining;
use crate::app::state::running::Running;
use crate::app::state::runs::Pane;
use crate::app::state::{Level, Notice, Screen, State};
use crate::app::theme::{Role, Theme};

/// Lines of the longest notice.
const MOST_LINES: usize = 4;

/// Project, model, data, device, and the running job.
pub(super) fn header(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    let style = theme.style(Role::Header);
    let job = job(state, theme);
    let room = (area.width as usize).saturating_sub(job.width() + 2);
    let text = facts(state, room, theme);
    let left = cut(&text, room, theme.symbols.ellipsis);
    frame.render_widget(Paragraph::new(left).style(style), area);
    let right = Line::from(vec![Span::raw(job), Span::raw(" ")]).alignment(Alignment::Right);
    frame.render_widget(
        Paragraph::new(right).style(style),
        super::columns(area, [room as u16, super::FILL])[1],
    );
}

/// What is loaded, in as many words as fit: first the threads are given up, then the device, then
/// the data.
fn facts(state: &State, room: usize, theme: &Theme) -> String {
    let project = &*state.place.project;
    let told: [&str; 3] = match state.loaded() {
        Some(inputs) => [&inputs.architecture, &inputs.data, &inputs.device],
        None => [&state.place.model, &state.place.data, ""],
    };
    let [model, data, device] = told;
    let short = device.split(',').next().unwrap_or_default();
    let dot = format!(" {} ", theme.symbols.dot);
    let variants = [
        vec![project, model, data, device],
        vec![project, model, data, short],
        vec![project, model, data],
        vec![project, model],
        vec![project],
    ];
    let texts = variants.map(|mut words| {
        words.retain(|word| !word.is_empty());
        format!(" hawqeye  {}", words.join(&dot))
    });
    let fits = texts.iter().find(|text| text.width() <= room);
    fits.unwrap_or(&texts[4]).clone()
}

/// The running job in words: `analysis: eigenvalues 7/20 35 % 0:12 left`.
fn job(state: &State, theme: &Theme) -> String {
    let Some(running) = state.foreground().or_else(|| longest(state)) else {
        return String::new();
    };
    let mut text = String::new();
    if !running.paused && state.settings.motion == Motion::Usual {
        let turn = (state.now.as_millis() / 500) as usize % theme.symbols.spinner.len();
        text.push_str(theme.symbols.spinner[turn]);
        text.push(' ');
    }
    text.push_str(running.kind.name());
    text.push_str(&progress(running, state));
    text
}

/// The work in the background that is worth telling of.
fn longest(state: &State) -> Option<&Running> {
    let mut running = state.running.iter();
    running.rfind(|running| !running.kind.is_brief())
}

fn progress(running: &Running, state: &State) -> String {
    if running.stopping {
        return " is stopping".to_owned();
    }
    if running.paused {
        return " is paused".to_owned();
    }
    let Some(ratio) = running.ratio() else {
        return String::new();
    };
    let mut text = format!(": {} {:.0} %", running.activity(), 100.0 * ratio);
    let _ = match state.remaining(running) {
        Remaining::Unknown => Ok(()),
        Remaining::All(left) => write!(text, ", {} left", duration(left)),
        Remaining::BeforeLossChanges(left) => {
            write!(text, ", {} left, then loss changes", duration(left))
        }
    };
    text
}

/// The screens by digit.
pub(super) fn tabs(
    frame: &mut Frame,
    area: Rect,
    (state, hits): (&State, &mut Hits),
    theme: &Theme,
) {
    let narrow = area.width < 60;
    let mut spans = vec![];
    let mut x = area.x;
    for (index, screen) in Screen::ALL.into_iter().enumerate() {
        let active = screen == state.screen;
        let digit = index + 1;
        let style = theme.style(if active { Role::ActiveTab } else { Role::Tab });
        let text = match (active, narrow) {
            (false, true) => format!(" {digit} "),
            (true, _) if !theme.symbols.unicode => format!("[{digit} {}]", screen.name()),
            _ => format!(" {digit} {} ", screen.name()),
        };
        let width = text.width() as u16;
        hits.add(
            Rect { x, width, ..area }.intersection(area),
            Target::Screen(screen),
        );
        x += width;
        spans.push(Span::styled(text, style));
    }
    frame.render_widget(Line::from(spans), area);
}

/// What comes next; a notice or the line being typed takes its place.
pub(super) fn guide(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    if let Some(Overlay::Line {
        purpose,
        input,
        problem,
    }) = state.overlays.last()
    {
        let told = match problem {
            Some(problem) => Told::Problem(problem),
            None if input.value().trim().is_empty() => Told::Nothing,
            None if matches!(purpose, Purpose::Filter | Purpose::Pattern) => {
                Told::Note(found(input.value(), state))
            }
            None => Told::Nothing,
        };
        return typed(frame, area, theme, (purpose.prompt(), input, told));
    }
    let width = (area.width as usize).saturating_sub(2);
    if let Some((notice, _)) = &state.toast {
        let keys = state
            .keymap
            .keys_of(&state.screen.scopes(), Command::ShowLog);
        let key = keys.into_iter().next();
        let key = key.unwrap_or_else(|| format!(":{}", Command::ShowLog));
        return told(frame, area, &Message { notice, key }, theme);
    }
    let guide = next(state);
    let sign = if guide.step == Step::Wait {
        theme.symbols.dot
    } else {
        theme.symbols.arrow
    };
    let text = cut(
        &format!("{sign} {}", guide.text),
        width,
        theme.symbols.ellipsis,
    );
    frame.render_widget(
        Line::styled(format!(" {text}"), theme.style(Role::Guide)),
        area,
    );
}

/// A notice, and the key that shows it whole.
struct Message<'a> {
    notice: &'a Notice,
    key: String,
}

/// A notice; what does not fit its line grows over the rows above.
fn told(frame: &mut Frame, area: Rect, message: &Message, theme: &Theme) {
    let Message { notice, key } = message;
    let (sign, role) = match notice.level {
        Level::Info => (theme.symbols.arrow, Role::Text),
        Level::Warning => ("!", Role::Warning),
        Level::Bad => (theme.symbols.bad, Role::Bad),
    };
    let width = (area.width as usize).saturating_sub(2);
    let text = format!("{sign} {}", notice.text);
    let mut lines = wrap(&text, width);
    let most = usize::from(area.y / 3).clamp(1, MOST_LINES);
    if lines.len() > most {
        let rest = lines.split_off(most - 1).join(" ");
        let how = format!(" ({key} shows all)");
        let room = width.saturating_sub(how.chars().count());
        lines.push(cut(&rest, room, theme.symbols.ellipsis) + &how);
    }
    let area = Rect {
        y: area.bottom() - lines.len() as u16,
        height: lines.len() as u16,
        ..area
    };
    let lines = lines.into_iter().map(|line| Line::raw(format!(" {line}")));
    let told = Paragraph::new(lines.collect::<Vec<_>>());
    frame.render_widget(Clear, area);
    frame.render_widget(told.style(theme.style(role)), area);
}

/// The commands whose keys the footer of a screen shows, the most useful first.
fn hints(state: &State) -> Vec<Command> {
    let screen = match state.screen {
        Screen::Tune if state.tune.list.pane == Pane::Runs => RUNS,
        screen => hints_of(screen),
    };
    let always = [Command::Help, Command::Palette, Command::Quit];
    let first = std::iter::once(Command::Proceed);
    first.chain(screen.iter().copied()).chain(always).collect()
}

/// Of the list of runs.
const RUNS: &[Command] = &[
    Command::Runs,
    Command::MarkRun,
    Command::OpenRun,
    Command::CompareRuns,
    Command::Note,
    Command::Stop,
    Command::Pause,
];

const fn hints_of(screen: Screen) -> &'static [Command] {
    match screen {
        Screen::Model => &[
            Command::Analyze,
            Command::Samples,
            Command::Tolerance,
            Command::Metrics,
        ],
        Screen::Sensitivity => &[
            Command::Stop,
            Command::Pause,
            Command::NextView,
            Command::Compute,
            Command::Compare,
            Command::Sort,
            Command::Filter,
            Command::Remeasure,
            Command::Freeze,
        ],
        Screen::Bits => &[
            Command::NextDifference,
            Command::Allocate,
            Command::MoreBits,
            Command::FewerBits,
            Command::Pin,
            Command::Undo,
            Command::Visual,
            Command::Column,
            Command::SelectPattern,
            Command::Tie,
            Command::Reset,
            Command::ComparePlan,
            Command::Metric,
        ],
        Screen::Tune => &[
            Command::Stop,
            Command::Pause,
            Command::Runs,
            Command::ChangeRate,
            Command::KeepBest,
            Command::MoreEpochs,
            Command::FewerEpochs,
            Command::Schedule,
            Command::LearningRate,
            Command::TuneAnew,
            Command::Note,
            Command::Freeze,
        ],
        Screen::Export => &[Command::Down, Command::Up, Command::ExportPath],
    }
}

/// A key, what it does in a word or two, and what a click on it does.
type Hint = (String, String, Option<Target>);

/// The keys that work now.
pub(super) fn footer(
    frame: &mut Frame,
    area: Rect,
    (state, hits): (&State, &mut Hits),
    theme: &Theme,
) {
    let hints = match state.overlays.last() {
        Some(overlay) => overlay_hints(overlay, &state.keymap),
        None if state.pending.is_empty() => command_hints(state, area.width),
        None => pending_hints(state),
    };
    let (key, text) = (theme.style(Role::Key), theme.style(Role::Muted));
    let (mut spans, mut x) = (Vec::new(), area.x);
    for hint in fitted(&hints, area.width as usize) {
        let width = cost(hint) as u16;
        if let Some(target) = hint.2 {
            hits.add(Rect { x, width, ..area }.intersection(area), target);
        }
        x += width;
        spans.push(Span::styled(format!(" {}", hint.0), key));
        let gap = if hint.1.is_empty() { "" } else { " " };
        spans.push(Span::styled(format!("{gap}{} ", hint.1), text));
    }
    frame.render_widget(Line::from(spans), area);
}

/// Cells of a hint.
fn cost((key, text, _): &Hint) -> usize {
    let gap = usize::from(!text.is_empty());
    key.width() + gap + text.width() + 2
}

/// As many hints as fit; the last ones (help, quit) are kept before those in the middle.
fn fitted(hints: &[Hint], width: usize) -> Vec<&Hint> {
    let kept = hints.len().min(if width < 60 { 2 } else { 3 });
    let (middle, last) = hints.split_at(hints.len() - kept);
    let mut left = width.saturating_sub(last.iter().map(cost).sum());
    let mut shown: Vec<&Hint> = Vec::new();
    for hint in middle {
        if cost(hint) > left {
            break;
        }
        left -= cost(hint);
        shown.push(hint);
    }
    shown.extend(last);
    shown
}

fn command_hints(state: &State, width: u16) -> Vec<Hint> {
    let scopes = state.screen.scopes();
    let mut named = hints(state);
    if width < 60 {
        // Where there is little room, what comes next matters more than the palette.
        named.retain(|command| *command != Command::Palette);
    }
    let named = named
        .into_iter()
        .filter(|command| state.is_available(*command));
    let keyed = named.filter_map(|command| {
        let key = state.keymap.keys_of(&scopes, command).into_iter().next()?;
        let target = Target::Command(command);
        Some((key, command.short().to_owned(), Some(target)))
    });
    keyed.collect()
}

fn pending_hints(state: &State) -> Vec<Hint> {
    let scopes = state.screen.scopes();
    let continuations = state.keymap.continuations(&scopes, &state.pending);
    let so_far = (crate::app::key::show(&state.pending), String::new(), None);
    let rest = continuations.into_iter().map(|(keys, command)| {
        let target = Target::Command(command);
        // `2 bits` at the key 2 needs to be said once only.
        let short = command.short();
        let text = short.strip_prefix(&format!("{keys} ")).unwrap_or(short);
        (keys, text.to_owned(), Some(target))
    });
    let mut hints: Vec<_> = std::iter::once(so_far).chain(rest).collect();
    hints.push(("esc".into(), "cancel".into(), None));
    hints
}

fn overlay_hints(overlay: &Overlay, keymap: &Keymap) -> Vec<Hint> {
    let recent = keymap.beside_text(Command::Projects);
    let recent = recent.map(|key| key.to_string());
    let hints: &[(&str, &str)] = match overlay {
        Overlay::Help { .. } | Overlay::Log { .. } => {
            &[("type", "search"), ("up/down", "scroll"), ("esc", "close")]
        }
        Overlay::Palette { .. } => &[("type", "search"), ("enter", "run"), ("esc", "close")],
        Overlay::Line { .. } => &[("enter", "accept"), ("esc", "cancel")],
        Overlay::Allocate { .. } => &[
            ("up/down", "kind"),
            ("tab", "activations"),
            ("enter", "allocate"),
            ("esc", "cancel"),
        ],
        Overlay::Plans { .. } => &[
            ("up/down", "choose"),
            ("enter", "compare"),
            ("esc", "close"),
        ],
        Overlay::Projects { .. } => &[("up/down", "choose"), ("enter", "open"), ("esc", "close")],
        Overlay::Open(_) => &[
            ("tab", "next line"),
            ("up/down", "choose"),
            ("enter", "take, go on"),
            (recent.as_deref().unwrap_or_default(), "recent"),
            ("esc", "close"),
        ],
        Overlay::Themes { .. } => &[("up/down", "show"), ("enter", "keep"), ("esc", "as before")],
        Overlay::EditAgain { .. } => &[("e", "edit again"), ("k", "keep"), ("d", "drop")],
        Overlay::Quit => &[("f", "finish"), ("s", "stop and save"), ("c", "cancel")],
        Overlay::Confirm(_) => &[("y", "yes"), ("n", "no")],
    };
    let bound = hints.iter().filter(|(key, _)| !key.is_empty());
    bound
        .map(|(key, text)| {
            let pressed = sequence(key).ok().filter(|keys| keys.len() == 1);
            let target = pressed.map(|keys| Target::Answer(keys[0]));
            ((*key).to_owned(), (*text).to_owned(), target)
        })
        .collect()
}

/// A path or name that keeps its end.
pub(super) fn tail(text: &str, width: usize, theme: &Theme) -> String {
    cut_start(text, width, theme.symbols.ellipsis)
}
