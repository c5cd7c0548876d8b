//! Tables for people: columns as wide as their widest cell, two spaces between.

use std::fmt;

use crate::unseen::visible;

/// Rows of text under a heading.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this heading and no rows.
    pub(crate) fn new(heading: &[&str]) -> Self {
        let heading = heading.iter().map(|cell| (*cell).to_owned()).collect();
        Self {
            rows: vec![heading],
        }
    }

    /// Adds a row; what cannot be seen in it is spelled out.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| visible(&cell));
        self.rows.push(cells.collect());
    }
}

/// Lines without spaces at their ends, the last with a line feed too.
impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &self.rows {
            let cells = row.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            writeln!(out, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["A", "LONG"]);
        table.row(["ä long one".to_owned(), "x".to_owned()]);
        table.row(["b".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "A           LONG\nä long one  x\nb\n");
    }

    #[test]
    fn what_cannot_be_seen_is_shown_and_not_obeyed() {
        let mut table = Table::new(&["A"]);
        table.row(["a\u{202e}b\u{2066}\u{200b}\u{feff}".to_owned()]);
        assert_eq!(
            table.to_string(),
            "A\na\\u{202e}b\\u{2066}\\u{200b}\\u{feff}\n"
        );
    }

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        let mut table = Table::new(&["A"]);
        table.row(["\u{1b}[31m\n\u{9b}".to_owned()]);
        assert_eq!(table.to_string(), "A\n\\u{1b}[31m\\n\\u{9b}\n");
    }
}
