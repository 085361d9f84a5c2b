//! What can be asked on the command line.

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
  cargo run --release -p benches -- compare --tool 'crane=crane copy --insecure {source} {destination}'
  cargo run --release -p benches -- serve --item small --network tls
  cargo run --release -p benches -- plan
  cargo run --release -p benches -- start

All images are synthetic. Both registries, the proxy that stands for a distance, and each tool are processes of their own.";

const TEMPLATES: &str = "\
A command line of --tool is run by `sh -e`, once for each image, or once if it names none of an image's placeholders:
  {source}, {destination}    image references, 127.0.0.1:PORT/repository:tag
  {repository}, {tag}        their parts
  {source_registry}, {destination_registry}
                             127.0.0.1:PORT
  {ca}                       PEM file of the certificate authority on tls and tls-wan, else empty; SSL_CERT_FILE says it too
  {directory}                an empty directory, which is also HOME

Results: wall time, processor time and peak memory of the tool's processes, and what was asked of each registry; medians of
the runs, which take turns. A copy that arrives wrong is an error.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure `replicator sync`, skopeo, the floor, and any other tool
    #[command(after_help = TEMPLATES)]
    Compare(Compare),
    /// Start the two registries, print their addresses, and stay up, to run any tool by hand
    Serve(Serve),
    /// Measure how long it takes to read a large catalogue and to plan all of it
    Plan(planning::Options),
    /// Measure how long each function takes until it asks for work
    Start(cold::Options),
    /// One of the two registries
    #[command(hide = true)]
    Registry(registry::Options),
    /// The line between a tool and the registries
    #[command(hide = true)]
    Proxy(wan::Options),
    /// The program that does nothing but read, hash and write
    #[command(hide = true)]
    Floor(floor::Options),
    /// The parent of one run
    #[command(hide = true)]
    Measure(measure::Options),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Compare {
    /// What is copied
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "small,medium,large,multi,many"
    )]
    pub(crate) item: Vec<Item>,
    /// What lies between
    #[arg(long, value_delimiter = ',', default_value = "loopback,tls,wan")]
    pub(crate) network: Vec<Network>,
    /// Runs of each tool, besides one that is not measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) runs: u16,
    /// One more tool; may be given several times
    #[arg(long, value_name = "NAME=COMMAND LINE", value_parser = Tool::parse)]
    pub(crate) tool: Vec<Tool>,
    /// Measure these tools alone, by their names: replicator, skopeo, floor, or one of --tool
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// The binary to measure [default: the release build of this checkout, made now]
    #[arg(long, value_name = "PATH")]
    pub(crate) replicator: Option<PathBuf>,
    /// Write the tables there too; a file with the two marks keeps what is around them
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Write every run there
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Append a line for each request: start, registry, start of the answer, end (milliseconds since 1970), status, what was asked
    #[arg(long, value_name = "FILE")]
    pub(crate) timeline: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: Rules,
    #[command(flatten)]
    pub(crate) distance: wan::Distance,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// What the source holds
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "small,medium,large,multi,many"
    )]
    pub(crate) item: Vec<Item>,
    /// What lies between
    #[arg(long, default_value = "loopback")]
    pub(crate) network: Network,
    /// Append a line for each request, as `compare` does
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
