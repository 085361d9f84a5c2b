//! What can be asked on the command line.

use clap::{Parser, Subcommand};
use image_replicator::settings::Location;

/// Copies container images from Docker Hub, or any registry, into Amazon ECR, or any registry; what is level costs no pull.
#[derive(Debug, Parser)]
#[command(version, name = "replicator", after_help = ENVIRONMENT)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The catalogue: a file, `file:PATH`, or `ssm:/path` for all parameters below it. Default: `$REPLICATOR_CATALOGUE`
    #[arg(long, global = true, value_name = "WHERE", value_parser = location)]
    pub(crate) catalogue: Option<Location>,
    /// Print one JSON document on standard output instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

const ENVIRONMENT: &str = "\
Environment:
  REPLICATOR_CATALOGUE          the catalogue, as for --catalogue
  REPLICATOR_DOCKER_HUB_SECRET  name or ARN of a Secrets Manager secret {\"username\",\"accessToken\"}
  REPLICATOR_QUOTA_RESERVE      pulls of Docker Hub's quota that are left to others: 10% or a number
  REPLICATOR_HASHING            who checks blobs on their way: here, or destination
  REPLICATOR_QUEUE_URL          the queue that `ensure` sends to; none: it copies by itself
  REPLICATOR_REGISTRY_ENDPOINTS host=url pairs for registries that are served from elsewhere
  HTTPS_PROXY, NO_PROXY, …      an HTTP proxy, http://host:port
  AWS_REGION, AWS_PROFILE, …    as for every AWS tool
  RUST_LOG                      what is logged on standard error, for example `replicator=debug`

Exit code: 0 when every image is as asked, 1 when one is not, 2 when the question makes no sense.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring the mirror level with upstream: all of the catalogue, or the images named
    #[command(
        after_help = "Examples:\n  replicator sync --catalogue catalogue.yaml\n  replicator sync node:21-alpine --to private"
    )]
    Sync(Wanted),
    /// Say what `sync` would do, and why each tag is selected or not, and do nothing
    Plan(Wanted),
    /// Make sure that images can be pulled from the mirror, and print the names to pull
    #[command(
        after_help = "Example, in a buildspec:\n  answer=$(replicator ensure --json node:21-alpine) && export NODE=$(echo \"$answer\" | jq -r '.images[0].targets[0].uri')"
    )]
    Ensure(Ensure),
    /// Show the sync state that the tags of the mirror's repositories record
    Status {
        /// Images, as in a Dockerfile; none: all of the catalogue
        images: Vec<String>,
    },
    /// Show the whole on this machine: a Docker Hub, an Amazon ECR and a queue of our own, and a night's work on them
    Demo {
        /// Keep the mirror up afterwards, for `docker pull`
        #[arg(long)]
        serve: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Wanted {
    /// Images with a tag or a digest, as in a Dockerfile; none: all of the catalogue
    pub(crate) images: Vec<String>,
    /// Destinations, by their names in the catalogue; none: as the catalogue says
    #[arg(long, value_name = "NAME", requires = "images", value_delimiter = ',')]
    pub(crate) to: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Ensure {
    /// Images with a tag or a digest, as in a Dockerfile
    #[arg(required = true)]
    pub(crate) images: Vec<String>,
    /// The longest time that copying may take, in seconds
    #[arg(long, default_value_t = 300)]
    pub(crate) wait_seconds: u64,
    /// Fail rather than use an older copy when upstream cannot be read
    #[arg(long)]
    pub(crate) no_stale: bool,
}

/// A path without a prefix is what people type.
fn location(text: &str) -> Result<Location, String> {
    if text.starts_with("ssm:") || text.starts_with("file:") {
        Location::parse(text)
    } else {
        Ok(Location::File(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_catalogue_is_a_path_or_says_what_it_is() {
        assert_eq!(location("c.yaml"), Ok(Location::File("c.yaml".into())));
        assert_eq!(location("ssm:/x"), Ok(Location::Ssm("/x".to_owned())));
        assert!(location("ssm:x").is_err());
    }
}
