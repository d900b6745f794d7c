//! What the surroundings say: colours, locale, log level; and the user's keymap and themes.
//! The only file of the application that reads environment variables.

use std::env;
use std::fs;
use std::path::Path;

use super::keymap::Keymap;
use super::settings::Settings;
use super::symbols::Symbols;
use super::theme::{Depth, Library};
use crate::engine::{Error, text};

/// Largest configuration file that is read.
const LIMIT: u64 = 1 << 20;

/// What the surroundings ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Draw without colours.
    pub no_color: bool,
    /// Colours the terminal can show.
    pub depth: Depth,
    /// Draw signs outside ASCII.
    pub unicode: bool,
    /// What is logged.
    pub log: String,
    /// The user's editor, as a shell understands it.
    pub editor: Option<String>,
}

impl Surroundings {
    /// As the environment says.
    #[must_use]
    pub fn read() -> Self {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let term = set("TERM");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let depth = match (set("COLORTERM").as_deref(), term.as_deref()) {
            (Some("truecolor" | "24bit"), _) => Depth::True,
            (_, Some(term)) if term.contains("256color") => Depth::Indexed,
            _ => Depth::Sixteen,
        };
        Self {
            no_color: set("NO_COLOR").is_some() || term.as_deref() == Some("dumb"),
            depth,
            unicode: Symbols::detect(locale.as_deref(), term.as_deref()).unicode,
            log: set("HAWQEYE_LOG").unwrap_or_else(|| "info".to_owned()),
            editor: set("VISUAL").or_else(|| set("EDITOR")),
        }
    }
}

/// The keys, the user's over the built-in ones; and what is wrong with the user's file.
#[must_use]
pub fn keymap(config: &Path) -> (Keymap, Vec<String>) {
    let mut keymap = Keymap::default();
    let path = config.join("keymap.toml");
    let problems = match read(&path) {
        Ok(Some(text)) => keymap.merge(&text),
        Ok(None) => Vec::new(),
        Err(problem) => vec![problem],
    };
    let problems = problems
        .into_iter()
        .map(|problem| format!("{}: {problem}", path.display()));
    (keymap, problems.collect())
}

/// What the user set, and what is wrong with the file: then the defaults are used.
#[must_use]
pub fn settings(config: &Path, library: &Library) -> (Settings, Vec<String>) {
    let path = config.join("config.toml");
    let themes: Vec<&str> = library.names().collect();
    let parsed = match read(&path) {
        Ok(Some(text)) => Settings::parse(&text, &themes),
        Ok(None) => Ok(Settings::default()),
        Err(problem) => Err(vec![problem]),
    };
    parsed.map_or_else(
        |problems| {
            let name = path.display();
            let problems = problems.into_iter();
            let told =
                problems.map(|problem| format!("{name}: {problem}; the defaults are in use"));
            (Settings::default(), told.collect())
        },
        |settings| (settings, Vec::new()),
    )
}

/// The themes, the user's over the built-in ones; and what could not be read.
#[must_use]
pub fn themes(config: &Path) -> (Library, Vec<String>) {
    let mut library = Library::default();
    let mut problems = Vec::new();
    for entry in fs::read_dir(config.join("themes"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        match read(&path) {
            Ok(Some(text)) => library.add(name, text),
            Ok(None) => {}
            Err(problem) => problems.push(format!("{}: {problem}", path.display())),
        }
    }
    (library, problems)
}

fn read(path: &Path) -> Result<Option<String>, String> {
    if !path.exists() {
        return Ok(None);
    }
    let read = text::read(path, LIMIT).map(Some);
    read.map_err(|error| match error {
        Error::Format { reason, .. } => reason,
        other => other.to_string(),
    })
}
/// The kind of terminal, as it says itself; empty when it does not.
#[must_use]
pub fn terminal() -> String {
    env::var("TERM").unwrap_or_default()
}
