//! Tables for people: columns padded to their widest cell, numbers to the right.

use crate::engine::shown::shown;

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A heading and rows of as many cells.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// No rows yet.
    #[must_use]
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let columns = columns
            .iter()
            .map(|&(name, align)| (name.to_owned(), align))
            .collect();
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// One more row.
    pub fn push(&mut self, row: Vec<String>) {
        let row = row.into_iter().map(|cell| shown(&cell).into_owned());
        self.rows.push(row.collect());
    }

    /// All of it, a line a row.
    #[must_use]
    pub fn text(&self) -> String {
        let heading: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let lines = std::iter::once(&heading).chain(&self.rows);
        lines.map(|row| self.line(row) + "\n").collect()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(self.columns[column].0.chars().count())
    }

    fn line(&self, row: &[String]) -> String {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = self.width(column);
            match self.columns[column].1 {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[("layer", Align::Left), ("bits", Align::Right)]);
        table.push(vec!["conv1".into(), "2".into()]);
        table.push(vec!["layer1.0.conv1".into(), "32".into()]);
        let expected = "layer           bits\nconv1              2\nlayer1.0.conv1    32\n";
        assert_eq!(table.text(), expected);
    }
}
