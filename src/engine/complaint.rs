//! Mistakes in what was given, in words for a person: where it is, and what may have been meant.

use strsim::levenshtein;

/// The 1-based line of a byte offset.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count() + 1
}

/// What is wrong in a TOML text: its line, then the complaint.
pub(crate) fn of_toml(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| line_of(text, span.start));
    format!("line {line}: {}", plainly(error.message()))
}

/// A parser's complaint without the names of Rust's types, and without lines and columns of a text
/// that nobody wrote by hand.
pub(crate) fn plainly(complaint: impl std::fmt::Display) -> String {
    const WORDS: [(&[&str], &str); 2] = [
        (
            &["u8", "u16", "u32", "u64", "usize", "i32", "i64", "isize"],
            "a whole number",
        ),
        (&["f32", "f64"], "a number"),
    ];
    const PHRASES: [(&str, &str); 8] = [
        ("floating point ", "number "),
        ("integer ", "whole number "),
        ("a sequence", "a list"),
        ("sequence", "a list"),
        ("a map", "a group of keys"),
        ("map, ", "a group of keys, "),
        ("unit value", "nothing"),
        ("null, ", "nothing, "),
    ];
    let plain = |word: &str| {
        let known = WORDS.iter().find(|(types, _)| types.contains(&word));
        known.map_or_else(|| word.to_owned(), |(_, plain)| (*plain).to_owned())
    };
    let complaint = complaint.to_string();
    let words: Vec<_> = without_place(complaint.trim())
        .split(' ')
        .map(plain)
        .collect();
    let words = words.join(" ");
    let words = PHRASES
        .iter()
        .fold(words, |text, (from, to)| text.replace(from, to));
    without_type_names(&words)
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

/// `expected struct Record` becomes `expected a group of keys`.
fn without_type_names(complaint: &str) -> String {
    let mut words = complaint.split(' ').peekable();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "struct" | "enum" | "variant" if kept.last() == Some(&"expected") => {
                kept.push(if word == "struct" {
                    "a group of keys"
                } else {
                    "one of a few words"
                });
                words.next();
            }
            _ => kept.push(word),
        }
    }
    kept.join(" ")
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
    use super::{hint, of_toml, plainly};

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
    fn complaints_of_parsers_name_no_types() {
        let complaint = |text| serde_json::from_str::<usize>(text).unwrap_err().to_string();
        assert_eq!(
            plainly(complaint("\"two\"")),
            "invalid type: string \"two\", expected a whole number"
        );
        assert_eq!(
            plainly("unknown field `f64`, expected `f32`\n"),
            "unknown field `f64`, expected `f32`"
        );
    }

    #[test]
    fn a_mistake_in_toml_is_told_with_its_line() {
        #[derive(Debug, serde::Deserialize)]
        struct Read {
            #[expect(dead_code, reason = "only its type is asked for")]
            size: u32,
        }
        let text = "# none\nsize = \"two\"\n";
        let error = toml::from_str::<Read>(text).unwrap_err();
        assert_eq!(
            of_toml(text, &error),
            "line 2: invalid type: string \"two\", expected a whole number"
        );
    }
}
