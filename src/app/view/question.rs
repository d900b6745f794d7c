//! Questions that a window asks, with the answers by their keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Hits;
use super::format::wrap;
use super::overlay::window;
use crate::app::command::Command;
use crate::app::key::{Key, KeyCode};
use crate::app::msg::Target;
use crate::app::state::State;
use crate::app::theme::{Role, Theme};

/// A question: its title, its text, and the answers by their key.
struct Question<'a> {
    title: &'a str,
    text: &'a str,
    answers: &'a [(char, &'a str)],
}

fn question(frame: &mut Frame, asked: &Question, hits: &mut Hits, theme: &Theme) {
    let wrapped = wrap(asked.text, 52);
    let (above, answers) = (wrapped.len() as u16 + 1, asked.answers);
    let height = above + answers.len() as u16 + 2;
    let inside = window(frame, ((58, height), asked.title), hits, theme);
    for ((key, _), y) in answers.iter().zip(inside.y + above..inside.bottom()) {
        let row = Rect {
            y,
            height: 1,
            ..inside
        };
        hits.add(row, Target::Answer(Key::plain(KeyCode::Char(*key))));
    }
    let mut lines: Vec<Line> = wrapped.into_iter().map(Line::raw).collect();
    lines.push(Line::raw(""));
    lines.extend(answers.iter().map(|(key, what)| {
        Line::from(vec![
            Span::styled(format!("  {key}  "), theme.style(Role::Key)),
            Span::raw((*what).to_owned()),
        ])
    }));
    frame.render_widget(Paragraph::new(lines), inside);
}

pub(super) fn edit_again(frame: &mut Frame, problem: &str, hits: &mut Hits, theme: &Theme) {
    let asked = Question {
        title: "The text is no plan",
        text: &format!("{problem}."),
        answers: &[
            ('e', "edit the same text again"),
            ('k', "keep it for later: the plan stays as it is"),
            ('d', "drop it: the plan stays as it is"),
        ],
    };
    question(frame, &asked, hits, theme);
}

pub(super) fn quit(frame: &mut Frame, state: &State, hits: &mut Hits, theme: &Theme) {
    let Some(running) = state.foreground() else {
        return;
    };
    let stays = state.leaves_work_running();
    let kept = if running.kind.is_resumable() {
        "Stopping saves what is finished; it can go on later."
    } else {
        "Stopping gives it up."
    };
    let text = format!("{} is running. {kept}", running.kind.name());
    let finish = if stays {
        "finish without me: it goes on in the background"
    } else {
        "finish, then leave"
    };
    let answers = [
        ('f', finish),
        ('s', "stop and save, then leave"),
        ('c', "cancel: stay here"),
    ];
    let asked = Question {
        title: "Leave?",
        text: &text,
        answers: &answers,
    };
    question(frame, &asked, hits, theme);
}

pub(super) fn confirm(frame: &mut Frame, command: Command, hits: &mut Hits, theme: &Theme) {
    let asked = Question {
        title: "Sure?",
        text: &format!("{}?", command.doc()),
        answers: &[('y', "yes"), ('n', "no")],
    };
    question(frame, &asked, hits, theme);
}
