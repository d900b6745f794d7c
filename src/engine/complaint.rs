//! Mistakes in what was given, in words for a person: where it is, and what may have been meant.

use strsim::levenshtein;

use super::words;

/// The 1-based line of a byte offset.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count() + 1
}

/// Longest piece of a text that is shown, in characters.
const SHOWN: usize = 40;

/// What is wrong in a TOML text: its line and key, what was expected, and what came.
pub(crate) fn of_toml(text: &str, error: &toml::de::Error) -> String {
    // A number beyond all whole ones is no mistake of syntax.
    if let Err(syntax) = toml::from_str::<toml::Table>(text)
        && Mismatch::of(syntax.message()).is_none()
    {
        return of_toml_syntax(text, &syntax);
    }
    let span = within(text, error)
        .or_else(|| error.span())
        .unwrap_or_default();
    let line = line_of(text, span.start);
    let key = text.lines().nth(line - 1).and_then(key_of);
    let place = key.map_or_else(
        || format!("line {line}"),
        |key| format!("line {line}: {key}"),
    );
    let got = || excerpt(text.get(span.clone()).unwrap_or_default());
    match (Mismatch::of(error.message()), error.message()) {
        (Some(mismatch), _) => {
            let shown = got();
            let got = if shown.starts_with('[') && key.is_none() && !shown.starts_with("[]") {
                // All that is known is in which table.
                mismatch.got
            } else {
                shown
            };
            format!("{place}: expected {}, got {got}", mismatch.expected)
        }
        (None, "wanted string or table") => {
            format!("{place}: expected a word in quotes, got {}", got())
        }
        // What was refused by its content says itself what it is about.
        (None, message) => format!("line {line}: {}", plainly(message)),
    }
}

/// Where a value that came stands, when all that is known of it is in which table: the only line of that
/// table that gives a key this value.
fn within(text: &str, error: &toml::de::Error) -> Option<std::ops::Range<usize>> {
    let table = error.span()?;
    if !text.get(table.start..)?.starts_with('[') {
        return None;
    }
    let got = Mismatch::of(error.message())?.got;
    let mut from = table.start;
    let mut found = None;
    for line in text[table.start..].split_inclusive('\n') {
        let begins = from;
        from += line.len();
        if begins > table.start && line.starts_with('[') {
            break;
        }
        let value = line
            .split_once('=')
            .filter(|(_, value)| value.trim() == got);
        if let Some((key, _)) = value {
            let start = begins + key.len() + 1;
            let again = found.replace(start..begins + line.len()).is_some();
            if again {
                return None;
            }
        }
    }
    found
}

/// What is no TOML at all.
fn of_toml_syntax(text: &str, error: &toml::de::Error) -> String {
    let span = error.span().unwrap_or_default();
    let line = line_of(text, span.start);
    if error.message().contains("duplicate key") {
        let key = excerpt(text.get(span).unwrap_or_default());
        let line_with = |header: &str| {
            let mut lines = text.lines();
            lines.position(|line| line.trim() == header)
        };
        let (table, entry) = (format!("[{key}]"), format!("[[{key}]]"));
        if let (Some(one), Some(_)) = (line_with(&table), line_with(&entry)) {
            return format!(
                "line {}: expected {entry}, as the others, got {table}",
                one + 1
            );
        }
        return format!("line {line}: {key} is there twice; keep one of them");
    }
    let got = excerpt(text.lines().nth(line - 1).unwrap_or_default());
    format!("line {line}: expected key = value, with text in quotes, or [table], got {got}")
}

/// The key that a line of TOML gives a value.
fn key_of(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    (!key.is_empty() && key.chars().all(is_plain)).then_some(key)
}

/// The beginning of a text, on one line; nothing is told as such.
pub(crate) fn excerpt(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    if line.is_empty() {
        return "nothing".to_owned();
    }
    let mut shown: String = line.chars().take(SHOWN).collect();
    if shown.len() < line.len() {
        shown.push_str(" ...");
    }
    shown
}

