//! The one reader of text files: what editors, spreadsheets and other programs write before and
//! between the lines is understood here, for TOML, JSON, CSV and lists of names alike.
//!
//! | what comes | what becomes of it |
//! |---|---|
//! | a byte order mark of UTF-8 | skipped |
//! | UTF-16 | refused with what to do |
//! | lines that end in CR LF or CR | lines that end in LF |
//! | bytes that are no UTF-8 | refused with their line |
//! | `NaN`, `Infinity` and numbers beyond all bounds in JSON | refused with the name and the key |

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::complaint::{of_json_syntax, of_toml, plainly};
use super::{Error, Result, files};

/// Mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// In place of a number that JSON does not know, on the way to its key.
const IN_PLACE: &str = "\u{0}hawqeye no number ";
/// Keys under which things are named.
const NAMES: [&str; 2] = ["layer", "name"];

type Reason<T> = std::result::Result<T, String>;

/// Reads a text file of at most `limit` bytes.
///
/// # Errors
/// [`Error::File`] when it cannot be read, [`Error::Format`] when it is no text.
pub fn read(path: &Path, limit: u64) -> Result<String> {
    let bytes = files::read_limited(path, limit)?;
    decode(bytes).map_err(|reason| Error::format(path, format!("{reason}; save it again as UTF-8")))
}

/// The text of a file.
///
/// # Errors
/// A sentence without the path and the next step, when it is no UTF-8.
pub fn decode(bytes: Vec<u8>) -> Reason<String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("expected text in UTF-8, got UTF-16".into());
    }
    let text = String::from_utf8(bytes).map_err(|refused| {
        let valid = &refused.as_bytes()[..refused.utf8_error().valid_up_to()];
        let line = String::from_utf8_lossy(valid).matches('\n').count() + 1;
        format!("line {line}: expected text in UTF-8, got other bytes")
    })?;
    let text = match text.as_bytes().strip_prefix(MARK) {
        Some(_) => text[MARK.len()..].to_owned(),
        None => text,
    };
    if text.starts_with('\u{0}') || text.as_bytes().get(1) == Some(&0) {
        return Err("expected text in UTF-8, got UTF-16 or no text".into());
    }
    if text.contains('\r') {
        return Ok(text.replace("\r\n", "\n").replace('\r', "\n"));
    }
    Ok(text)
}

/// What a TOML text says.
///
/// # Errors
/// A sentence with the line, without the path.
pub fn from_toml<T: DeserializeOwned>(text: &str) -> Reason<T> {
    toml::from_str(text).map_err(|error| of_toml(text, &error))
}

/// What a file of this program should be, and what to do when it is damaged: for messages.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The file: `a sensitivity file`.
    pub what: &'a str,
    /// The next step: `measure again with hawqeye analyze`.
    pub next: &'a str,
    /// Most bytes that are read.
    pub limit: u64,
}

impl Wanted<'_> {
    /// The whole sentence about a file that is not this.
    #[must_use]
    pub fn refused(&self, path: &Path, reason: &str) -> Error {
        let (what, next) = (self.what, self.next);
        let advised = ["keep one of them", "remove it"];
        if advised.iter().any(|advice| reason.ends_with(advice)) {
            return Error::format(path, format!("expected {what}: {reason}"));
        }
        let then = if reason.ends_with('?') {
            " Otherwise"
        } else {
            ";"
        };
        Error::format(path, format!("expected {what}: {reason}{then} {next}"))
    }

    /// The content of the file as text.
    fn text(&self, path: &Path) -> Result<String> {
        let bytes = files::read_limited(path, self.limit)?;
        decode(bytes).map_err(|reason| self.refused(path, &reason))
    }
}

/// What a TOML file says.
///
/// # Errors
/// When it cannot be read or is not what is expected; with the line and the next step.
pub fn read_toml<T: DeserializeOwned>(path: &Path, wanted: &Wanted<'_>) -> Result<T> {
    let text = wanted.text(path)?;
    from_toml(&text).map_err(|reason| wanted.refused(path, &reason))
}

/// What a JSON file says.
///
/// # Errors
/// When it cannot be read or is not what is expected; with the name, the key and the next step.
pub fn read_json<T: DeserializeOwned>(path: &Path, wanted: &Wanted<'_>) -> Result<T> {
    let text = wanted.text(path)?;
    if text.trim_start().starts_with('[') {
        // As a list of its values it would be read one by one.
        return Err(wanted.refused(path, "expected a group of keys, got a list"));
    }
    from_json(&text).map_err(|reason| wanted.refused(path, &reason))
}

