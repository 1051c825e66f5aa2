//! Lists: aligned columns with a header for people, and otherwise one line for each entry, for programs.

use std::io::{self, IsTerminal};

use super::terminal::say;

/// Whether a list begins with column names. On a terminal it does; the form for programs stays as it is.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Header {
    /// Print column names first, as on a terminal
    #[arg(long, conflicts_with = "json")]
    header: bool,
}

impl Header {
    /// Begins a list, and prints the column names if they are wanted. Each column has a name and the usual number of
    /// characters of an entry.
    pub(super) fn begin<const N: usize>(self, columns: [(&str, usize); N]) -> Table<N> {
        let widths = columns.map(|(name, width)| width.max(name.len()));
        let has_header = self.header || io::stdout().is_terminal();
        if has_header {
            say!("{}", aligned(&columns.map(|(name, _)| name.to_owned()), &widths));
        }
        Table(has_header.then_some(widths))
    }
}

/// A list that has begun: the widths of its columns, if it has a header.
pub(super) struct Table<const N: usize>(Option<[usize; N]>);

impl<const N: usize> Table<N> {
    /// Prints an entry. Without a header, `line` formats its cells.
    pub(super) fn row(&self, cells: [String; N], line: impl FnOnce([String; N]) -> String) {
        match &self.0 {
            Some(widths) => say!("{}", aligned(&cells, widths)),
            None => say!("{}", line(cells)),
        }
    }
}

/// Pads cells and never cuts them; no space after the last.
fn aligned<const N: usize>(cells: &[String; N], widths: &[usize; N]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// The longest of these cells: the width of their column.
pub(super) fn longest(cells: impl Iterator<Item = String>) -> usize {
    cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_below_their_names_and_a_long_one_is_not_cut_off() {
        let line = |cells: [&str; 3]| aligned(&cells.map(str::to_owned), &[4, 6, 2]);
        assert_eq!(line(["ID", "STATE", "END"]), "ID    STATE   END");
        assert_eq!(line(["1", "on", "x"]), "1     on      x");
        assert_eq!(line(["12345", "on", ""]), "12345  on");
    }
}
