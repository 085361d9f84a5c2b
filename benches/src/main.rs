//! `benches`: compares tools that copy container images from registry to registry.
//!
//! Read [`args`] for what can be asked, then [`compare`](mod@compare), the story; what it is made of, in reading order:
//!
//! * `item`, `image`, `content`: what is copied,
//! * `network`, `world`: where, with `registry` (a counting registry), `wan` (a line with a distance), `certificates`, `check`,
//! * `tool`, `job`: who copies, and how it is told what; `floor`, a tool of our own that does the least,
//! * `measure`: what one run took; `results`, `statistics`: what all of them came to,
//! * `planning`: what deciding costs, apart from copying; `cold`: what a start costs,
//! * `report`, `table`, `shortfall`, `machine`: how that is shown.

mod args;
mod certificates;
mod check;
mod cold;
mod compare;
mod content;
mod floor;
mod http;
mod image;
mod item;
mod job;
mod lineup;
mod machine;
mod measure;
mod network;
mod output;
mod planning;
mod process;
mod registry;
mod report;
mod results;
mod serve;
mod shortfall;
mod statistics;
mod table;
mod tool;
mod wan;
mod world;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command, Compare};
use compare::Comparison;
use lineup::Lineup;
use machine::Machine;
use results::Results;

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Compare(asked) => compare(asked),
        Command::Serve(asked) => serve::run(asked),
        Command::Plan(options) => planning::run(&options),
        Command::Start(options) => cold::run(&options),
        Command::Registry(options) => registry::run(options),
        Command::Proxy(options) => wan::run(options),
        Command::Floor(options) => floor::run(&options),
        Command::Measure(options) => measure::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(error);
            ExitCode::FAILURE
        }
    }
}

fn compare(asked: Compare) -> Result<(), String> {
    let machine = Machine::this();
    let Lineup { tools, described } =
        Lineup::of(asked.tool, &asked.only, asked.replicator.as_deref())?;
    let runs = usize::from(asked.runs);
    let Compare {
        item: items,
        network: networks,
        rules,
        distance,
        timeline,
        ..
    } = asked;
    let comparison = Comparison {
        items,
        networks,
        tools,
        runs,
        rules,
        distance,
        timeline,
    };
    let (networks, measured) = comparison.run()?;
    let results = Results {
        machine,
        tools: described,
        runs,
        networks,
        measured,
    };
    output::line(report::text(&results));
    asked
        .markdown
        .map_or(Ok(()), |path| report::write_markdown(&results, &path))?;
    asked
        .json
        .map_or(Ok(()), |path| report::write_json(&results, &path))
}