/// What a JSON text says.
///
/// # Errors
/// A sentence with the name and the key that it is about, without the path and the next step.
pub fn from_json<T: DeserializeOwned>(text: &str) -> Reason<T> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = serde_path_to_error::deserialize(&mut reader);
    let refused = match read {
        Ok(read) => match reader.end() {
            Ok(()) => return Ok(read),
            Err(error) => return Err(of_json_syntax(text, &error)),
        },
        Err(refused) => refused,
    };
    if let Some(reason) = no_number(text) {
        return Err(reason);
    }
    if refused.inner().is_syntax() || refused.inner().is_eof() {
        return Err(of_json_syntax(text, refused.inner()));
    }
    let whole: Option<Value> = serde_json::from_str(text).ok();
    let place = place(whole.as_ref(), &steps(refused.path()));
    let complaint = plainly(refused.inner());
    if place.is_empty() {
        return Err(complaint);
    }
    Err(format!("{place}: {complaint}"))
}

/// A step on the way to a value.
enum Step {
    Key(String),
    Index(usize),
}

fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    use serde_path_to_error::Segment;
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { variant } => Some(Step::Key(variant.clone())),
        Segment::Unknown => None,
    };
    path.iter().filter_map(step).collect()
}

/// `layer1.0.conv1, eigenvalue`: the last thing with a name on the way, and the keys from there on.
fn place(whole: Option<&Value>, steps: &[Step]) -> String {
    let (mut at, mut words) = (whole, Vec::new());
    for step in steps {
        match step {
            Step::Key(key) => {
                words.push(key.replace('_', " "));
                at = at.and_then(|at| at.get(key));
            }
            Step::Index(index) => {
                words.push(format!("entry {}", index + 1));
                at = at.and_then(|at| at.get(index));
            }
        }
        let name = NAMES.iter().find_map(|key| at?.get(key)?.as_str());
        if let Some(name) = name {
            words = vec![name.to_owned()];
        }
    }
    words.join(", ")
}

/// The first number in a text that JSON does not know or no computer can hold, and where it stands.
fn no_number(text: &str) -> Option<String> {
    let marked = marked(text)?;
    let whole: Value = serde_json::from_str(&marked).ok()?;
    let (mut steps, mut number) = (Vec::new(), None);
    find(&whole, &mut steps, &mut number);
    let (number, place) = (number?, place(Some(&whole), &steps));
    Some(format!("{place} is {number}: expected a finite number"))
}

/// The text with such numbers as strings; nothing when there is none.
fn marked(text: &str) -> Option<String> {
    let mut marked = String::new();
    let mut from = 0;
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        if bytes[at] == b'"' {
            at = end_of_string(bytes, at);
            continue;
        }
        let rest = &bytes[at..];
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._".contains(byte);
        let length = rest.iter().position(|byte| !is_word(byte));
        let end = at + length.unwrap_or(rest.len());
        if end == at {
            at += 1;
            continue;
        }
        let word = &text[at..end];
        if is_no_number(word) {
            marked += &text[from..at];
            marked += &Value::from(format!("{IN_PLACE}{word}")).to_string();
            from = end;
        }
        at = end;
    }
    (from > 0).then(|| marked + &text[from..])
}

fn is_no_number(word: &str) -> bool {
    let begins = word.starts_with(['-', 'N', 'n', 'I', 'i']) || word.as_bytes()[0].is_ascii_digit();
    begins && word.parse::<f64>().is_ok_and(|number| !number.is_finite())
}

/// The place behind a string that begins at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The way to the first mark. JSON is at most 128 values deep here.
fn find(value: &Value, steps: &mut Vec<Step>, number: &mut Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(found) = text.strip_prefix(IN_PLACE) {
                *number = Some(found.to_owned());
            }
        }
        Value::Array(parts) => {
            for (index, part) in parts.iter().enumerate() {
                steps.push(Step::Index(index));
                find(part, steps, number);
                if number.is_some() {
                    return;
                }
                steps.pop();
            }
        }
        Value::Object(parts) => {
            for (key, part) in parts {
                steps.push(Step::Key(key.clone()));
                find(part, steps, number);
                if number.is_some() {
                    return;
                }
                steps.pop();
            }
        }
        _ => {}
    }
}

/// A line of a table with its number, from 1 on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it begins in the file.
    pub line: usize,
    /// Its fields, without quotes and the blanks around them.
    pub fields: Vec<String>,
}

