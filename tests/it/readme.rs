//! The table of keys in the README, made from the table of commands and the shipped keymap.

use std::fmt::Write as _;

use hawqeye::app::command::{Command, Group};
use hawqeye::app::keymap::Keymap;

use crate::kept::keep_between;

/// Commands that share a row, and what it says; all others have a row of their own.
const JOINED: [(&[Command], &str); 18] = [
    (
        &[
            Command::GoModel,
            Command::GoSensitivity,
            Command::GoBits,
            Command::GoTune,
            Command::GoExport,
        ],
        "Go to a screen",
    ),
    (
        &[Command::NextScreen, Command::PreviousScreen],
        "Go to the next or the previous screen",
    ),
    (
        &[Command::Undo, Command::Redo],
        "Undo the last change of the plan; redo it",
    ),
    (
        &[Command::Copy, Command::CopyPlan],
        "Copy the row, or the whole plan, to the clipboard, also over SSH",
    ),
    (
        &[Command::Themes, Command::NextTheme],
        "Choose the colours, or take the next ones",
    ),
    (&[Command::Down, Command::Up], "Go a row down or up"),
    (
        &[Command::PageDown, Command::PageUp],
        "Go ten rows down or up",
    ),
    (
        &[Command::First, Command::Last],
        "Go to the first or the last row",
    ),
    (
        &[Command::Samples, Command::Tolerance, Command::Metrics],
        "Change images, tolerance and metrics of the analysis",
    ),
    (
        &[Command::NextView, Command::PreviousView],
        "Look at the layer in the next or the previous view",
    ),
    (
        &[
            Command::Overview,
            Command::Spectrum,
            Command::Landscape,
            Command::Weights,
            Command::Convergence,
        ],
        "Overview, spectrum, landscape, weights, or convergence of the selected layer",
    ),
    (
        &[Command::Remeasure, Command::RemeasureShown],
        "Measure the layer, or all that the filter shows, again at a tenth of the tolerance",
    ),
    (
        &[Command::MoreBits, Command::FewerBits],
        "One step more or fewer bits",
    ),
    (
        &[
            Command::Bits2,
            Command::Bits3,
            Command::Bits4,
            Command::Bits5,
            Command::Bits6,
            Command::Bits7,
            Command::Bits8,
        ],
        "Set so many bits",
    ),
    (
        &[Command::Tie, Command::Untie],
        "Tie the selected layers, so that they share bits; untie them",
    ),
    (
        &[Command::SmallerBest, Command::LargerBest],
        "Go to the next smaller or larger plan of the frontier",
    ),
    (
        &[Command::MoreEpochs, Command::FewerEpochs],
        "One epoch more or fewer",
    ),
    (
        &[Command::Analyze, Command::AnalyzeAnew],
        "Start the analysis, or go on with a stopped one; forget it and start again",
    ),
];

/// Where the keys of a table work.
const fn title(group: Group) -> &'static str {
    match group {
        Group::Global => "everywhere",
        Group::Movement => "in lists",
        Group::Model => "Model",
        Group::Sensitivity => "Sensitivity",
        Group::Bits => "Bits",
        Group::Tune => "Fine-tune",
        Group::Export => "Export",
    }
}

/// The commands of a row, and what it says.
fn row(command: Command) -> (Vec<Command>, &'static str) {
    let joined = JOINED
        .iter()
        .find(|(commands, _)| commands.contains(&command));
    joined.map_or((vec![command], command.doc()), |(commands, doc)| {
        (commands.to_vec(), *doc)
    })
}

/// The keys of the commands of a row: all of each, or the first and the last of many.
fn keys(keymap: &Keymap, group: Group, commands: &[Command]) -> String {
    let of = |command: &Command| keymap.keys_of(&[group], *command);
    let code = |key: &String| format!("`{key}`");
    if let ([first, .., last], true) = (commands, in_sequence(keymap, group, commands)) {
        return format!("{} ... {}", code(&of(first)[0]), code(&of(last)[0]));
    }
    let each = commands.iter().map(|command| {
        let keys: Vec<String> = of(command).iter().map(code).collect();
        keys.join(" ")
    });
    each.collect::<Vec<_>>().join(", ")
}

/// Whether the keys of at least four commands count up.
fn in_sequence(keymap: &Keymap, group: Group, commands: &[Command]) -> bool {
    let last = |command: &Command| keymap.keys_of(&[group], *command).pop()?.pop();
    let ends: Option<Vec<char>> = commands.iter().map(last).collect();
    let ends = ends.unwrap_or_default();
    commands.len() > 3
        && ends
            .windows(2)
            .all(|pair| pair[0] as u32 + 1 == pair[1] as u32)
}

fn table() -> String {
    let keymap = Keymap::default();
    let mut text = String::from("| where | keys | do |\n|---|---|---|\n");
    for group in Group::ALL {
        let mut place = title(group);
        let mut done: Vec<Command> = Vec::new();
        let own = |command: &&Command| !keymap.keys_of(&[group], **command).is_empty();
        for command in Command::ALL.iter().filter(own) {
            let (commands, doc) = row(*command);
            if done.contains(command) {
                continue;
            }
            let keys = keys(&keymap, group, &commands).replace('|', "\\|");
            let _ = writeln!(text, "| {place} | {keys} | {doc} |");
            place = "";
            done.extend(commands);
        }
    }
    text
}

#[test]
fn the_readme_lists_the_keys_as_they_are() {
    keep_between("README.md", "keys", &table());
}

#[test]
fn commands_share_a_row_only_where_all_of_them_have_keys() {
    let keymap = Keymap::default();
    for (commands, doc) in JOINED {
        let group = commands[0].group();
        for command in commands {
            let keys = keymap.keys_of(&[group], *command);
            assert!(!keys.is_empty(), "{command} in \"{doc}\"");
        }
    }
}
