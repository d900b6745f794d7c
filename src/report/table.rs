//! Tables: typed cells, so that the page shows numbers as people read them and the files beside it
//! hold them in full.

use std::fmt::Write as _;

use serde_json::Value;

use super::html::escape;
use crate::numbers::{bytes, count, number, percent, short_count};

/// Levels of shading, 0 is none.
pub const LEVELS: u8 = 5;

/// Characters of a text from which it may break into lines.
const LONG: usize = 40;

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Not known.
    Missing,
    /// Text.
    Text(String),
    /// A number of things.
    Count(u64),
    /// A number of operations, shown short.
    Operations(f64),
    /// A number.
    Number(f64),
    /// A number, its cell shaded up to [`LEVELS`].
    Shaded(f64, u8),
    /// A share, 0 to 1, shown as per cent.
    Share(f64),
    /// How many times smaller.
    Times(f64),
    /// A correlation, -1 to 1.
    Correlation(f64),
    /// A size.
    Bytes(f64),
    /// Yes or no.
    Flag(bool),
}

impl Cell {
    /// Text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A value that may be missing.
    #[must_use]
    pub fn maybe<T>(value: Option<T>, cell: fn(T) -> Self) -> Self {
        value.map_or(Self::Missing, cell)
    }

    /// As on the page.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Missing => "-".to_owned(),
            Self::Text(text) => text.clone(),
            Self::Count(value) => count(*value),
            Self::Flag(yes) => if *yes { "yes" } else { "" }.to_owned(),
            Self::Operations(value)
            | Self::Number(value)
            | Self::Shaded(value, _)
            | Self::Share(value)
            | Self::Times(value)
            | Self::Correlation(value)
            | Self::Bytes(value)
                if !value.is_finite() =>
            {
                "not finite".to_owned()
            }
            Self::Operations(value) => short_count(*value),
            Self::Number(value) | Self::Shaded(value, _) => number(*value),
            Self::Share(value) => percent(*value),
            Self::Times(value) => format!("{value:.2}x"),
            Self::Correlation(value) => format!("{value:.2}"),
            Self::Bytes(value) => bytes(*value),
        }
    }

    /// In full, for other programs; what is missing or not finite is null.
    #[must_use]
    pub fn exact(&self) -> Value {
        match self {
            Self::Missing => Value::Null,
            Self::Text(text) => Value::from(text.as_str()),
            Self::Count(value) => Value::from(*value),
            Self::Flag(yes) => Value::from(*yes),
            Self::Operations(value)
            | Self::Number(value)
            | Self::Shaded(value, _)
            | Self::Share(value)
            | Self::Times(value)
            | Self::Correlation(value)
            | Self::Bytes(value) => Value::from(*value),
        }
    }

    const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Flag(_))
    }

    /// The classes of its element.
    fn class(&self) -> String {
        match self {
            Self::Shaded(_, level) => format!(" class=\"h{}\"", (*level).min(LEVELS)),
            Self::Text(text) if text.chars().count() > LONG => " class=\"t long\"".to_owned(),
            cell if cell.is_text() => " class=\"t\"".to_owned(),
            _ => String::new(),
        }
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in files.
    pub key: String,
    /// Its heading on the page.
    pub heading: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name among the files.
    pub name: String,
    /// What it shows.
    pub caption: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Rows of as many cells.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// No rows yet; columns by key and heading.
    #[must_use]
    pub fn new(name: &str, caption: &str, columns: &[(&str, &str)]) -> Self {
        let mut table = Self {
            name: name.to_owned(),
            caption: caption.to_owned(),
            columns: Vec::new(),
            rows: Vec::new(),
        };
        for (key, heading) in columns {
            table.column(key, heading);
        }
        table
    }

    /// One more column.
    pub fn column(&mut self, key: &str, heading: &str) {
        self.columns.push(Column {
            key: key.to_owned(),
            heading: heading.to_owned(),
        });
    }

    /// One more row.
    pub fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len(), "{}", self.name);
        self.rows.push(row);
    }

    /// Without the columns that say nothing in any row; the first one always stays.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Self {
        let says = |cell: &Cell| !matches!(cell, Cell::Missing | Cell::Flag(false));
        for at in (1..self.columns.len()).rev() {
            if !self.rows.iter().any(|row| says(&row[at])) {
                self.columns.remove(at);
                for row in &mut self.rows {
                    row.remove(at);
                }
            }
        }
        self
    }

    /// The tables of several runs as one, the run in the first column. Nothing without a run.
    #[must_use]
    pub fn joined(tables: Vec<(String, Self)>) -> Option<Self> {
        let mut joined: Option<Self> = None;
        for (run, table) in tables {
            let rows = table.rows.into_iter();
            let rows = rows.map(|row| [vec![Cell::text(run.as_str())], row].concat());
            let all = joined.get_or_insert_with(|| {
                let mut all = Self::new(&table.name, &table.caption, &[("run", "run")]);
                all.columns.extend(table.columns);
                all
            });
            all.rows.extend(rows);
        }
        joined
    }

    /// The table as HTML, in a box of its own that scrolls.
    #[must_use]
    pub fn html(&self) -> String {
        let caption = escape(&self.caption);
        let mut html = format!(
            "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\n\
             <table>\n<caption><span>{caption}</span></caption>\n<thead><tr>"
        );
        for (at, column) in self.columns.iter().enumerate() {
            let text = self.rows.first().is_some_and(|row| row[at].is_text());
            let class = if text { " class=\"t\"" } else { "" };
            // Writing to a string cannot fail, here and below.
            let _ = write!(
                html,
                "<th scope=\"col\"{class}>{}</th>",
                escape(&column.heading)
            );
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            html.push_str("<tr>");
            for (at, cell) in row.iter().enumerate() {
                let (text, class) = (escape(&cell.shown()), cell.class());
                let _ = match at {
                    0 => write!(html, "<th scope=\"row\"{class}>{text}</th>"),
                    _ => write!(html, "<td{class}>{text}</td>"),
                };
            }
            html.push_str("</tr>\n");
        }
        html + "</tbody>\n</table>\n</div>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns = [("layer", "layer"), ("weights", "weights"), ("tie", "tie")];
        let mut table = Table::new("plan", "the <plan>", &columns);
        table.push(vec![Cell::text("<b>"), Cell::Count(1234), Cell::Missing]);
        table.push(vec![Cell::text("b"), Cell::Number(f64::NAN), Cell::Missing]);
        table
    }

    #[test]
    fn the_page_shows_numbers_as_people_read_them_and_files_hold_them_in_full() {
        assert_eq!(Cell::Share(0.9173).shown(), "91.73 %");
        assert_eq!(Cell::Times(10.0).shown(), "10.00x");
        assert_eq!(Cell::Bytes(f64::INFINITY).shown(), "not finite");
        assert_eq!(Cell::Number(0.123_456_789).shown(), "0.123");
        assert_eq!(
            Cell::Number(0.123_456_789).exact(),
            Value::from(0.123_456_789)
        );
        assert_eq!(Cell::Number(f64::NAN).exact(), Value::Null);
    }

    #[test]
    fn headings_have_a_scope_and_text_is_escaped() {
        let html = table().without_empty_columns().html();
        assert!(html.contains("<th scope=\"col\">weights</th>"));
        assert!(html.contains("<th scope=\"row\" class=\"t\">&lt;b&gt;</th><td>1,234</td>"));
        assert!(!html.contains("tie") && !html.contains("<plan>"), "{html}");
    }

    #[test]
    fn tables_of_runs_become_one() {
        let joined = Table::joined(vec![("001".into(), table()), ("002".into(), table())]);
        let joined = joined.unwrap();
        assert_eq!((joined.rows.len(), joined.columns.len()), (4, 4));
        assert_eq!(joined.rows[2][0], Cell::text("002"));
        assert_eq!(Table::joined(Vec::new()), None);
    }
}
