//! Results as tables, in text and in Markdown, and as JSON.

use std::fs;
use std::path::Path;

use crate::network::Network;
use crate::registry::{Counts, KINDS};
use crate::results::{Measured, Results, Run};
use crate::shortfall::shortfalls;
use crate::table::{Table, digits};

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// Everything for a terminal.
pub(crate) fn text(results: &Results) -> String {
    let tables = tables(results)
        .iter()
        .map(Table::text)
        .collect::<Vec<_>>()
        .join("\n");
    format!(
        "\n{}\n\n{tables}\n{}",
        machine(results),
        shortfalls(&results.measured)
    )
}

/// Writes Markdown. In a file that has the two marks, only what is between them changes.
pub(crate) fn write_markdown(results: &Results, path: &Path) -> Result<(), String> {
    let tables = tables(results)
        .iter()
        .map(Table::markdown)
        .collect::<Vec<_>>()
        .join("\n");
    let measured = format!(
        "{}\n\n{tables}\n{}",
        machine(results),
        shortfalls(&results.measured)
    );
    let around = fs::read_to_string(path).unwrap_or_default();
    write(path, &between(&around, &measured))
}

/// Writes every run.
pub(crate) fn write_json(results: &Results, path: &Path) -> Result<(), String> {
    let text = serde_json::to_string_pretty(results).expect("our own types are JSON");
    write(path, &format!("{text}\n"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// `around` with `measured` between the marks; `measured` alone where there are none.
fn between(around: &str, measured: &str) -> String {
    let parts = around
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.unwrap_or_default();
    format!("{before}{BEGIN}\n{measured}\n{END}{after}")
}

fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let sha = if machine.has_sha { "with" } else { "without" };
    let gigabytes = machine.memory_bytes / 1_000_000_000;
    let first = format!(
        "Machine: {}, {} cores, {sha} SHA instructions, {gigabytes} GB of memory, Linux {}; load before the run {}.\n",
        machine.processor, machine.cores, machine.kernel, machine.load
    );
    let networks = results
        .networks
        .iter()
        .map(|(network, found)| format!("* Network {}: {found}.", network.name()));
    let tools = results
        .tools
        .iter()
        .map(|(tool, description)| format!("* Tool {tool}: {description}."));
    [first]
        .into_iter()
        .chain(networks)
        .chain(tools)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The costs on each network, and the requests on the first.
fn tables(results: &Results) -> Vec<Table> {
    let rows = |network: Network| -> Vec<&Measured> {
        results
            .measured
            .iter()
            .filter(|measured| measured.network == network)
            .collect()
    };
    let networks = results.networks.iter().map(|(network, _)| *network);
    let costs = networks
        .clone()
        .map(|network| costs(network, results.runs, &rows(network)));
    let requests = networks
        .take(1)
        .flat_map(|network| requests(network, &rows(network)));
    costs.chain(requests).collect()
}

/// Time, processor and memory.
fn costs(network: Network, runs: usize, rows: &[&Measured]) -> Table {
    let head = [
        "item", "tool", "wall s", "least", "most", "CPU s", "user", "system", "peak MB",
    ];
    let row = |measured: &&Measured| {
        let (least, most) = measured.range(Run::wall_seconds);
        let median = |value: fn(&Run) -> f64| digits(measured.median(value));
        vec![
            measured.name(),
            measured.tool.clone(),
            median(Run::wall_seconds),
            digits(least),
            digits(most),
            median(Run::processor_seconds),
            median(|run| run.usage.user_seconds),
            median(|run| run.usage.system_seconds),
            format!("{:.1}", measured.median(Run::peak_mb)),
        ]
    };
    Table {
        name: format!("{}: medians of {runs} runs", network.name()),
        head: head.map(str::to_owned).into(),
        rows: rows.iter().map(row).collect(),
    }
}

/// What was asked of each registry, which hardly depends on the network.
fn requests(network: Network, rows: &[&Measured]) -> [Table; 2] {
    let source = asked(rows, |run| &run.source);
    let destination = asked(rows, |run| &run.destination);
    let name = |side: &str| format!("{}: requests at the {side}", network.name());
    [
        Table {
            name: name("source"),
            ..source
        },
        Table {
            name: name("destination"),
            ..destination
        },
    ]
}

/// What was asked of one registry; kinds that nobody used have no column.
fn asked(rows: &[&Measured], side: fn(&Run) -> &Counts) -> Table {
    let counted: Vec<Counts> = rows.iter().map(|row| row.counts(side)).collect();
    let number = |counts: &Counts, kind: &str| counts.requests.get(kind).copied().unwrap_or(0);
    let is_used = |kind: &&str| counted.iter().any(|counts| number(counts, kind) > 0);
    let kinds: Vec<&str> = KINDS.into_iter().filter(is_used).collect();
    let row = |(measured, counts): (&&Measured, &Counts)| {
        let numbers = kinds
            .iter()
            .map(|kind| number(counts, kind))
            .chain([counts.connections]);
        let bytes = [counts.served_bytes, counts.received_bytes].map(megabytes);
        let names = [measured.name(), measured.tool.clone()];
        names
            .into_iter()
            .chain(numbers.map(|number| number.to_string()))
            .chain(bytes)
            .collect()
    };
    let head = ["item", "tool"]
        .into_iter()
        .chain(kinds.iter().copied())
        .chain(["connections", "MB out", "MB in"]);
    Table {
        name: String::new(),
        head: head.map(str::to_owned).collect(),
        rows: rows.iter().zip(&counted).map(row).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_the_marks_stays() {
        let around = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        assert_eq!(
            between(&around, "new"),
            format!("before\n{BEGIN}\nnew\n{END}\nafter\n")
        );
        assert_eq!(
            between("something else", "new"),
            format!("{BEGIN}\nnew\n{END}")
        );
    }

    #[test]
    fn only_kinds_that_somebody_used_have_a_column() {
        let mut one = Measured::of("skopeo", 1.0, 1.0, 1);
        for run in &mut one.runs {
            run.source.requests.insert("GET blob".to_owned(), 7);
            run.source.served_bytes = 1_500_000;
        }
        let table = asked(&[&one], |run| &run.source);
        assert_eq!(
            table.head,
            ["item", "tool", "GET blob", "connections", "MB out", "MB in"]
        );
        assert_eq!(
            table.rows,
            [["many, cold", "skopeo", "7", "0", "1.5", "0.0"]]
        );
    }
}
