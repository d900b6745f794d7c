//! The window that chooses a project.

use ratatui::Frame;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::format::{age, cut};
use super::{FILL, Hits, overlay, rows};
use crate::app::jobs::{FoundProject, Held};
use crate::app::state::State;
use crate::app::theme::{Role, Theme};

/// Cells of a name.
const NAME: usize = 20;
/// Cells of a model and of data.
const INPUT: usize = 12;
/// Cells of the time since it was used.
const AGE: usize = 11;

pub(super) fn choose(
    frame: &mut Frame,
    (state, selected, found): (&State, usize, Option<&[FoundProject]>),
    hits: &mut Hits,
    theme: &Theme,
) {
    let count = found.map_or(1, <[_]>::len);
    let size = (78, count.clamp(3, 16) as u16 + 3);
    let inside = overlay::window(frame, (size, "Projects"), hits, theme);
    let [title, list] = rows(inside, [1, FILL]);
    let Some(found) = found else {
        frame.render_widget(Line::raw("looking for projects ..."), list);
        return;
    };
    let names = format!(
        "  {:<NAME$} {:<INPUT$} {:<INPUT$} {:<AGE$} {}",
        "project", "model", "data", "used", "open"
    );
    frame.render_widget(Line::styled(names, theme.style(Role::Muted)), title);
    let first = super::scroll(selected, found.len(), list.height as usize);
    hits.rows(list, first..found.len());
    let lines = found.iter().enumerate().skip(first);
    let lines = lines.map(|(index, project)| {
        let (mark, role) = if index == selected {
            (theme.symbols.cursor, Role::Selected)
        } else {
            (" ", Role::Text)
        };
        let text = format!("{mark} {}", described(project, state, theme));
        Line::styled(text, theme.style(role))
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), list);
}

fn described(project: &FoundProject, state: &State, theme: &Theme) -> String {
    let fit = |text: &str, width| cut(text, width, theme.symbols.ellipsis);
    let data = project.data.split(':').next().unwrap_or_default();
    let used = project.age.map_or_else(|| "-".to_owned(), age);
    let held = match project.held {
        Held::Here if state.leaves_work_running() => "here, working",
        Held::Here => "here",
        Held::Elsewhere => "elsewhere",
        Held::ByWorker => "working",
        Held::Free => "",
    };
    format!(
        "{:<NAME$} {:<INPUT$} {:<INPUT$} {used:<AGE$} {held}",
        fit(&project.name, NAME),
        fit(&project.model, INPUT),
        fit(data, INPUT)
    )
}
