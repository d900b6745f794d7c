//! What the next run will be like.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::key;
use crate::app::command::Command;
use crate::app::state::State;
use crate::app::theme::{Role, Theme};
use crate::app::view::format::wrap;
use crate::app::view::{fact, heading};
use crate::engine::finetune::{Schedule, Settings};

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

pub(super) fn rate(state: &State) -> String {
    match state.tune.settings.learning_rate {
        Some(rate) => rate.to_string(),
        None => format!("{} (usual)", Settings::default().learning_rate),
    }
}

pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
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
    let wrapped = wrap(text, area.width as usize);
    lines.extend(
        wrapped
            .into_iter()
            .map(|line| Line::styled(line, theme.style(Role::Muted))),
    );
    let earlier = state.tune.rows().len();
    if earlier > 0 {
        let runs = if earlier == 1 {
            "1 earlier run".to_owned()
        } else {
            format!("{earlier} earlier runs")
        };
        let text = format!("{} shows {runs}.", key(state, Command::Runs));
        lines.push(Line::styled(text, theme.style(Role::Muted)));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
