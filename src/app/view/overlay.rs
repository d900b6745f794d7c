//! Windows over the screen: help, palette, log, the budget, and questions.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::format::{cut, duration, wrap};
use super::help::{Entry, entries};
use super::line::{Told, typed};
use super::{FILL, Hits, chrome, comparison, form, projects, question, rows};
use crate::app::command::Command;
use crate::app::key::{Key, KeyCode};
use crate::app::msg::Target;
use crate::app::state::bits::BUDGETS;
use crate::app::state::overlay::{Overlay, matches};
use crate::app::state::{Level, State};
use crate::app::theme::{Role, Theme};

/// Cells of the keys in the help.
const HELP_KEYS: usize = 17;
/// Cells of a time in the log.
const LOG_TIME: usize = 7;
/// Lines in which the palette says all of what the chosen command does.
const PALETTE_DOC: u16 = 2;
/// Cells of a command's name in the help.
const HELP_NAME: usize = 16;

pub(super) fn draw(frame: &mut Frame, (state, hits): (&State, &mut Hits), theme: &Theme) {
    match state.overlays.last() {
        None | Some(Overlay::Line { .. }) => {}
        Some(Overlay::Help { input, scroll }) => {
            help(frame, (state, input, *scroll), hits, theme);
        }
        Some(Overlay::Palette { input, selected }) => {
            palette(frame, (state, input, *selected), hits, theme);
        }
        Some(Overlay::Log { input, scroll }) => log(frame, (state, input, *scroll), hits, theme),
        Some(Overlay::Allocate {
            kind,
            input,
            problem,
            ..
        }) => {
            allocate(
                frame,
                (state, *kind, input, problem.as_deref()),
                hits,
                theme,
            );
        }
        Some(Overlay::Themes { selected, .. }) => {
            themes(frame, (state, *selected), hits, theme);
        }
        Some(Overlay::Plans { selected }) => {
            comparison::choose(frame, (state, *selected), hits, theme);
        }
        Some(Overlay::EditAgain { problem }) => question::edit_again(frame, problem, hits, theme),
        Some(Overlay::Projects { selected, found }) => {
            projects::choose(frame, (state, *selected, found.as_deref()), hits, theme);
        }
        Some(Overlay::Open(form)) => form::draw(frame, (state, form), hits, theme),
        Some(Overlay::Quit) => question::quit(frame, state, hits, theme),
        Some(Overlay::Confirm(command)) => question::confirm(frame, *command, hits, theme),
    }
}

/// A window of at most this size in the middle; gives its inside.
pub(super) fn window(
    frame: &mut Frame,
    ((width, height), title): ((u16, u16), &str),
    hits: &mut Hits,
    theme: &Theme,
) -> Rect {
    let screen = frame.area();
    let above_footer = Rect {
        height: screen.height.saturating_sub(1),
        ..screen
    };
    let (width, height) = (
        width.min(above_footer.width),
        height.min(above_footer.height),
    );
    let area = Rect {
        x: (above_footer.width - width) / 2,
        y: (above_footer.height - height) / 2,
        width,
        height,
    };
    let block = Block::bordered()
        .border_set(theme.symbols.border)
        .border_style(theme.style(Role::Border))
        .title(Span::styled(format!(" {title} "), theme.style(Role::Title)))
        .style(theme.style(Role::Overlay));
    let inside = block.inner(area);
    hits.cover(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    let pad = u16::from(inside.width > 20);
    Rect {
        x: inside.x + pad,
        width: inside.width - 2 * pad,
        ..inside
    }
}

/// How much a search found; nothing before something is typed.
fn counted(query: &str, count: impl FnOnce() -> (usize, usize)) -> Told<'static> {
    if query.trim().is_empty() {
        return Told::Nothing;
    }
    let (found, all) = count();
    Told::Note(format!("{found} of {all}"))
}

fn help(
    frame: &mut Frame,
    (state, input, scroll): (&State, &tui_input::Input, usize),
    hits: &mut Hits,
    theme: &Theme,
) {
    let inside = window(frame, ((92, frame.area().height), "Help"), hits, theme);
    let [search, list] = rows(inside, [1, FILL]);
    let found = entries(state, input.value());
    let told = counted(input.value(), || {
        let command = |entry: &&Entry| matches!(entry, Entry::Command(..));
        let all = entries(state, "");
        let [found, all] = [&found, &all].map(|list| list.iter().filter(command).count());
        (found, all)
    });
    typed(frame, search, theme, ("search: ", input, told));
    let width = list.width as usize;
    let lines = found.into_iter();
    let lines: Vec<Line> = lines
        .flat_map(|entry| help_lines(entry, width, theme))
        .collect();
    let height = list.height as usize;
    let first = scroll.min(lines.len().saturating_sub(height));
    let shown: Vec<Line> = lines.into_iter().skip(first).take(height).collect();
    frame.render_widget(Paragraph::new(shown), list);
}