/// What a parser of JSON says of a text that is none, in words for a person: what is there.
pub(crate) fn of_json_syntax(text: &str, error: &serde_json::Error) -> String {
    if text.trim().is_empty() {
        return "it is empty".into();
    }
    if error.is_eof() {
        return "it ends too early".into();
    }
    let line = text.lines().nth(error.line().saturating_sub(1));
    let line = line.unwrap_or_default();
    // The parser stands on the last byte that it took, or behind a word's first letters.
    let at = error.column().saturating_sub(1).min(line.len());
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._".contains(byte);
    let word = line.as_bytes()[..at]
        .iter()
        .rev()
        .take_while(|b| is_word(b));
    let from = at - word.count();
    let got = excerpt(line.get(from..).unwrap_or(line));
    let said = error.to_string();
    let expected = match without_place(&said) {
        "trailing characters" => "nothing behind its end",
        "trailing comma" => "no comma before a closing bracket",
        "key must be a string" => "a key in double quotes",
        "expected `:`" => "a colon behind a key",
        "expected `,` or `}`" => "a comma or a closing bracket }",
        "expected `,` or `]`" => "a comma or a closing bracket ]",
        "recursion limit exceeded" => "fewer lists and groups within each other",
        "number out of range" => "a number that a computer can hold",
        word if word.contains("escape") || word.contains("control character") => {
            "text that ends on its line"
        }
        _ => "JSON",
    };
    format!("line {}: expected {expected}, got {got}", error.line())
}

/// A value of another kind, or outside of what is possible.
struct Mismatch {
    expected: String,
    got: String,
}

impl Mismatch {
    /// From `invalid type: string "two", expected u64` and its like.
    fn of(complaint: &str) -> Option<Self> {
        let (kind, rest) = complaint.split_once(": ").unwrap_or((complaint, ""));
        if matches!(kind, "invalid type" | "invalid value") {
            let (got, expected) = rest.rsplit_once(", expected ")?;
            return Some(Self {
                expected: expected_words(expected),
                got: got_words(got),
            });
        }
        let (length, expected) = complaint
            .strip_prefix("invalid length ")?
            .split_once(", expected ")?;
        let is_group = expected.starts_with("struct ");
        Some(Self {
            expected: expected_words(expected),
            got: match length {
                _ if is_group => "a list".to_owned(),
                "0" => "none".to_owned(),
                count => count.to_owned(),
            },
        })
    }
}

/// What a parser expected, without the names of Rust's types.
fn expected_words(expected: &str) -> String {
    let whole = match expected {
        "u8" => "a whole number, 0 to 255",
        "u16" => "a whole number, 0 to 65535",
        "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" | "floating point number" => "a number",
        "a boolean" => "true or false",
        "a string" | "string" | "a borrowed string" | "str" => "text in quotes",
        "a sequence" | "sequence" => "a list",
        "a map" | "map" => "a group of keys",
        "unit" | "null" => "nothing",
        "string or map" | "string only" => "one of a few words",
        other => other,
    };
    let begins = |words: &[&str]| words.iter().any(|word| whole.starts_with(word));
    if begins(&["struct ", "internally tagged enum "]) {
        return "a group of keys".into();
    }
    if begins(&["enum ", "variant "]) {
        return "one of a few words".into();
    }
    for sized in ["a tuple of size ", "an array of length ", "tuple struct "] {
        if let Some(size) = whole.strip_prefix(sized) {
            let size = size.trim_start_matches(|c: char| !c.is_ascii_digit());
            let size = size.split(' ').next().unwrap_or_default();
            return format!("a list of {size}");
        }
    }
    whole.to_owned()
}

/// What a parser found.
fn got_words(got: &str) -> String {
    match got {
        "null" | "unit value" | "Option value" => return "nothing (null)".into(),
        "map" => return "a group of keys".into(),
        "sequence" => return "a list".into(),
        _ => {}
    }
    for kind in ["integer `", "floating point `", "boolean `", "character `"] {
        let value = got.strip_prefix(kind).and_then(|rest| rest.split_once('`'));
        if let Some((value, _)) = value {
            return value.to_owned();
        }
    }
    if let Some(text) = got.strip_prefix("string ") {
        return excerpt(text);
    }
    if got.ends_with(" variant") || got.starts_with("newtype") || got == "byte array" {
        return "another kind of value".into();
    }
    excerpt(got)
}

