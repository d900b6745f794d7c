//! A key as the keymap names it: `g`, `ctrl-r`, `shift-tab`, `f1`. Knows nothing of any terminal.

use std::fmt;
use std::str::FromStr;

/// What was pressed, without modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyCode {
    /// A character, shift already applied.
    Char(char),
    /// A function key.
    F(u8),
    /// Return.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Shift and tab.
    BackTab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
}

/// Keys that are named rather than written as their character.
const NAMED: [(&str, KeyCode); 17] = [
    ("space", KeyCode::Char(' ')),
    ("comma", KeyCode::Char(',')),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("shift-tab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("page-up", KeyCode::PageUp),
    ("page-down", KeyCode::PageDown),
    ("hyphen", KeyCode::Char('-')),
];

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What was pressed.
    pub code: KeyCode,
    /// Control was held.
    pub ctrl: bool,
    /// Alt was held.
    pub alt: bool,
}

impl Key {
    /// A key without modifiers.
    #[must_use]
    pub const fn plain(code: KeyCode) -> Self {
        Self {
            code,
            ctrl: false,
            alt: false,
        }
    }

    /// The character this key types into a text field, if it types one.
    #[must_use]
    pub const fn text(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }
}

impl From<KeyCode> for Key {
    fn from(code: KeyCode) -> Self {
        Self::plain(code)
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut key = Self::plain(KeyCode::Esc);
        let mut rest = text;
        loop {
            match rest.split_once('-') {
                Some(("ctrl", tail)) if !tail.is_empty() => (key.ctrl, rest) = (true, tail),
                Some(("alt", tail)) if !tail.is_empty() => (key.alt, rest) = (true, tail),
                _ => break,
            }
        }
        key.code = code(rest).ok_or_else(|| {
            format!(
                "`{text}` is no key; write a character, ctrl-r, alt-x, f1, space, enter, up, ..."
            )
        })?;
        Ok(key)
    }
}

fn code(text: &str) -> Option<KeyCode> {
    if let Some((_, code)) = NAMED.iter().find(|(name, _)| *name == text) {
        return Some(*code);
    }
    let mut characters = text.chars();
    match (characters.next(), characters.as_str()) {
        (Some(c), "") => Some(KeyCode::Char(c)),
        (Some('f'), digits) => {
            let number = digits.parse().ok()?;
            (1..=24).contains(&number).then_some(KeyCode::F(number))
        }
        _ => None,
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        let named = NAMED
            .iter()
            .find(|(name, code)| *code == self.code && *name != "hyphen");
        match (named, self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, KeyCode::Char(c)) => write!(f, "{c}"),
            (None, KeyCode::F(number)) => write!(f, "f{number}"),
            (None, _) => unreachable!("invariant: every other key has a name"),
        }
    }
}

/// A sequence of keys, separated by spaces: `g g`.
///
/// # Errors
/// Names the key that does not exist.
pub fn sequence(text: &str) -> Result<Vec<Key>, String> {
    let keys = text
        .split_whitespace()
        .map(Key::from_str)
        .collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err("expected a key before the equals sign".to_owned());
    }
    Ok(keys)
}

/// A sequence as it is written in the keymap.
#[must_use]
pub fn show(keys: &[Key]) -> String {
    keys.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_as_they_are_written() {
        for text in [
            "g",
            "G",
            "?",
            "ctrl-r",
            "alt-x",
            "space",
            "f12",
            "shift-tab",
            "-",
            "ctrl-alt-x",
        ] {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
        }
        assert_eq!("hyphen".parse::<Key>().unwrap(), "-".parse().unwrap());
        for text in ["", "ctrl-", "f0", "f99", "meta-x", "gg"] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_plain_characters_type_text() {
        assert_eq!(Key::plain(KeyCode::Char('é')).text(), Some('é'));
        assert_eq!("ctrl-a".parse::<Key>().unwrap().text(), None);
        assert_eq!(Key::plain(KeyCode::Enter).text(), None);
    }
}