fn help_lines<'a>(entry: Entry, width: usize, theme: &Theme) -> Vec<Line<'a>> {
    match entry {
        Entry::Heading(name) => vec![Line::styled(name, theme.style(Role::Title))],
        Entry::Text(text) => vec![Line::styled(
            cut(text, width, theme.symbols.ellipsis),
            theme.style(Role::Text),
        )],
        Entry::Command(keys, name, doc, works) => {
            let role = if works { Role::Text } else { Role::Muted };
            let keys = cut(&keys, HELP_KEYS, theme.symbols.ellipsis);
            let first = [keys, name.to_owned()];
            let named =
                std::iter::once(first).chain(std::iter::repeat([String::new(), String::new()]));
            let docs = wrap(doc, width.saturating_sub(HELP_KEYS + HELP_NAME + 3).max(1));
            let line = |([keys, name], doc): ([String; 2], String)| {
                Line::from(vec![
                    Span::styled(format!("  {keys:<HELP_KEYS$} "), theme.style(Role::Key)),
                    Span::styled(format!("{name:<HELP_NAME$}"), theme.style(role)),
                    Span::styled(doc, theme.style(Role::Muted)),
                ])
            };
            named.zip(docs).map(line).collect()
        }
    }
}

fn palette(
    frame: &mut Frame,
    (state, input, selected): (&State, &tui_input::Input, usize),
    hits: &mut Hits,
    theme: &Theme,
) {
    let inside = window(frame, ((76, 18), "Commands"), hits, theme);
    let [line, list, doc] = rows(inside, [1, FILL, PALETTE_DOC]);
    let found = matches(input.value());
    let told = counted(input.value(), || (found.len(), Command::ALL.len()));
    typed(frame, line, theme, (":", input, told));
    let chosen = found.get(selected).map_or("", |command| command.doc());
    let lines = wrap(chosen, doc.width as usize).into_iter().map(Line::raw);
    let lines = Paragraph::new(lines.collect::<Vec<_>>());
    frame.render_widget(lines.style(theme.style(Role::Text)), doc);
    let height = list.height as usize;
    let first = super::scroll(selected, found.len(), height);
    hits.rows(list, first..found.len());
    let scopes = state.screen.scopes();
    let row = |(index, command): (usize, &Command)| {
        let keys = state
            .keymap
            .keys_of(&scopes, *command)
            .into_iter()
            .next()
            .unwrap_or_default();
        let works = state.is_available(*command);
        let role = match (index == selected, works) {
            (true, _) => Role::Selected,
            (false, true) => Role::Text,
            (false, false) => Role::Muted,
        };
        let mark = if index == selected {
            theme.symbols.cursor
        } else {
            " "
        };
        let room = (list.width as usize).saturating_sub(30);
        let doc = cut(command.doc(), room, theme.symbols.ellipsis);
        Line::styled(
            format!("{mark} {:<16} {keys:<9} {doc}", command.name()),
            theme.style(role),
        )
    };
    let lines: Vec<Line> = found
        .iter()
        .enumerate()
        .skip(first)
        .take(height)
        .map(row)
        .collect();
    let lines = if lines.is_empty() {
        vec![Line::raw("no such command")]
    } else {
        lines
    };
    frame.render_widget(Paragraph::new(lines), list);
}