/// A complaint of serde in words for a person: what was expected, and what came. Complaints of our own
/// stay as they are.
pub(crate) fn plainly(complaint: impl std::fmt::Display) -> String {
    let complaint = complaint.to_string();
    let complaint = without_place(complaint.trim());
    if let Some(Mismatch { expected, got }) = Mismatch::of(complaint) {
        return format!("expected {expected}, got {got}");
    }
    let named = |kind: &str| complaint.strip_prefix(kind)?.split_once('`');
    if let Some((name, rest)) = named("unknown variant `") {
        return format!("expected {}, got {name:?}", words::listed(&names_in(rest)));
    }
    if let Some((name, rest)) = named("unknown field `") {
        let known = names_in(rest);
        return match &known[..] {
            [] => format!("unknown key `{name}`; remove it"),
            _ => format!("unknown key `{name}`{}", hint(name, known.iter().copied())),
        };
    }
    if let Some((name, _)) = named("missing field `") {
        return format!("the key `{name}` is missing");
    }
    if let Some((name, _)) = named("duplicate field `") {
        return format!("the key `{name}` is there twice; keep one of them");
    }
    if complaint.starts_with("data did not match any variant") {
        return "expected another kind of value".into();
    }
    complaint.to_owned()
}

/// The names between backquotes.
fn names_in(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Without ` at line 1 column 4578` at the end.
fn without_place(complaint: &str) -> &str {
    let Some((before, place)) = complaint.rsplit_once(" at line ") else {
        return complaint;
    };
    let is_place = place
        .split(' ')
        .all(|word| word == "column" || word.bytes().all(|byte| byte.is_ascii_digit()));
    if is_place { before } else { complaint }
}

/// Why a compressed or packed piece could not be read, without the words of who unpacks it.
pub(crate) fn of_unpacking(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "it ends too early",
        std::io::ErrorKind::Unsupported => "it is packed in a way that is not supported",
        _ => "its content is damaged",
    }
}

