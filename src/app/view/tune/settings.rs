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

/// The learning rate of the next run.
pub(super) fn rate(state: &State) -> String {
    let (rate, usual) = (&state.tune.settings.training, Settings::default());
    let rate = rate.learning_rate;
    if rate.to_bits() == usual.learning_rate.to_bits() {
        format!("{rate} (usual)")
    } else {
        rate.to_string()
    }
}

/// What else is not as usual, as it is typed.
fn others(settings: &Settings) -> String {
    let own = ["epochs", "schedule", "learning_rate"];
    let changed = settings.changed();
    let others = changed.iter().filter(|(name, _)| !own.contains(&&**name));
    let words: Vec<String> = others
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if words.is_empty() {
        return "as usual".to_owned();
    }
    words.join(" ")
}

pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let settings = &state.tune.settings.training;
    let order = match settings.schedule {
        Schedule::Staged => "staged: one layer or block after another, by omega",
        Schedule::Joint => "joint: all layers at once",
    };
    let shown = [
        (Command::MoreEpochs, "epochs", settings.epochs.to_string()),
        (Command::Schedule, "schedule", order.to_owned()),
        (Command::LearningRate, "learning rate", rate(state)),
        (Command::TrainingSettings, "others", others(settings)),
    ];
    let mut lines = vec![heading("Next run", area.width, theme)];
    for (command, name, value) in shown {
        lines.push(setting(state, command, (name, value), theme));
    }
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