fn log(
    frame: &mut Frame,
    (state, input, scroll): (&State, &tui_input::Input, usize),
    hits: &mut Hits,
    theme: &Theme,
) {
    let inside = window(frame, ((110, frame.area().height), "Log"), hits, theme);
    let [search, list, path] = rows(inside, [1, FILL, 1]);
    let query = input.value();
    let found = state.log_lines(query);
    let told = counted(query, || (found.count(), state.log.len()));
    typed(frame, search, theme, ("search: ", input, told));
    let width = list.width as usize;
    let mut lines: Vec<Line> = Vec::new();
    for notice in state
        .log_lines(query)
        .skip(scroll)
        .take(list.height as usize)
    {
        let role = match notice.level {
            Level::Info => Role::Text,
            Level::Warning => Role::Warning,
            Level::Bad => Role::Bad,
        };
        let times = std::iter::once(duration(notice.at)).chain(std::iter::repeat(String::new()));
        let wrapped = wrap(&notice.text, width.saturating_sub(LOG_TIME + 2));
        let told = times.zip(wrapped).map(|(time, text)| {
            Line::styled(format!("{time:>LOG_TIME$}  {text}"), theme.style(role))
        });
        lines.extend(told.collect::<Vec<_>>().into_iter().rev());
    }
    lines.truncate(list.height as usize);
    lines.reverse();
    if lines.is_empty() {
        let text = if state.log.is_empty() {
            "nothing happened yet"
        } else {
            "nothing that happened contains this"
        };
        lines.push(Line::styled(text, theme.style(Role::Muted)));
    }
    frame.render_widget(Paragraph::new(lines), list);
    let file = chrome::tail(&state.place.log.display().to_string(), width, theme);
    frame.render_widget(Line::styled(file, theme.style(Role::Muted)), path);
}

fn allocate(
    frame: &mut Frame,
    (state, kind, input, problem): (&State, usize, &tui_input::Input, Option<&str>),
    hits: &mut Hits,
    theme: &Theme,
) {
    let title = "Choose bits that fit a budget";
    let inside = window(frame, ((72, 15), title), hits, theme);
    let mut lines: Vec<Line> = Vec::new();
    for (index, budget) in BUDGETS.iter().enumerate() {
        let (mark, role) = if index == kind {
            (theme.symbols.cursor, Role::Selected)
        } else {
            (" ", Role::Text)
        };
        lines.push(Line::from(vec![
            Span::styled(format!("{mark} {:<13}", budget.name), theme.style(role)),
            Span::styled(format!("  {}", budget.doc), theme.style(Role::Muted)),
        ]));
    }
    let activations = Line::from(vec![
        Span::styled(" activation bits: ", theme.style(Role::Muted)),
        Span::styled(state.bits.activations.to_string(), theme.style(Role::Text)),
        Span::styled("  tab changes them", theme.style(Role::Muted)),
    ]);
    let heights = [lines.len() as u16, 1, 1, 1, 1, 1, FILL];
    let [kinds, _, line, reach, widths, _, rest] = rows(inside, heights);
    hits.rows(kinds, 0..BUDGETS.len());
    hits.add(widths, Target::Answer(Key::plain(KeyCode::Tab)));
    frame.render_widget(activations, widths);
    frame.render_widget(Paragraph::new(lines), kinds);
    typed(
        frame,
        line,
        theme,
        (&format!("{}: ", BUDGETS[kind].name), input, Told::Nothing),
    );
    let subject = state
        .analysis
        .sensitivity()
        .and_then(|s| state.bits.subject(s));
    let reachable = subject.map_or_else(String::new, |subject| subject.reachable(kind));
    frame.render_widget(
        Line::styled(format!(" {reachable}"), theme.style(Role::Muted)),
        reach,
    );
    let (text, role) = match problem {
        Some(problem) => (problem.to_owned(), Role::Bad),
        None => (
            format!(
                "Least harm by {} within the budget. Pinned layers keep their bits, tied layers \
                     share them.",
                state.bits.metric
            ),
            Role::Muted,
        ),
    };
    let lines = wrap(&text, rest.width as usize);
    let lines: Vec<Line> = lines.into_iter().map(Line::raw).collect();
    frame.render_widget(Paragraph::new(lines).style(theme.style(role)), rest);
}

fn themes(frame: &mut Frame, (state, selected): (&State, usize), hits: &mut Hits, theme: &Theme) {
    let names = &state.themes.names;
    let size = (30, names.len() as u16 + 2);
    let list = window(frame, (size, "Colours"), hits, theme);
    let first = super::scroll(selected, names.len(), list.height as usize);
    hits.rows(list, first..names.len());
    let lines = names.iter().enumerate().skip(first).map(|(index, name)| {
        let (mark, role) = if index == selected {
            (theme.symbols.cursor, Role::Selected)
        } else {
            (" ", Role::Text)
        };
        Line::styled(format!("{mark} {name:<24}"), theme.style(role))
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), list);
}
