//! What lies over a screen and takes the keyboard: windows, and the line being typed.

use tui_input::Input;

use super::form::Form;
use crate::app::command::{Command, fuzzy};
use crate::app::jobs::FoundProject;

/// One layer over the screen; the topmost has the keyboard.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// Every key and what it does.
    Help {
        /// What is searched for.
        input: Input,
        /// First line shown.
        scroll: usize,
    },
    /// Every command by name.
    Palette {
        /// What is searched for.
        input: Input,
        /// The chosen match.
        selected: usize,
    },
    /// What happened so far.
    Log {
        /// What is searched for.
        input: Input,
        /// Lines up from the newest.
        scroll: usize,
    },
    /// A line of text.
    Line {
        /// What it is for.
        purpose: Purpose,
        /// What was typed.
        input: Input,
        /// What is wrong with it.
        problem: Option<String>,
    },
    /// Choose bits under a budget.
    Allocate {
        /// Which budget, by position.
        kind: usize,
        /// The value typed.
        input: Input,
        /// Whether the value is a suggestion: the first character typed replaces it.
        suggested: bool,
        /// What is wrong with it.
        problem: Option<String>,
    },
    /// Choose a plan to compare with.
    Plans {
        /// The chosen one, by position.
        selected: usize,
    },
    /// Choose a project to go to.
    Projects {
        /// The chosen one, by position.
        selected: usize,
        /// Those there are; absent while they are looked for.
        found: Option<Vec<FoundProject>>,
    },
    /// Open another network.
    Open(Box<Form>),
    /// Choose the colours.
    Themes {
        /// The one that is shown.
        selected: usize,
        /// The one that was shown before.
        before: String,
    },
    /// Edit the text again that is no plan?
    EditAgain {
        /// What is wrong with it, a sentence.
        problem: String,
    },
    /// Leave while work is running?
    Quit,
    /// Forget what was done?
    Confirm(Command),
}

/// What a typed line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Which layers are shown.
    Filter,
    /// Which layers are selected.
    Pattern,
    /// Where the exported file goes.
    Path,
    /// What the user writes about a run.
    Note,
    /// The learning rate that the run goes on at.
    Rate,
    /// Settings of the next run, by name.
    Training,
    /// The plan file to compare with.
    OtherPlan,
}

impl Purpose {
    /// The sign before the line.
    #[must_use]
    pub const fn prompt(self) -> &'static str {
        match self {
            Self::Filter => "filter: ",
            Self::Pattern => "select: ",
            Self::Path => "write to: ",
            Self::Note => "note: ",
            Self::Rate => "learning rate from here on: ",
            Self::Training => "settings: ",
            Self::OtherPlan => "compare with the plan file: ",
        }
    }
}

/// The commands that fit a query, best first.
#[must_use]
pub fn matches(query: &str) -> Vec<Command> {
    if query.trim().is_empty() {
        return Command::ALL.to_vec();
    }
    let score = |command: &Command| {
        let by_name = fuzzy(query, command.name());
        let by_doc = fuzzy(query, command.doc()).map(|score| score - 20);
        by_name.max(by_doc)
    };
    let mut found: Vec<(i32, Command)> = Command::ALL
        .iter()
        .filter_map(|c| Some((score(c)?, *c)))
        .collect();
    found.sort_by_key(|(score, command)| (-score, *command));
    found.into_iter().map(|(_, command)| command).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_finds_by_name_before_description() {
        assert_eq!(matches("alloc")[0], Command::Allocate);
        assert_eq!(matches("und")[0], Command::Undo);
        assert_eq!(matches("").len(), Command::ALL.len());
        assert!(matches("qqqq").is_empty());
    }
}
