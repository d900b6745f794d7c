//! What bars, marks and curves are drawn with: Unicode where the locale has it, ASCII elsewhere.

use ratatui::symbols::Marker;
use ratatui::symbols::border;

/// The signs of one kind of terminal.
#[derive(Debug, Clone, Copy)]
pub struct Symbols {
    /// Whether signs outside ASCII may be drawn.
    pub unicode: bool,
    /// Lines around regions.
    pub border: border::Set<'static>,
    /// Points of curves.
    pub marker: Marker,
    /// Eighths of a cell of a bar, from empty to full.
    pub eighths: [&'static str; 9],
    /// Eighths of a cell of a column, from low to full.
    pub levels: [&'static str; 8],
    /// The row the keyboard works on.
    pub cursor: &'static str,
    /// A row selected together with others.
    pub marked: &'static str,
    /// Pinned bits.
    pub pin: &'static str,
    /// A row whose bits are others in the plan compared with.
    pub differs: &'static str,
    /// Before the name of the column that the rows are sorted by.
    pub sorted: &'static str,
    /// A check that passed.
    pub good: &'static str,
    /// A check that failed.
    pub bad: &'static str,
    /// The name of the largest eigenvalue.
    pub lambda: &'static str,
    /// The name of lambda times the perturbation.
    pub omega: &'static str,
    /// Between facts on a line.
    pub dot: &'static str,
    /// The frames of the sign that work is going on.
    pub spinner: [&'static str; 4],
    /// Where something was cut.
    pub ellipsis: &'static str,
    /// Before an error.
    pub plus_minus: &'static str,
    /// Eighths of a cell of a column, from empty to full.
    pub column: [&'static str; 9],
    /// Before the label of a place on an axis.
    pub tick: &'static str,
    /// From one to the other.
    pub arrow: &'static str,
    /// The border of text-mode lines.
    pub rule: &'static str,
}

/// Lines in ASCII.
const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl Symbols {
    /// For terminals with a UTF-8 locale.
    pub const UNICODE: Self = Self {
        unicode: true,
        border: border::PLAIN,
        marker: Marker::Braille,
        eighths: [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
        levels: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        cursor: "▸",
        marked: "•",
        pin: "¤",
        differs: "≠",
        sorted: "↓",
        good: "✓",
        bad: "✗",
        lambda: "λ",
        omega: "Ω",
        dot: "·",
        spinner: ["◐", "◓", "◑", "◒"],
        ellipsis: "…",
        plus_minus: "±",
        column: [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        tick: "╵",
        arrow: "→",
        rule: "─",
    };

    /// For every other terminal.
    pub const ASCII: Self = Self {
        unicode: false,
        border: ASCII_BORDER,
        marker: Marker::Custom('.'),
        eighths: [" ", " ", " ", " ", "#", "#", "#", "#", "#"],
        levels: ["_", ".", "-", "~", "=", "+", "*", "#"],
        cursor: ">",
        marked: "*",
        pin: "!",
        differs: "/",
        sorted: "v ",
        good: "ok",
        bad: "X",
        lambda: "lambda",
        omega: "omega",
        dot: "|",
        spinner: ["-", "\\", "|", "/"],
        ellipsis: "~",
        plus_minus: "+-",
        column: [" ", ".", ".", ".", ":", ":", ":", "#", "#"],
        tick: "'",
        arrow: "->",
        rule: "-",
    };

    /// By the locale (`LC_ALL`, `LC_CTYPE`, `LANG`, the first that is set) and `TERM`.
    #[must_use]
    pub fn detect(locale: Option<&str>, term: Option<&str>) -> Self {
        let locale = locale.unwrap_or_default().to_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        let capable = !matches!(term, Some("linux" | "dumb") | None);
        if utf8 && capable {
            Self::UNICODE
        } else {
            Self::ASCII
        }
    }

    /// A bar that fills `ratio` of `width` cells.
    #[must_use]
    pub fn bar(&self, ratio: f64, width: usize) -> String {
        let ratio = if ratio.is_finite() {
            ratio.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let eighths = (ratio * width as f64 * 8.0).round() as usize;
        let (full, part) = (eighths / 8, eighths % 8);
        let mut bar = self.eighths[8].repeat(full.min(width));
        if full < width && part > 0 && self.eighths[part] != " " {
            bar.push_str(self.eighths[part]);
        }
        bar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_is_chosen_without_a_utf8_locale() {
        assert!(Symbols::detect(Some("en_US.UTF-8"), Some("xterm")).unicode);
        assert!(Symbols::detect(Some("C.utf8"), Some("tmux-256color")).unicode);
        assert!(!Symbols::detect(Some("C"), Some("xterm")).unicode);
        assert!(!Symbols::detect(Some("en_US.UTF-8"), Some("linux")).unicode);
        assert!(!Symbols::detect(None, None).unicode);
    }

    #[test]
    fn bars_never_leave_their_width() {
        for ratio in [f64::NAN, -1.0, 0.0, 0.3, 0.999, 1.0, 7.0, f64::INFINITY] {
            for symbols in [Symbols::UNICODE, Symbols::ASCII] {
                assert!(symbols.bar(ratio, 10).chars().count() <= 10);
            }
        }
        assert_eq!(Symbols::UNICODE.bar(0.5, 3), "█▌");
    }
}
