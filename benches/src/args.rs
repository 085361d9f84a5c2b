//! The command line: commands and their options.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::item::Item;
use crate::network::Network;
use crate::registry::Rules;
use crate::tool::Tool;
use crate::{cold, floor, measure, planning, registry, wan};

/// Compares tools that copy container images from registry to registry, on one machine in one run.
#[derive(Debug, Parser)]
#[command(name = "benches", after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  cargo run --release -p benches -- compare
  cargo run --release -p benches -- compare --item small,medium --network loopback,wan --runs 9
  cargo run --release -p benches -- compare \\
    --tool 'crane=crane copy --insecure {source} {destination}'
  cargo run --release -p benches -- serve --item small --network tls
  cargo run --release -p benches -- plan
  cargo run --release -p benches -- start

All images are synthetic. The two registries, the proxy that simulates a distance, and each tool
run as separate processes.";

const TEMPLATES: &str = "\
`sh -e` runs the command line of --tool: once per image if it has one of the first four
placeholders, else once per run.
  {source}, {destination}    image references, 127.0.0.1:PORT/repository:tag
  {repository}, {tag}        the parts of both references
  {source_registry}, {destination_registry}
                             127.0.0.1:PORT
  {ca}                       PEM file of the certificate authority on tls and tls-wan, else empty;
                             SSL_CERT_FILE has the same path
  {directory}                an empty directory, which is also HOME

Results: wall time, processor time and peak memory of the tool's processes, and the requests at each
registry. They are medians; the runs of the tools alternate. A destination that does not hold what
the source holds is an error.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure `replicator sync`, skopeo, the floor, and any other tool
    #[command(after_help = TEMPLATES)]
    Compare(Compare),
    /// Start the two registries, print their addresses and keep running, to run any tool by hand
    Serve(Serve),
    /// Measure how long it takes to read and to plan a large catalogue
    Plan(planning::Options),
    /// Measure how long each function takes from its start to its first request for work
    Start(cold::Options),
    /// Run one of the two registries
    #[command(hide = true)]
    Registry(registry::Options),
    /// Run the proxy between a tool and the registries
    #[command(hide = true)]
    Proxy(wan::Options),
    /// Copy images with the least possible work: read, hash and write
    #[command(hide = true)]
    Floor(floor::Options),
    /// Run one tool and record what it used
    #[command(hide = true)]
    Measure(measure::Options),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Compare {
    /// Items to copy
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "small,medium,large,multi,many"
    )]
    pub(crate) item: Vec<Item>,
    /// Networks between the tool and the registries
    #[arg(long, value_delimiter = ',', default_value = "loopback,tls,wan")]
    pub(crate) network: Vec<Network>,
    /// Measured runs of each tool, after one that is not measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) runs: u16,
    /// Another tool; may be given several times
    #[arg(long, value_name = "NAME=COMMAND LINE", value_parser = Tool::parse)]
    pub(crate) tool: Vec<Tool>,
    /// Measure only these tools: replicator, skopeo, floor, or a name given with --tool
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Path of the replicator binary [default: a release build of this checkout]
    #[arg(long, value_name = "PATH")]
    pub(crate) replicator: Option<PathBuf>,
    /// Write the tables to this file too; text outside its two `measured` markers is kept
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Write every run to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Append a line for each request: its start, the registry, the start and the end of the
    /// response, status, kind and path; times are in milliseconds since 1970
    #[arg(long, value_name = "FILE")]
    pub(crate) timeline: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: Rules,
    #[command(flatten)]
    pub(crate) distance: wan::Distance,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// Items that the source holds
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "small,medium,large,multi,many"
    )]
    pub(crate) item: Vec<Item>,
    /// Network between the tool and the registries
    #[arg(long, default_value = "loopback")]
    pub(crate) network: Network,
    /// Append a line for each request, like `compare`
    #[arg(long, value_name = "FILE")]
    pub(crate) timeline: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: Rules,
    #[command(flatten)]
    pub(crate) distance: wan::Distance,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }
}
