//! Results as tables, in text and in Markdown, and as JSON.

use std::fs;
use std::path::Path;

use crate::network::Network;
use crate::registry::{Counts, KINDS};
use crate::results::{Measured, Results, Run};
use crate::table::Table;

/// The tool that the others are compared with.
const OURS: &str = "replicator";
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// Everything for a terminal.
pub(crate) fn text(results: &Results) -> String {
    let tables = tables(results).iter().map(Table::text).collect::<Vec<_>>().join("\n");
    format!("\n{}\n\n{tables}\n{}", machine(results), shortfalls(results))
}

/// Writes Markdown. In a file that has the two marks, only what is between them changes.
pub(crate) fn write_markdown(results: &Results, path: &Path) -> Result<(), String> {
    let tables = tables(results).iter().map(Table::markdown).collect::<Vec<_>>().join("\n");
    let measured = format!("{}\n\n{tables}\n{}", machine(results), shortfalls(results));
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
    let parts = around.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
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
    let networks = results.networks.iter().map(|(network, found)| format!("* Network {}: {found}.", network.name()));
    let tools = results.tools.iter().map(|(tool, description)| format!("* Tool {tool}: {description}."));
    [first].into_iter().chain(networks).chain(tools).collect::<Vec<_>>().join("\n")
}

fn tables(results: &Results) -> Vec<Table> {
    let of = |network: Network| {
        let rows: Vec<&Measured> = results.measured.iter().filter(|measured| measured.network == network).collect();
        [costs(network, results.runs, &rows), requests(network, &rows)]
    };
    results.networks.iter().flat_map(|(network, _)| of(*network)).collect()
}

/// Time, processor and memory.
fn costs(network: Network, runs: usize, rows: &[&Measured]) -> Table {
    let head = ["item", "tool", "wall s", "least", "most", "CPU s", "user", "system", "peak MB"];
    let row = |measured: &&Measured| {
        let (least, most) = measured.range(wall);
        let median = |value: fn(&Run) -> f64| seconds(measured.median(value));
        vec![
            item(measured),
            measured.tool.clone(),
            median(wall),
            seconds(least),
            seconds(most),
            median(processor),
            median(|run| run.usage.user_seconds),
            median(|run| run.usage.system_seconds),
            format!("{:.1}", measured.median(peak) / 1e6),
        ]
    };
    Table {
        name: format!("{}: medians of {runs} runs", network.name()),
        head: head.map(str::to_owned).into(),
        rows: rows.iter().map(row).collect(),
    }
}

/// Requests at the source and at the destination; kinds that nobody used have no column.
fn requests(network: Network, rows: &[&Measured]) -> Table {
    let counted: Vec<(Counts, Counts)> =
        rows.iter().map(|row| (row.counts(|run| &run.source), row.counts(|run| &run.destination))).collect();
    let number = |counts: &Counts, kind: &str| counts.requests.get(kind).copied().unwrap_or(0);
    let used = |side: fn(&(Counts, Counts)) -> &Counts| -> Vec<&str> {
        KINDS.into_iter().filter(|kind| counted.iter().any(|pair| number(side(pair), kind) > 0)).collect()
    };
    let (source, destination) = (used(|pair| &pair.0), used(|pair| &pair.1));
    let heads = |side: &str, kinds: &[&str]| -> Vec<String> {
        ["connections"].iter().chain(kinds).map(|kind| format!("{side}: {kind}")).collect()
    };
    let cells = |counts: &Counts, kinds: &[&str]| -> Vec<String> {
        [counts.connections]
            .into_iter()
            .chain(kinds.iter().map(|kind| number(counts, kind)))
            .map(|count| count.to_string())
            .collect()
    };
    let row = |(measured, (from, to)): (&&Measured, &(Counts, Counts))| {
        let names = vec![item(measured), measured.tool.clone()];
        let source = [cells(from, &source), vec![megabytes(from.served_bytes)]].concat();
        [names, source, cells(to, &destination), vec![megabytes(to.received_bytes)]].concat()
    };
    let head = [
        vec!["item".to_owned(), "tool".to_owned()],
        heads("source", &source),
        vec!["MB served".to_owned()],
        heads("destination", &destination),
        vec!["MB received".to_owned()],
    ];
    Table {
        name: format!("{}: requests", network.name()),
        head: head.concat(),
        rows: rows.iter().zip(&counted).map(row).collect(),
    }
}

/// Where ours takes more than another tool that copies in earnest.
fn shortfalls(results: &Results) -> String {
    let mut lines = Vec::new();
    for ours in results.measured.iter().filter(|measured| measured.tool == OURS) {
        let is_peer = |peer: &&Measured| peer.is_peer_of(ours) && !peer.tool.starts_with("floor");
        for peer in results.measured.iter().filter(is_peer) {
            lines.extend(worse("s of wall time", ours, peer, wall, 1.0));
            lines.extend(worse("s of CPU", ours, peer, processor, 1.0));
            lines.extend(worse("MB of memory", ours, peer, peak, 1e6));
        }
    }
    if lines.is_empty() {
        return format!("Nowhere does {OURS} take more time, CPU or memory than another tool here.\n");
    }
    format!("Where {OURS} takes more than another tool:\n\n{}\n", lines.join("\n"))
}

fn worse(what: &str, ours: &Measured, peer: &Measured, value: fn(&Run) -> f64, unit: f64) -> Option<String> {
    let (own, other) = (ours.median(value) / unit, peer.median(value) / unit);
    let (network, item, tool) = (ours.network.name(), item(ours), &peer.tool);
    (own > other).then(|| {
        format!("* {network}, {item}: {} {what}, {tool} {} ({:.2} times)", seconds(own), seconds(other), own / other)
    })
}

fn item(measured: &Measured) -> String {
    match measured.item.steps() {
        [_] => measured.item.name().to_owned(),
        _ => format!("{}, {}", measured.item.name(), measured.step.name()),
    }
}

fn wall(run: &Run) -> f64 {
    run.usage.wall_seconds
}

fn processor(run: &Run) -> f64 {
    run.usage.processor_seconds()
}

#[expect(clippy::cast_precision_loss, reason = "shown in megabytes")]
fn peak(run: &Run) -> f64 {
    run.usage.peak_bytes as f64
}

/// Three digits or so.
fn seconds(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}
