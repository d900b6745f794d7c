//! What of a text from a file may reach a terminal, a page or a table: control characters steer
//! terminals, and marks of the direction of writing make a name look like another one.

use std::borrow::Cow;

/// In place of a character that is not shown.
const REPLACEMENT: char = '\u{fffd}';

/// Whether a character must not be shown as it is: control characters, marks of direction, and those
/// that separate lines or are not seen at all.
#[must_use]
pub const fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
    )
}

/// One line of text: every character that must not be shown is replaced.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    replaced(text, is_unseen)
}

/// Text of several lines: as [`shown`], but line ends and tabs stay.
#[must_use]
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| is_unseen(c) && c != '\n' && c != '\t')
}

fn replaced(text: &str, is_replaced: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().any(&is_replaced) {
        let plain = |c| if is_replaced(c) { REPLACEMENT } else { c };
        return text.chars().map(plain).collect::<String>().into();
    }
    text.into()
}

/// Text of JSON, in which such characters can stand in strings only, and are escaped there.
#[must_use]
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    use std::fmt::Write as _;
    let is_escaped = |c: char| is_unseen(c) && c != '\n' && c != '\t' && c != '\r';
    if !json.chars().any(is_escaped) {
        return json.into();
    }
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if is_escaped(character) {
            write!(escaped, "\\u{:04x}", u32::from(character))
                .expect("invariant: writing to a string cannot fail");
        } else {
            escaped.push(character);
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_replaced_and_the_rest_stays() {
        assert_eq!(
            shown("größe 層 \u{1b}[2J\u{7}\u{9b}\u{202e}\n"),
            "größe 層 \u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(shown_lines("a\n\u{2067}b\tc"), "a\n\u{fffd}b\tc");
        assert!(matches!(shown("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn json_stays_json() {
        let json = serde_json::to_string("a\u{202e}\u{9b}\u{1b}\u{7f}").unwrap();
        let escaped = escaped_json(&json);
        assert!(!escaped.chars().any(is_unseen), "{escaped}");
        let read: String = serde_json::from_str(&escaped).unwrap();
        assert_eq!(read, "a\u{202e}\u{9b}\u{1b}\u{7f}");
    }
}
