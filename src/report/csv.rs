//! Tables as files: CSV (RFC 4180, with a heading line) and JSON (an array with an object a row).

use serde_json::{Map, Value};

use super::table::Table;
use crate::engine::shown::shown;

/// The table as CSV: numbers in full, an empty field where nothing is known.
#[must_use]
pub fn csv(table: &Table) -> String {
    let heading = table.columns.iter().map(|column| field(&column.key));
    let mut text = line(heading);
    for row in &table.rows {
        let fields = row.iter().map(|cell| match cell.exact() {
            Value::Null => String::new(),
            Value::String(text) => field(&plain(&text)),
            other => other.to_string(),
        });
        text += &line(fields);
    }
    text
}

/// The table as JSON: what is not known is null.
#[must_use]
pub fn json(table: &Table) -> String {
    let object = |row: &Vec<super::table::Cell>| {
        let keys = table.columns.iter().map(|column| column.key.clone());
        let values = row.iter().map(super::table::Cell::exact);
        Value::Object(keys.zip(values).collect::<Map<_, _>>())
    };
    let rows: Vec<String> = table
        .rows
        .iter()
        .map(|row| object(row).to_string())
        .collect();
    match rows.as_slice() {
        [] => "[]\n".to_owned(),
        rows => format!("[\n  {}\n]\n", rows.join(",\n  ")),
    }
}

/// Whether a text is a table of these columns as [`csv`] writes it.
#[must_use]
pub fn is_csv(table: &Table, text: &str) -> bool {
    let heading = table.columns.iter().map(|column| field(&column.key));
    text.starts_with(&line(heading))
}

/// Whether a text is a table of these columns as [`json`] writes it.
#[must_use]
pub fn is_json(table: &Table, text: &str) -> bool {
    let first = table
        .columns
        .first()
        .map(|column| Value::from(column.key.clone()));
    text == "[]\n" || first.is_some_and(|key| text.starts_with(&format!("[\n  {{{key}:")))
}

fn line(fields: impl Iterator<Item = String>) -> String {
    fields.collect::<Vec<_>>().join(",") + "\r\n"
}

/// A text as no spreadsheet takes it for a formula: where it begins like one, a quote comes first,
/// which spreadsheets do not show. Numbers are not texts here and stay as they are.
fn plain(text: &str) -> String {
    let text = shown(text);
    let begins = [
        '=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ];
    if text.trim_start().starts_with(begins) {
        format!("'{text}")
    } else {
        text.into_owned()
    }
}

/// A field, in quotes where it must be.
fn field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::table::Cell;

    #[test]
    fn a_table_is_known_again_and_nothing_else_is() {
        let table = table();
        assert!(is_csv(&table, &csv(&table)) && is_json(&table, &json(&table)));
        assert!(is_json(&Table::new("t", "t", &[("a", "b")]), "[]\n"));
        for other in ["layer;loss", "my notes", "[1, 2]", "{}"] {
            assert!(!is_csv(&table, other) && !is_json(&table, other), "{other}");
        }
    }

    fn table() -> Table {
        let mut table = Table::new("t", "t", &[("layer", "l"), ("loss_change", "c")]);
        table.push(vec![Cell::text("a,\"b\""), Cell::Number(0.1)]);
        table.push(vec![Cell::text("c"), Cell::Missing]);
        table
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let expected = "layer,loss_change\r\n\"a,\"\"b\"\"\",0.1\r\nc,\r\n";
        assert_eq!(csv(&table()), expected);
    }

    #[test]
    fn no_text_is_a_formula_or_steers_a_terminal() {
        let mut table = Table::new("t", "t", &[("layer", "l"), ("value", "v")]);
        for name in ["=1+1", "+1", "-x", "@a", " =b", "\u{1b}[2Jc\u{202e}", "a=b"] {
            table.push(vec![Cell::text(name), Cell::Number(-0.5)]);
        }
        let expected = "layer,value\r\n'=1+1,-0.5\r\n'+1,-0.5\r\n'-x,-0.5\r\n'@a,-0.5\r\n' =b,-0.5\r\n\
                        \u{fffd}[2Jc\u{fffd},-0.5\r\na=b,-0.5\r\n";
        assert_eq!(csv(&table), expected);
    }

    #[test]
    fn json_has_an_object_a_row() {
        let read: Value = serde_json::from_str(&json(&table())).unwrap();
        assert_eq!(read[0]["layer"], "a,\"b\"");
        assert_eq!(read[1]["loss_change"], Value::Null);
        let empty = Table::new("t", "t", &[("a", "a")]);
        assert_eq!(json(&empty), "[]\n");
    }
}
