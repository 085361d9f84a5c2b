//! `benches` compares tools that copy container images from one registry to another.
//!
//! [`args`] has the commands and their options. [`compare`](mod@compare) runs a comparison. The
//! other modules, in reading order:
//!
//! * `item`, `image`, `content`: what is copied,
//! * `network`, `world`: the two registries and the network between, with `registry` (a registry
//!   that counts requests), `wan` (a proxy that simulates distance), `certificates` and `check`,
//! * `tool`, `job`: the tools, and the command line that makes each do a copy,
//! * `floor`: a tool of our own that does the least possible,
//! * `measure`: time and memory of one run,
//! * `results`, `statistics`: all runs, and their medians,
//! * `planning`, `cold`: the costs of planning and of starting a function, without copying,
//! * `report`, `table`, `shortfall`, `machine`: how results are shown.

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
mod lock;
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
    let result = match Args::parse().command {
        Command::Compare(options) => compare(options),
        Command::Serve(options) => serve::run(options),
        Command::Plan(options) => planning::run(&options),
        Command::Start(options) => cold::run(&options),
        Command::Registry(options) => registry::run(options),
        Command::Proxy(options) => wan::run(options),
        Command::Floor(options) => floor::run(&options),
        Command::Measure(options) => measure::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::stderr_line(error);
            ExitCode::FAILURE
        }
    }
}

fn compare(options: Compare) -> Result<(), String> {
    let machine = Machine::read();
    let lineup = Lineup::select(options.tool, &options.only, options.replicator.as_deref())?;
    let runs = usize::from(options.runs);
    let comparison = Comparison {
        items: options.item,
        networks: options.network,
        tools: lineup.tools,
        runs,
        rules: options.rules,
        distance: options.distance,
        timeline: options.timeline,
    };
    let (networks, measured) = comparison.run()?;
    let results = Results {
        machine,
        tools: lineup.descriptions,
        runs,
        networks,
        measured,
    };
    output::stdout_line(report::text(&results));
    if let Some(path) = options.markdown {
        report::write_markdown(&results, &path)?;
    }
    if let Some(path) = options.json {
        report::write_json(&results, &path)?;
    }
    Ok(())
}
