//! What the user set in `config.toml`. A mistake is named with its line and the nearest name, and
//! the application starts with the defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::{Spanned, Value};

use crate::engine::complaint::{closest, hint, line_of, of_toml};

/// The settings that are built in, with what they mean.
pub const DEFAULT: &str = include_str!("../../assets/config.toml");

/// Names of the settings.
const NAMES: [&str; 6] = [
    "theme",
    "symbols",
    "mouse",
    "bell",
    "reduced-motion",
    "frames-per-second",
];
/// Most frames a second.
const MOST_FRAMES: i64 = 60;

/// Which signs are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SymbolChoice {
    /// By the locale and the terminal.
    #[default]
    Auto,
    /// Signs outside ASCII.
    Unicode,
    /// ASCII alone.
    Ascii,
}

impl SymbolChoice {
    const NAMES: [&str; 3] = ["auto", "unicode", "ascii"];
}

/// Whether what moves without telling anything may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Motion {
    /// It may.
    #[default]
    Usual,
    /// Nothing moves that is not information.
    Reduced,
}

impl Motion {
    /// How often what changes with time alone is drawn again while work runs.
    #[must_use]
    pub const fn pulse(self) -> Duration {
        match self {
            Self::Usual => Duration::from_millis(500),
            Self::Reduced => Duration::from_secs(1),
        }
    }
}

/// Settings of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The theme, where none was chosen.
    pub theme: String,
    /// Which signs are drawn.
    pub symbols: SymbolChoice,
    /// Whether the application takes the mouse, where that was not chosen.
    pub mouse: bool,
    /// Whether the bell rings when long work ends.
    pub bell: bool,
    /// What may move.
    pub motion: Motion,
    /// Frames a second at most: 1 to 60.
    pub frames_per_second: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: "terminal".to_owned(),
            symbols: SymbolChoice::Auto,
            mouse: true,
            bell: true,
            motion: Motion::Usual,
            frames_per_second: 60,
        }
    }
}

impl Settings {
    /// Shortest time between two frames.
    #[must_use]
    pub fn frame(&self) -> Duration {
        Duration::from_millis(1000 / u64::from(self.frames_per_second.max(1)))
    }

    /// Reads a file; `themes` are the names of those there are.
    ///
    /// # Errors
    /// Every mistake, a sentence each with its line.
    pub fn parse(text: &str, themes: &[&str]) -> Result<Self, Vec<String>> {
        let document: BTreeMap<String, Spanned<Value>> =
            toml::from_str(text).map_err(|error| vec![of_toml(text, &error)])?;
        let (mut settings, mut problems) = (Self::default(), Vec::new());
        for (name, value) in &document {
            if let Err(problem) = settings.set(name, value.get_ref(), themes) {
                let line = line_of(text, value.span().start);
                problems.push((line, format!("line {line}: {problem}")));
            }
        }
        problems.sort();
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems.into_iter().map(|(_, problem)| problem).collect())
        }
    }

    fn set(&mut self, name: &str, value: &Value, themes: &[&str]) -> Result<(), String> {
        match name {
            "theme" => one_of(name, value, themes)?.clone_into(&mut self.theme),
            "symbols" => {
                self.symbols = match one_of(name, value, &SymbolChoice::NAMES)? {
                    "unicode" => SymbolChoice::Unicode,
                    "ascii" => SymbolChoice::Ascii,
                    _ => SymbolChoice::Auto,
                }
            }
            "mouse" => self.mouse = truth(name, value)?,
            "bell" => self.bell = truth(name, value)?,
            "reduced-motion" => {
                self.motion = if truth(name, value)? {
                    Motion::Reduced
                } else {
                    Motion::Usual
                }
            }
            "frames-per-second" => self.frames_per_second = frames(name, value)?,
            _ => return Err(unknown(name)),
        }
        Ok(())
    }
}

fn unknown(name: &str) -> String {
    let hint = hint(name, NAMES.into_iter());
    format!("unknown setting `{name}`{hint}")
}

fn one_of<'a>(name: &str, value: &'a Value, known: &[&str]) -> Result<&'a str, String> {
    let text = value.as_str();
    match text.filter(|text| known.contains(text)) {
        Some(text) => Ok(text),
        None => match text.and_then(|text| closest(text, known.iter().copied())) {
            Some(near) => Err(format!("{name} = {value}: did you mean \"{near}\"?")),
            None => Err(format!(
                "{name} = {value}: expected one of {}",
                known.join(", ")
            )),
        },
    }
}

fn truth(name: &str, value: &Value) -> Result<bool, String> {
    let truth = value.as_bool();
    truth.ok_or_else(|| format!("{name} = {value}: expected true or false"))
}

fn frames(name: &str, value: &Value) -> Result<u8, String> {
    let number = value.as_integer();
    let number = number.filter(|number| (1..=MOST_FRAMES).contains(number));
    number
        .and_then(|number| u8::try_from(number).ok())
        .ok_or_else(|| format!("{name} = {value}: expected a number from 1 to {MOST_FRAMES}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEMES: [&str; 2] = ["terminal", "dark"];

    #[test]
    fn the_file_that_is_printed_holds_the_defaults_and_every_name() {
        assert_eq!(Settings::parse(DEFAULT, &THEMES), Ok(Settings::default()));
        for name in NAMES {
            assert!(DEFAULT.contains(&format!("\n{name} = ")), "{name}");
        }
    }

    #[test]
    fn what_is_set_is_read() {
        let text = "theme = \"dark\"\nsymbols = \"ascii\"\nmouse = false\nbell = false\n\
                    reduced-motion = true\nframes-per-second = 10\n";
        let read = Settings::parse(text, &THEMES).unwrap();
        assert_eq!(
            (read.theme.as_str(), read.symbols),
            ("dark", SymbolChoice::Ascii)
        );
        assert_eq!(
            (read.mouse, read.bell, read.motion),
            (false, false, Motion::Reduced)
        );
        assert_eq!(read.frame(), Duration::from_millis(100));
    }

    #[test]
    fn mistakes_are_named_with_their_lines_and_the_nearest_name() {
        let text = "# mine\nthem = \"dark\"\nsymbols = \"asci\"\nmouse = 1\nframes-per-second = 0\n\
                    [bits]\n";
        let problems = Settings::parse(text, &THEMES).unwrap_err();
        for (problem, expected) in problems.iter().zip([
            "line 2: unknown setting `them`; did you mean theme?",
            "line 3: symbols = \"asci\": did you mean \"ascii\"?",
            "line 4: mouse = 1: expected true or false",
            "line 5: frames-per-second = 0: expected a number from 1 to 60",
            "line 6: unknown setting `bits`",
        ]) {
            assert!(problem.starts_with(expected), "{problem}");
        }
        assert_eq!(problems.len(), 5);
        let problems = Settings::parse("theme = \"dark", &THEMES).unwrap_err();
        assert!(problems[0].starts_with("line 1: "), "{problems:?}");
    }
}
