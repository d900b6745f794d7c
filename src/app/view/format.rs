//! Times as people read them, and text in cells; numbers come from [`crate::numbers`].

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub use crate::numbers::{bytes, count, maybe, number, percent, short_count};

/// Time as `1:05` or `2:03:07`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A number for a table: unknown is `-`, and what is no number is short enough for its column.
#[must_use]
pub fn cell(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_nan() => "NaN".to_owned(),
        Some(value) if value.is_infinite() => "inf".to_owned(),
        other => maybe(other),
    }
}

/// How long ago something was: `now`, `5 min ago`, `3 h ago`, `12 days ago`.
#[must_use]
pub fn age(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match minutes {
        0 => "now".to_owned(),
        1..60 => format!("{minutes} min ago"),
        60..2880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1440),
    }
}

/// `text` in at most `width` cells, its end replaced by `ellipsis` when it is longer.
#[must_use]
pub fn cut(text: &str, width: usize, ellipsis: &str) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(ellipsis.width());
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= room
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    if width >= ellipsis.width() {
        cut.push_str(ellipsis);
    }
    cut
}

/// `text` in at most `width` cells, its beginning replaced: for paths and layer names.
#[must_use]
pub fn cut_start(text: &str, width: usize, ellipsis: &str) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let reversed: String = text.chars().rev().collect();
    let backwards: String = ellipsis.chars().rev().collect();
    cut(&reversed, width, &backwards).chars().rev().collect()
}

/// `text` in lines of at most `width` cells, broken at spaces where possible.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        while let Some(line) = lines.last_mut() {
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() <= width {
                line.push_str(&" ".repeat(gap));
                line.push_str(&word);
                break;
            }
            if line.is_empty() {
                let head = cut(&word, width, "");
                let at = head
                    .len()
                    .max(word.chars().next().map_or(1, char::len_utf8));
                line.push_str(&word[..at]);
                word.drain(..at);
                if word.is_empty() {
                    break;
                }
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_has_hours_only_when_it_needs_them() {
        assert_eq!(duration(Duration::from_secs(3907)), "1:05:07");
        assert_eq!(duration(Duration::from_secs(65)), "1:05");
    }

    #[test]
    fn a_number_fits_its_column() {
        let values = [f64::NAN, f64::NEG_INFINITY, -1.0e-300, 123_456.0, -0.5];
        for value in values.map(Some).into_iter().chain([None]) {
            assert!(cell(value).len() <= 9, "{value:?}: {}", cell(value));
        }
    }

    #[test]
    fn ages_are_told_in_the_unit_that_fits() {
        for (seconds, text) in [
            (59, "now"),
            (60, "1 min ago"),
            (3600, "1 h ago"),
            (2 * 86_400, "2 days ago"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn text_is_cut_and_wrapped_to_its_width() {
        assert_eq!(cut("layer1.0.conv1", 6, "…"), "layer…");
        assert_eq!(cut_start("layer1.0.conv1", 6, "…"), "…conv1");
        assert_eq!(cut("ab", 6, "…"), "ab");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        for width in 0..20 {
            assert!(
                wrap("a sentence of some länge", width)
                    .iter()
                    .all(|l| l.width() <= width.max(1))
            );
        }
    }
}
