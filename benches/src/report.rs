//! Writes results as text, as Markdown and as JSON.

use std::fs;
use std::path::Path;

use crate::network::Network;
use crate::registry::{Counts, KINDS};
use crate::results::{Measured, Results, Run};
use crate::shortfall::shortfalls;
use crate::table::{Table, digits};

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// All results for a terminal.
pub(crate) fn text(results: &Results) -> String {
    format!("\n{}", format_results(results, Table::text))
}

/// Writes all results as Markdown. If the file has the two markers, only the text between them
/// changes.
pub(crate) fn write_markdown(results: &Results, path: &Path) -> Result<(), String> {
    let current = fs::read_to_string(path).unwrap_or_default();
    let measured = format_results(results, Table::markdown);
    write(path, &replace_between_markers(&current, &measured))
}

/// Writes every run as JSON.
pub(crate) fn write_json(results: &Results, path: &Path) -> Result<(), String> {
    let text = serde_json::to_string_pretty(results).expect("our own types are JSON");
    write(path, &format!("{text}\n"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// `current` with `measured` between the markers. Without markers in `current`, only `measured`
/// between markers.
fn replace_between_markers(current: &str, measured: &str) -> String {
    let mut before = "";
    let mut after = "";
    if let Some((head, rest)) = current.split_once(BEGIN)
        && let Some((_, tail)) = rest.split_once(END)
    {
        before = head;
        after = tail;
    }
    format!("{before}{BEGIN}\n{measured}\n{END}{after}")
}

fn format_results(results: &Results, format_table: fn(&Table) -> String) -> String {
    let machine = machine(results);
    let tables: Vec<String> = tables(results).iter().map(format_table).collect();
    let tables = tables.join("\n");
    let shortfalls = shortfalls(&results.measured);
    format!("{machine}\n\n{tables}\n{shortfalls}")
}

fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let sha = if machine.has_sha { "with" } else { "without" };
    let gigabytes = machine.memory_bytes / 1_000_000_000;
    format!(
        "Machine: {}, {} cores, {sha} SHA instructions, {gigabytes} GB of memory, Linux {}.\n\
         Load average before the run: {}.",
        machine.processor, machine.cores, machine.kernel, machine.load
    )
}

/// The networks, the tools, the costs on each network, and the requests on the first network: they
/// hardly depend on the network.
fn tables(results: &Results) -> Vec<Table> {
    let mut tables = vec![network_table(results), tool_table(results)];
    for (network, _) in &results.networks {
        tables.push(cost_table(*network, results.runs, &rows(results, *network)));
    }
    if let Some((network, _)) = results.networks.first() {
        let rows = rows(results, *network);
        let name = network.name();
        let source_name = format!("{name}: requests at the source");
        let destination_name = format!("{name}: requests at the destination");
        tables.push(request_table(source_name, &rows, |run| &run.source));
        tables.push(request_table(destination_name, &rows, |run| {
            &run.destination
        }));
    }
    tables
}

fn rows(results: &Results, network: Network) -> Vec<&Measured> {
    let measured = results.measured.iter();
    measured.filter(|one| one.network == network).collect()
}

fn network_table(results: &Results) -> Table {
    let head = [
        "network",
        "round trip ms",
        "on a new connection ms",
        "download MB/s",
        "upload MB/s",
    ];
    let mut rows = Vec::new();
    for (network, properties) in &results.networks {
        rows.push(vec![
            network.name().to_owned(),
            format!("{:.2}", properties.round_trip_ms),
            format!("{:.2}", properties.first_round_trip_ms),
            format!("{:.0}", properties.down_mb_per_second),
            format!("{:.0}", properties.up_mb_per_second),
        ]);
    }
    Table {
        name: "Networks, as measured".to_owned(),
        head: head.map(str::to_owned).into(),
        rows,
    }
}

fn tool_table(results: &Results) -> Table {
    let mut rows = Vec::new();
    for (tool, description) in &results.tools {
        rows.push(vec![tool.clone(), description.clone()]);
    }
    Table {
        name: "Tools".to_owned(),
        head: ["tool", "description"].map(str::to_owned).into(),
        rows,
    }
}

/// Wall time, processor time and memory.
fn cost_table(network: Network, runs: usize, measured: &[&Measured]) -> Table {
    let head = [
        "item", "tool", "wall s", "least", "most", "CPU s", "user", "system", "peak MB",
    ];
    let mut rows = Vec::new();
    for one in measured {
        let (least, most) = one.range(Run::wall_seconds);
        rows.push(vec![
            one.name(),
            one.tool.clone(),
            digits(one.median(Run::wall_seconds)),
            digits(least),
            digits(most),
            digits(one.median(Run::processor_seconds)),
            digits(one.median(|run| run.usage.user_seconds)),
            digits(one.median(|run| run.usage.system_seconds)),
            format!("{:.1}", one.median(Run::peak_mb)),
        ]);
    }
    Table {
        name: format!("{}: medians of {runs} runs", network.name()),
        head: head.map(str::to_owned).into(),
        rows,
    }
}

/// The requests at the registry that `side` selects. A kind without requests has no column.
fn request_table(name: String, measured: &[&Measured], side: fn(&Run) -> &Counts) -> Table {
    let counts: Vec<Counts> = measured.iter().map(|one| one.counts(side)).collect();
    let mut kinds = KINDS.to_vec();
    kinds.retain(|kind| counts.iter().any(|counts| counts.requests_of(kind) > 0));

    let mut head = vec!["item", "tool"];
    head.extend(&kinds);
    head.extend(["connections", "MB out", "MB in"]);

    let mut rows = Vec::new();
    for (one, counts) in measured.iter().zip(&counts) {
        let mut row = vec![one.name(), one.tool.clone()];
        for kind in &kinds {
            row.push(counts.requests_of(kind).to_string());
        }
        row.push(counts.connections.to_string());
        row.push(megabytes(counts.served_bytes));
        row.push(megabytes(counts.received_bytes));
        rows.push(row);
    }
    Table {
        name,
        head: head.into_iter().map(str::to_owned).collect(),
        rows,
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
    fn text_outside_the_markers_stays() {
        let around = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        assert_eq!(
            replace_between_markers(&around, "new"),
            format!("before\n{BEGIN}\nnew\n{END}\nafter\n")
        );
        assert_eq!(
            replace_between_markers("something else", "new"),
            format!("{BEGIN}\nnew\n{END}")
        );
    }

    #[test]
    fn a_kind_without_requests_has_no_column() {
        let mut one = Measured::example("skopeo", 1.0, 1.0, 1);
        for run in &mut one.runs {
            run.source.requests.insert("GET blob".to_owned(), 7);
            run.source.served_bytes = 1_500_000;
        }
        let table = request_table(String::new(), &[&one], |run| &run.source);
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
