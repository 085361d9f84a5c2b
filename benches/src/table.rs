//! Tables for a terminal, and in Markdown.

/// Rows of cells below a head. A table has a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns as wide as their widest cell; numbers are on the right, where their digits stand below each other.
    pub(crate) fn text(&self) -> String {
        let all: Vec<&Vec<String>> = [&self.head].into_iter().chain(&self.rows).collect();
        let width = |column: usize| {
            all.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| width(column).unwrap_or(0))
            .collect();
        let line = |row: &&Vec<String>| {
            let cells = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| {
                    if self.is_number(column) {
                        format!("{cell:>width$}")
                    } else {
                        format!("{cell:width$}")
                    }
                });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        format!(
            "{}\n\n{}\n",
            self.name,
            all.iter().map(line).collect::<Vec<_>>().join("\n")
        )
    }

    /// The same as GitHub shows it.
    pub(crate) fn markdown(&self) -> String {
        let rule = |column| if self.is_number(column) { "--:" } else { "---" };
        let rules: Vec<String> = (0..self.head.len())
            .map(|column| rule(column).to_owned())
            .collect();
        let line = |row: &Vec<String>| format!("| {} |", row.join(" | "));
        let all = [&self.head, &rules].into_iter().chain(&self.rows);
        format!(
            "### {}\n\n{}\n",
            self.name,
            all.map(line).collect::<Vec<_>>().join("\n")
        )
    }

    /// Whether a column holds numbers, or nothing where there is none.
    fn is_number(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.all(|cell| {
            cell.is_empty() || cell == "–" || cell.starts_with(|first: char| first.is_ascii_digit())
        })
    }
}

/// Three digits or so.
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
    fn words_stand_on_the_left_and_numbers_on_the_right() {
        assert_eq!(
            table().text(),
            "Sizes\n\nwhat     MB\na       9.5\nbcdef  10.5\n"
        );
    }

    #[test]
    fn markdown_has_a_rule_below_the_head() {
        assert_eq!(
            table().markdown(),
            "### Sizes\n\n| what | MB |\n| --- | --: |\n| a | 9.5 |\n| bcdef | 10.5 |\n"
        );
    }
}
