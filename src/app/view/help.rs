//! The help: every command with its keys as they are bound now, so it cannot be wrong.

use crate::app::command::{Command, Group};
use crate::app::state::State;

/// A line of the help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// Where the commands below belong.
    Heading(String),
    /// A command: keys, name, what it does, whether it works now.
    Command(String, &'static str, &'static str, bool),
    /// A sentence.
    Text(&'static str),
}

/// What a newcomer should know.
const INTRODUCTION: [&str; 5] = [
    "Enter does what the line above the footer says: from the model through",
    "analysis, bits and fine-tuning to the exported file. Digits go to a screen.",
    "Settings come from config.toml, keys from keymap.toml and colours from",
    "themes/*.toml in the configuration folder, which `hawqeye doctor` names.",
    "",
];

/// The help with the lines that contain `query`, the tables of this screen first.
pub(super) fn entries(state: &State, query: &str) -> Vec<Entry> {
    let query = query.to_lowercase();
    let own = state.screen.group();
    let mut groups = vec![own, Group::Movement, Group::Global];
    groups.extend(
        Group::ALL
            .into_iter()
            .filter(|group| !groups.contains(group))
            .collect::<Vec<_>>(),
    );
    let mut entries = Vec::new();
    if query.is_empty() {
        entries.extend(INTRODUCTION.map(Entry::Text));
    }
    for group in groups {
        let found: Vec<Entry> = commands(state, group)
            .filter(|(keys, command, _)| {
                let text = format!("{keys} {} {}", command.name(), command.doc()).to_lowercase();
                text.contains(&query)
            })
            .map(|(keys, command, works)| {
                Entry::Command(keys, command.name(), command.doc(), works)
            })
            .collect();
        if !found.is_empty() {
            entries.push(Entry::Heading(group.name().to_owned()));
            entries.extend(found);
        }
    }
    entries
}

/// Commands bound in a table, with their keys.
fn commands(state: &State, group: Group) -> impl Iterator<Item = (String, Command, bool)> + '_ {
    Command::ALL.iter().filter_map(move |command| {
        let keys = state.keymap.keys_of(&[group], *command);
        let own = command.group() == group;
        (own || !keys.is_empty()).then(|| (keys.join(", "), *command, state.is_available(*command)))
    })
}
