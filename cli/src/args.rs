//! The command line: commands and their options.

use clap::{Parser, Subcommand};
use image_replicator::settings::Location;

/// Copies container images from Docker Hub, or another registry, to Amazon ECR, or another
/// registry. An image that is up to date costs no pull.
#[derive(Debug, Parser)]
#[command(version, name = "replicator", after_help = ENVIRONMENT)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Catalogue to read: PATH, `file:PATH`, or `ssm:/PATH` for all parameters below a path of the
    /// Systems Manager Parameter Store [default: `REPLICATOR_CATALOGUE`]
    #[arg(long, global = true, value_name = "WHERE", value_parser = location)]
    pub(crate) catalogue: Option<Location>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

const ENVIRONMENT: &str = "\
Environment:
  REPLICATOR_CATALOGUE          the catalogue, if --catalogue is not given
  REPLICATOR_DOCKER_HUB_SECRET  name or ARN of a Secrets Manager secret with Docker Hub credentials:
                                {\"username\": …, \"accessToken\": …} (default: anonymous pulls)
  REPLICATOR_QUOTA_RESERVE      pulls of Docker Hub's quota to leave unused: a number, or a share
                                such as 10% (the default)
  REPLICATOR_HASHING            where the digests of blobs are verified: by replicator (`here`, the
                                default), or only by the registry (`destination`)
  REPLICATOR_QUEUE_URL          URL of an SQS queue to which `ensure` sends images, so that a worker
                                copies them (default: `ensure` copies them itself)
  REPLICATOR_REGISTRY_ENDPOINTS other URLs for registries: HOST=URL, separated by commas
  HTTPS_PROXY, NO_PROXY, …      an HTTP proxy: http://HOST:PORT
  AWS_REGION, AWS_PROFILE, …    region and credentials, as for the AWS CLI
  RUST_LOG                      what to log on standard error, such as `image_replicator=debug`

Exit status:
  0  every image is in the requested state
  1  at least one image is not, or the command failed
  2  the command line, a setting or the catalogue is invalid";

const SYNC_EXAMPLES: &str = "\
Examples:
  replicator sync --catalogue catalogue.yaml
  replicator sync --catalogue catalogue.yaml node:21-alpine --to private";

const PLAN_EXAMPLES: &str = "\
Examples:
  replicator plan --catalogue catalogue.yaml
  replicator plan --catalogue catalogue.yaml node:21-alpine";

const ENSURE_EXAMPLES: &str = "\
Example, in a buildspec:
  result=$(replicator ensure --json node:21-alpine)
  export NODE=$(echo \"$result\" | jq -r '.images[0].targets[0].uri')";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Copy what is missing or out of date in the mirror: the whole catalogue, or the images given
    #[command(after_help = SYNC_EXAMPLES)]
    Sync(ImageArgs),
    /// Show what `sync` would do, and why each tag is selected or not, without copying anything
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(ImageArgs),
    /// Make images available in the mirror, and print the references to pull
    #[command(after_help = ENSURE_EXAMPLES)]
    Ensure(EnsureArgs),
    /// Show the sync state that is recorded in the resource tags of the mirror's repositories
    Status {
        /// Images, written as in a Dockerfile [default: the whole catalogue]
        images: Vec<String>,
    },
    /// Run all functions on this machine, with a Docker Hub, an Amazon ECR and a queue in memory
    #[cfg(feature = "demo")]
    Demo {
        /// Keep the mirror running afterwards, for `docker pull`
        #[arg(long)]
        serve: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImageArgs {
    /// Images with a tag or a digest, written as in a Dockerfile [default: the whole catalogue]
    pub(crate) images: Vec<String>,
    /// Names of destinations in the catalogue [default: those that the catalogue sets]
    #[arg(long, value_name = "NAME", requires = "images", value_delimiter = ',')]
    pub(crate) to: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EnsureArgs {
    /// Images with a tag or a digest, written as in a Dockerfile
    #[arg(required = true)]
    pub(crate) images: Vec<String>,
    /// Time limit for the copies, in seconds
    #[arg(long, default_value_t = 300)]
    pub(crate) wait_seconds: u64,
    /// Fail if upstream cannot be read, instead of using an older copy in the mirror
    #[arg(long)]
    pub(crate) no_stale: bool,
}

/// Parses a location. Without a prefix it is the path of a file.
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
    fn a_location_without_a_prefix_is_a_file() {
        assert_eq!(location("c.yaml"), Ok(Location::File("c.yaml".into())));
        assert_eq!(location("ssm:/x"), Ok(Location::Ssm("/x".to_owned())));
        assert!(location("ssm:x").is_err());
    }
}
