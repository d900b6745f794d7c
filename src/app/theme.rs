//! Colours and modifiers by meaning. A theme file names a parent, a palette and styles; what it does
//! not name comes from the parent. Colours are reduced to what the terminal can show.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use super::symbols::Symbols;
use crate::engine::complaint::{hint, of_toml};

/// The themes that are built in.
pub const EMBEDDED: [(&str, &str); 5] = [
    ("terminal", include_str!("../../themes/terminal.toml")),
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("okabe-ito", include_str!("../../themes/okabe-ito.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// The theme without colours.
pub const MONO: &str = "mono";

/// Parents a theme may have, one above the other.
const MAX_PARENTS: usize = 8;

macro_rules! roles {
    ($($variant:ident $name:literal $doc:literal)*) => {
        /// What a piece of the screen means.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Role { $(#[doc = $doc] $variant,)* }

        impl Role {
            /// Every role.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in a theme file.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

roles! {
    Text "text" "Ordinary text."
    Muted "muted" "Text of less weight: units, explanations."
    Title "title" "Titles of regions."
    Border "border" "Lines around regions."
    Header "header" "The first line of the screen."
    Tab "tab" "The name of a screen."
    ActiveTab "active-tab" "The name of the screen that is shown."
    Key "key" "A key that can be pressed."
    Selected "selected" "The row the keyboard works on."
    Marked "marked" "Rows selected together."
    Edited "edited" "The column that edits."
    Pinned "pinned" "Bits set by hand and pinned."
    Changed "changed" "Bits that differ from the automatic plan."
    Bar "bar" "Bars of measured values."
    LiveBar "live-bar" "The value being measured now."
    Progress "progress" "Work done."
    Good "good" "A check that passed."
    Warning "warning" "Something to know."
    Bad "bad" "Something that failed."
    Guide "guide" "The sentence that says what comes next."
    Overlay "overlay" "Windows over the screen."
    Match "match" "What a filter found."
}

/// Number of colours a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// The 16 names.
    Sixteen,
    /// The 256 of xterm.
    Indexed,
    /// Red, green and blue.
    True,
}

/// Styles by role, and the symbols to draw with.
#[derive(Debug, Clone)]
pub struct Theme {
    /// The theme's name.
    pub name: String,
    /// What lines, bars and marks are drawn with.
    pub symbols: Symbols,
    styles: Vec<Style>,
    series: Vec<Style>,
}

impl Theme {
    /// The style of a role.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// The style of the curve at `index`.
    #[must_use]
    pub fn series(&self, index: usize) -> Style {
        self.series[index % self.series.len()]
    }

    /// A built-in theme.
    #[must_use]
    pub fn embedded(name: &str, depth: Depth, symbols: Symbols) -> Option<Self> {
        let library = Library::default();
        EMBEDDED.iter().find(|(known, _)| *known == name)?;
        library.load(name, depth, symbols).ok()
    }
}

/// Theme files by name: the embedded ones and the user's.
#[derive(Debug, Clone)]
pub struct Library {
    texts: BTreeMap<String, String>,
}

impl Default for Library {
    fn default() -> Self {
        let texts = EMBEDDED
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Self {
            texts: texts.collect(),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    inherits: Option<String>,
    #[serde(default)]
    palette: BTreeMap<String, String>,
    #[serde(default)]
    style: BTreeMap<String, Entry>,
    #[serde(default)]
    series: Vec<String>,
}

/// Modifiers and colours of one role.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the theme file"
)]
struct Entry {
    fg: Option<String>,
    bg: Option<String>,
    #[serde(default)]
    bold: bool,
    #[serde(default)]
    dim: bool,
    #[serde(default)]
    italic: bool,
    #[serde(default)]
    underline: bool,
    #[serde(default)]
    reversed: bool,
}

impl Library {
    /// Adds or replaces a theme.
    pub fn add(&mut self, name: String, text: String) {
        self.texts.insert(name, text);
    }

    /// Names of all themes.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.texts.keys().map(String::as_str)
    }

    /// The theme called `name`, parents included.
    ///
    /// # Errors
    /// One sentence with the theme, what is wrong and the nearest name.
    pub fn load(&self, name: &str, depth: Depth, symbols: Symbols) -> Result<Theme, String> {
        let merged = self.merged(name, 0)?;
        let resolve = |color: &str| resolve(color, &merged.palette, depth);
        let mut styles = vec![Style::default(); Role::ALL.len()];
        for (key, entry) in &merged.style {
            let Some(role) = Role::ALL.iter().find(|role| role.name() == key) else {
                let hint = hint(key, Role::ALL.iter().map(|role| role.name()));
                return Err(format!("theme {name}: unknown style `{key}`{hint}"));
            };
            styles[*role as usize] = entry
                .style(&resolve)
                .map_err(|problem| format!("theme {name}: {key}: {problem}"))?;
        }
        let series: Vec<Style> = merged
            .series
            .iter()
            .map(|color| Ok(Style::default().fg(resolve(color)?)))
            .collect::<Result<_, String>>()
            .map_err(|problem| format!("theme {name}: series: {problem}"))?;
        let series = if series.is_empty() {
            vec![Style::default()]
        } else {
            series
        };
        Ok(Theme {
            name: name.to_owned(),
            symbols,
            styles,
            series,
        })
    }

    fn merged(&self, name: &str, depth: usize) -> Result<File, String> {
        if depth > MAX_PARENTS {
            return Err(format!("theme {name} inherits from itself"));
        }
        let Some(text) = self.texts.get(name) else {
            let hint = hint(name, self.names());
            return Err(format!("there is no theme `{name}`{hint}"));
        };
        let own: File = toml::from_str(text)
            .map_err(|error| format!("theme {name}, {}", of_toml(text, &error)))?;
        let Some(parent) = &own.inherits else {
            return Ok(own);
        };
        let mut merged = self.merged(parent, depth + 1)?;
        merged.palette.extend(own.palette);
        merged.style.extend(own.style);
        if !own.series.is_empty() {
            merged.series = own.series;
        }
        Ok(merged)
    }
}

impl Entry {
    fn style(&self, resolve: &dyn Fn(&str) -> Result<Color, String>) -> Result<Style, String> {
        let mut style = Style::default();
        if let Some(color) = &self.fg {
            style = style.fg(resolve(color)?);
        }
        if let Some(color) = &self.bg {
            style = style.bg(resolve(color)?);
        }
        let modifiers = [
            (self.bold, Modifier::BOLD),
            (self.dim, Modifier::DIM),
            (self.italic, Modifier::ITALIC),
            (self.underline, Modifier::UNDERLINED),
            (self.reversed, Modifier::REVERSED),
        ];
        for (_, modifier) in modifiers.into_iter().filter(|(wanted, _)| *wanted) {
            style = style.add_modifier(modifier);
        }
        Ok(style)
    }
}

/// The 16 names, in the order of the ANSI codes.
const NAMES: [(&str, Color); 17] = [
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("gray", Color::Gray),
    ("dark-gray", Color::DarkGray),
    ("light-red", Color::LightRed),
    ("light-green", Color::LightGreen),
    ("light-yellow", Color::LightYellow),
    ("light-blue", Color::LightBlue),
    ("light-magenta", Color::LightMagenta),
    ("light-cyan", Color::LightCyan),
    ("white", Color::White),
    ("default", Color::Reset),
];

fn resolve(text: &str, palette: &BTreeMap<String, String>, depth: Depth) -> Result<Color, String> {
    let text = palette.get(text).map_or(text, String::as_str);
    if let Some((_, color)) = NAMES.iter().find(|(name, _)| *name == text) {
        return Ok(*color);
    }
    let digits = text
        .strip_prefix('#')
        .filter(|d| d.len() == 6 && d.is_ascii());
    let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match number {
        Some(rgb) => Ok(reduce(
            [(rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8],
            depth,
        )),
        None => Err(format!(
            "`{text}` is no colour: expected #RRGGBB, a palette entry or a name"
        )),
    }
}

/// A colour as the terminal can show it.
fn reduce([red, green, blue]: [u8; 3], depth: Depth) -> Color {
    match depth {
        Depth::True => Color::Rgb(red, green, blue),
        Depth::Indexed => Color::Indexed(cube_index([red, green, blue])),
        Depth::Sixteen => {
            let distance = |(_, other): &(Color, [u8; 3])| {
                let pairs = other.iter().zip([red, green, blue]);
                pairs
                    .map(|(a, b)| i32::from(a.abs_diff(b)).pow(2))
                    .sum::<i32>()
            };
            let nearest = ANSI.iter().min_by_key(|entry| distance(entry));
            nearest.expect("invariant: the table is not empty").0
        }
    }
}

/// The nearest entry of xterm's 6x6x6 cube or grey ramp.
fn cube_index(rgb: [u8; 3]) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let nearest = |value: u8| -> u8 {
        let by_distance = |level: &usize| LEVELS[*level].abs_diff(value);
        (0..6)
            .min_by_key(by_distance)
            .expect("invariant: six levels") as u8
    };
    let [red, green, blue] = rgb.map(nearest);
    let cube = [red, green, blue].map(|level| LEVELS[usize::from(level)]);
    let mean = (rgb.iter().map(|&c| u32::from(c)).sum::<u32>() / 3) as u8;
    let step = (mean.saturating_sub(3) / 10).min(23);
    let grey = [8 + 10 * step; 3];
    let error = |other: [u8; 3]| -> u32 {
        other
            .iter()
            .zip(rgb)
            .map(|(a, b)| u32::from(a.abs_diff(b)).pow(2))
            .sum()
    };
    if error(grey) < error(cube) {
        232 + step
    } else {
        16 + 36 * red + 6 * green + blue
    }
}

/// What the 16 names look like in xterm.
const ANSI: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [205, 0, 0]),
    (Color::Green, [0, 205, 0]),
    (Color::Yellow, [205, 205, 0]),
    (Color::Blue, [0, 0, 238]),
    (Color::Magenta, [205, 0, 205]),
    (Color::Cyan, [0, 205, 205]),
    (Color::Gray, [229, 229, 229]),
    (Color::DarkGray, [127, 127, 127]),
    (Color::LightRed, [255, 0, 0]),
    (Color::LightGreen, [0, 255, 0]),
    (Color::LightYellow, [255, 255, 0]),
    (Color::LightBlue, [92, 92, 255]),
    (Color::LightMagenta, [255, 0, 255]),
    (Color::LightCyan, [0, 255, 255]),
    (Color::White, [255, 255, 255]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_reduced_to_what_the_terminal_shows() {
        let orange = [0xE6, 0x9F, 0x00];
        assert_eq!(reduce(orange, Depth::True), Color::Rgb(0xE6, 0x9F, 0));
        assert_eq!(reduce(orange, Depth::Indexed), Color::Indexed(178));
        assert_eq!(reduce(orange, Depth::Sixteen), Color::Yellow);
        assert_eq!(reduce([128, 128, 128], Depth::Indexed), Color::Indexed(244));
    }

    #[test]
    fn parents_supply_what_is_missing_and_cycles_are_found() {
        let mut library = Library::default();
        library.add(
            "mine".into(),
            "inherits = \"mono\"\n[style]\ngood = { fg = \"green\" }".into(),
        );
        let mine = library.load("mine", Depth::True, Symbols::ASCII).unwrap();
        assert_eq!(mine.style(Role::Good).fg, Some(Color::Green));
        assert!(
            mine.style(Role::Selected)
                .add_modifier
                .contains(Modifier::REVERSED)
        );
        library.add("a".into(), "inherits = \"a\"".into());
        let error = library.load("a", Depth::True, Symbols::ASCII).unwrap_err();
        assert!(error.contains("inherits from itself"), "{error}");
    }

    #[test]
    fn mistakes_are_answered_with_the_nearest_name() {
        let mut library = Library::default();
        library.add("bad".into(), "[style]\nselectd = {}".into());
        let error = library
            .load("bad", Depth::True, Symbols::ASCII)
            .unwrap_err();
        assert_eq!(
            error,
            "theme bad: unknown style `selectd`; did you mean selected?"
        );
        let error = library
            .load("drak", Depth::True, Symbols::ASCII)
            .unwrap_err();
        assert_eq!(error, "there is no theme `drak`; did you mean dark?");
    }
}