/// The rows of a CSV text (RFC 4180) without empty ones. Fields are separated by commas, semicolons
/// or tabs: whichever comes first outside of quotes. Where it is not the comma, a comma in a number
/// is a decimal point ([`decimal`]).
///
/// # Errors
/// A sentence with the line, for a quote that does not end.
pub fn csv(text: &str) -> Reason<Vec<Row>> {
    let separator = separator(text);
    let (mut rows, mut fields, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut line, mut begin) = (false, 1, 1);
    let mut characters = text.chars().chain(['\n']).peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted || field.trim().is_empty() => {
                quoted = !quoted;
            }
            '\n' if !quoted => {
                fields.push(std::mem::take(&mut field));
                let row: Vec<String> = fields
                    .drain(..)
                    .map(|f: String| f.trim().to_owned())
                    .collect();
                if row.iter().any(|field| !field.is_empty()) {
                    rows.push(Row {
                        line: begin,
                        fields: row,
                    });
                }
                line += 1;
                begin = line;
            }
            other if other == separator && !quoted => fields.push(std::mem::take(&mut field)),
            other => {
                line += usize::from(other == '\n');
                field.push(other);
            }
        }
    }
    if quoted {
        return Err(format!("line {begin}: a quote begins that does not end"));
    }
    Ok(rows)
}

/// The separator of the fields of a CSV text.
fn separator(text: &str) -> char {
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' | ';' | '\t' if !quoted => return character,
            _ => {}
        }
    }
    ','
}

/// A number of a table, also with a decimal comma.
#[must_use]
pub fn decimal(field: &str) -> Option<f64> {
    let number = field.parse().ok();
    number.or_else(|| field.replacen(',', ".", 1).parse().ok())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Table {
        layers: Vec<Entry>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Entry {
        layer: String,
        loss_change: f64,
    }

    fn refused(text: &str) -> String {
        from_json::<Table>(text).unwrap_err()
    }

    #[test]
    fn marks_and_line_ends_of_other_programs_are_understood() {
        assert_eq!(
            decode(b"\xef\xbb\xbfa\r\nb\rc\n".to_vec()).unwrap(),
            "a\nb\nc\n"
        );
        assert!(
            decode(b"\xff\xfea\0".to_vec())
                .unwrap_err()
                .contains("UTF-16")
        );
        assert!(decode(b"a\0b\0".to_vec()).unwrap_err().contains("UTF-16"));
        assert!(
            decode(b"a\nb\xff".to_vec())
                .unwrap_err()
                .starts_with("line 2: ")
        );
        assert_eq!(decode(b"\xef\xbb\xbf".to_vec()).unwrap(), "");
    }

    #[test]
    fn a_number_that_is_none_is_told_with_its_layer_and_key() {
        for number in [
            "NaN",
            "Infinity",
            "-Infinity",
            "1e999",
            "-1e999",
            "nan",
            "inf",
        ] {
            let text = format!(
                "{{\"layers\": [{{\"layer\":\"NaN\",\"loss_change\":1}},\
                 {{\"loss_change\": {number}, \"layer\":\"conv2\"}}]}}"
            );
            assert_eq!(
                refused(&text),
                format!("conv2, loss change is {number}: expected a finite number")
            );
        }
    }

    #[test]
    fn mistakes_in_json_are_told_with_their_place_and_without_columns() {
        let text = r#"{"layers": [{"layer": "a", "loss_change": "much"}]}"#;
        let place = "a, loss change: expected a number, got \"much\"";
        assert_eq!(refused(text), place);
        assert_eq!(refused("{\"layers\":\n ["), "it ends too early");
        assert_eq!(
            refused("{\n,"),
            "line 2: expected a key in double quotes, got ,"
        );
        assert_eq!(refused("{\"layers\": 5}"), "layers: expected a list, got 5");
        assert!(refused("{\"layers\": []} x").ends_with("nothing behind its end, got x"));
    }

    #[test]
    fn tables_of_spreadsheets_are_read() {
        let expected = [["layer", "ms"], ["a, \"b\"", "0.5"]];
        for text in [
            "layer,ms\n\"a, \"\"b\"\"\",0.5\n\n",
            "\"layer\";\"ms\"\n\"a, \"\"b\"\"\" ; 0.5",
            "layer\tms\na, \"b\"\t0.5\n,\n",
        ] {
            let rows = csv(text).unwrap();
            let fields: Vec<&[String]> = rows.iter().map(|row| &row.fields[..]).collect();
            assert_eq!(fields[..2], expected, "{text}");
        }
        assert_eq!(csv("a,\"b\nc\"\nd,e").unwrap()[1].line, 3);
        assert!(csv("a,b\nc,\"d\n").unwrap_err().starts_with("line 2: "));
        assert_eq!(decimal("0,5"), Some(0.5));
        assert_eq!(decimal("1,000,000"), None);
    }
}
