//! Tables as text and as Markdown.

/// A table with a name, a head and rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// The table for a terminal. Columns are as wide as their widest cell; numbers are aligned on
    /// the right.
    pub(crate) fn text(&self) -> String {
        let columns = 0..self.head.len();
        let widths: Vec<usize> = columns.map(|column| self.width(column)).collect();
        let mut text = format!("{}\n\n", self.name);
        for row in self.all_rows() {
            let mut cells = Vec::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                cells.push(if self.is_number(column) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:width$}")
                });
            }
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    /// The table in GitHub's Markdown.
    pub(crate) fn markdown(&self) -> String {
        let columns = 0..self.head.len();
        let rules: Vec<String> = columns.map(|column| self.rule(column).to_owned()).collect();
        let mut lines = vec![line(&self.head), line(&rules)];
        lines.extend(self.rows.iter().map(|row| line(row)));
        format!("### {}\n\n{}\n", self.name, lines.join("\n"))
    }

    fn all_rows(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.head).chain(&self.rows)
    }

    /// The number of characters in the widest cell of a column.
    fn width(&self, column: usize) -> usize {
        let cells = self.all_rows().filter_map(|row| row.get(column));
        let widths = cells.map(|cell| cell.chars().count());
        widths.max().unwrap_or(0)
    }

    /// The cell below the head, which sets the alignment of a column.
    fn rule(&self, column: usize) -> &'static str {
        if self.is_number(column) { "--:" } else { "---" }
    }

    /// Whether all cells of a column are numbers or empty.
    fn is_number(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.all(|cell| {
            cell.is_empty() || cell == "–" || cell.starts_with(|first: char| first.is_ascii_digit())
        })
    }
}

/// A row in Markdown. A vertical bar in a cell is escaped: it would end the cell, also in code.
fn line(row: &[String]) -> String {
    let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |", cells.join(" | "))
}

/// A number with about three significant digits.
pub(crate) fn digits(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |cells: &[&str]| {
            cells
                .iter()
                .map(|&cell| cell.to_owned())
                .collect::<Vec<_>>()
        };
        Table {
            name: "Sizes".to_owned(),
            head: row(&["what", "MB"]),
            rows: vec![row(&["a", "9.5"]), row(&["bcdef", "10.5"])],
        }
    }

    #[test]
    fn words_are_left_aligned_and_numbers_right_aligned() {
        assert_eq!(
            table().text(),
            "Sizes\n\nwhat     MB\na       9.5\nbcdef  10.5\n"
        );
    }

    #[test]
    fn markdown_has_a_rule_between_head_and_rows() {
        assert_eq!(
            table().markdown(),
            "### Sizes\n\n| what | MB |\n| --- | --: |\n| a | 9.5 |\n| bcdef | 10.5 |\n"
        );
    }

    #[test]
    fn a_vertical_bar_in_a_markdown_cell_is_escaped() {
        assert_eq!(line(&["a || b".to_owned()]), "| a \\|\\| b |");
    }
}
