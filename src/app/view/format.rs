//! Numbers as people read them.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Three significant digits: `0.345`, `12.3`, `1.2e-5`.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "not finite".to_owned()
    } else if size == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e5).contains(&size) {
        format!("{value:.1e}")
    } else {
        let digits = (2 - size.log10().floor() as i32).clamp(0, 5) as usize;
        format!("{value:.digits$}")
    }
}

/// A number that may be unknown.
#[must_use]
pub fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), number)
}

/// Thousands apart: `269,722`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in memory, in powers of 1024: `100.3 KB`.
#[must_use]
pub fn bytes(value: f64) -> String {
    match value {
        value if value < 1024.0 => format!("{value:.0} B"),
        value if value < 1024.0 * 1024.0 => format!("{:.1} KB", value / 1024.0),
        value if value < 100.0 * 1024.0 * 1024.0 => format!("{:.2} MB", value / 1024.0 / 1024.0),
        value => format!("{:.0} MB", value / 1024.0 / 1024.0),
    }
}

/// A count in powers of 1000: `1.23 G`.
#[must_use]
pub fn short_count(value: f64) -> String {
    let steps = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")];
    match steps.into_iter().find(|(size, _)| value >= *size) {
        Some((size, name)) => format!("{:.2} {name}", value / size),
        None => format!("{value:.0}"),
    }
}

/// A share as per cent.
#[must_use]
pub fn percent(ratio: f64) -> String {
    format!("{:.2} %", 100.0 * ratio)
}

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
    fn numbers_keep_three_digits() {
        let cases = [
            (0.345_21, "0.345"),
            (12.345, "12.3"),
            (0.001_234_5, "0.00123"),
            (1234.5, "1234"),
            (1.2e-5, "1.2e-5"),
            (-0.5, "-0.500"),
            (0.0, "0"),
            (f64::NAN, "not finite"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(count(269_722), "269,722");
        assert_eq!(count(12), "12");
        assert_eq!(bytes(102_400.0), "100.0 KB");
        assert_eq!(short_count(1.234e9), "1.23 G");
        assert_eq!(duration(Duration::from_secs(3907)), "1:05:07");
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