/// The candidate with the fewest changed characters, when that is at most half of `text`.
pub(crate) fn closest<'a>(
    text: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = (text.chars().count() / 2).max(1);
    candidates
        .map(|candidate| (levenshtein(text, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What may have been meant by a name that nothing has, to be added to a sentence.
pub(crate) fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = closest(name, known.clone()) {
        return format!("; did you mean {near}?");
    }
    format!("; there are {}", listed(known))
}

/// Names one after another; of many the first, and how many more there are.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    const LISTED: usize = 8;
    let listed: Vec<&str> = names.clone().take(LISTED).collect();
    match names.count() - listed.len() {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{hint, of_json_syntax, of_toml, plainly};

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_or_with_what_there_is() {
        let names = ["conv1", "layer1.0.conv1", "linear"];
        let hint = |name| hint(name, names.into_iter());
        assert_eq!(hint("liner"), "; did you mean linear?");
        assert_eq!(
            hint("layer9.*"),
            "; there are conv1, layer1.0.conv1, linear"
        );
        let many = super::hint("x", (0..20).map(|_| "layer"));
        assert!(many.ends_with("layer and 12 more"), "{many}");
    }

    #[test]
    fn complaints_of_parsers_say_what_was_expected_and_what_came() {
        let cases = [
            (
                "invalid type: string \"two\", expected usize at line 1 column 5",
                "expected a whole number, 0 or more, got \"two\"",
            ),
            (
                "invalid value: integer `-3`, expected u64",
                "expected a whole number, 0 or more, got -3",
            ),
            (
                "invalid value: integer `300`, expected u8",
                "expected a whole number, 0 to 255, got 300",
            ),
            (
                "invalid type: integer `99999999999999999999999` as i128, expected i64",
                "expected a whole number, got 99999999999999999999999",
            ),
            (
                "invalid length 12, expected struct Record with 13 elements",
                "expected a group of keys, got a list",
            ),
            (
                "invalid length 1, expected a tuple of size 2",
                "expected a list of 2, got 1",
            ),
            (
                "invalid type: null, expected a boolean",
                "expected true or false, got nothing (null)",
            ),
            (
                "unknown variant `x`, expected one of `max`, `mse`",
                "expected max or mse, got \"x\"",
            ),
            (
                "unknown field `siz`, expected `size` or `crop`",
                "unknown key `siz`; did you mean size?",
            ),
            ("missing field `size`", "the key `size` is missing"),
            (
                "duplicate field `size`",
                "the key `size` is there twice; keep one of them",
            ),
            ("9 bits: expected 2 to 8", "9 bits: expected 2 to 8"),
        ];
        for (complaint, expected) in cases {
            assert_eq!(plainly(complaint), expected);
        }
    }

    #[test]
    fn what_is_no_json_is_shown() {
        for (text, expected) in [
            (" \n", "it is empty"),
            ("{\"a\":", "it ends too early"),
            ("nonsense", "line 1: expected JSON, got nonsense"),
            ("\n<html>", "line 2: expected JSON, got <html>"),
            (
                "{'a': 1}",
                "line 1: expected a key in double quotes, got 'a': 1}",
            ),
            ("{\"a\" 1}", "line 1: expected a colon behind a key, got 1}"),
            (
                "[1,]",
                "line 1: expected no comma before a closing bracket, got ]",
            ),
            ("[1] x", "line 1: expected nothing behind its end, got x"),
        ] {
            let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
            assert_eq!(of_json_syntax(text, &error), expected, "{text}");
        }
        let long = format!("[{}", "é".repeat(99));
        let error = serde_json::from_str::<serde_json::Value>(&long).unwrap_err();
        assert!(of_json_syntax(&long, &error).ends_with("é ..."));
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Rule {
        Least,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only their types are asked for")]
    struct Read {
        size: u32,
        rule: Option<Rule>,
        table: Option<Vec<Read>>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only its type is asked for")]
    struct Session {
        tune: Tune,
    }

    /// What is flattened loses its place in the text.
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only its type is asked for")]
    struct Tune {
        name: String,
        #[serde(flatten)]
        training: Training,
    }

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only its type is asked for")]
    struct Training {
        epochs: u32,
    }

    #[test]
    fn a_value_is_found_where_only_its_table_is_known() {
        let complaint = |text: &str| of_toml(text, &toml::from_str::<Session>(text).unwrap_err());
        let found =
            complaint("\n[tune]\nname = \"x\"\nepochs = \"one\"\n[other]\nepochs = \"one\"");
        let expected = "line 4: epochs: expected a whole number, 0 or more, got \"one\"";
        assert_eq!(found, expected);
        let twice = complaint("[tune]\nname = \"one\"\nepochs = \"one\"");
        assert!(
            twice.starts_with("line 1: expected a whole number"),
            "{twice}"
        );
        assert!(twice.ends_with("got \"one\""), "{twice}");
    }

    #[test]
    fn a_mistake_in_toml_is_told_with_its_line_and_key() {
        for (text, expected) in [
            (
                "# none\nsize = \"two\"",
                "line 2: size: expected a whole number, 0 or more, got \"two\"",
            ),
            (
                "size = -3",
                "line 1: size: expected a whole number, 0 or more, got -3",
            ),
            (
                "size = 99999999999999999999999",
                "line 1: size: expected a whole number, 0 or more, got 99999999999999999999999",
            ),
            (
                "size = 1979-05-27",
                "line 1: size: expected a whole number, 0 or more, got 1979-05-27",
            ),
            (
                "size = 1\nrule = 3",
                "line 2: rule: expected a word in quotes, got 3",
            ),
            (
                "size = 1\nrule = \"most\"",
                "line 2: expected least, got \"most\"",
            ),
            (
                "size = 1\nsize = 2",
                "line 2: size is there twice; keep one of them",
            ),
            (
                "size = 1\n[[table]]\n\n[table]",
                "line 4: expected [[table]], as the others, got [table]",
            ),
            (
                "size = 1\n[table]\n\n[[table]]",
                "line 2: expected [[table]], as the others, got [table]",
            ),
            (
                "size = 1\n[table]\n\n[table]",
                "line 4: table is there twice; keep one of them",
            ),
            (
                "size = 1\ntable = [[]]",
                "line 2: table: expected a group of keys, got []",
            ),
            (
                "size = two",
                "line 1: expected key = value, with text in quotes, or [table], got size = two",
            ),
            (
                "[]",
                "line 1: expected key = value, with text in quotes, or [table], got []",
            ),
            ("", "line 1: the key `size` is missing"),
        ] {
            let error = toml::from_str::<Read>(text).unwrap_err();
            assert_eq!(of_toml(text, &error), expected, "{text}");
        }
    }
}
