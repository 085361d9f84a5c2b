//! `replicator`: the engine of the Lambda functions on a laptop or in any CI, and a demonstration of the whole.
//!
//! Read [`args`] for what can be asked, then the module of each command.

mod args;
#[cfg(feature = "demo")]
mod demo;
mod output;
mod status;
mod sync;

use std::process::ExitCode;

use clap::Parser;
use image_replicator::aws::Aws;
use image_replicator::engine::Replicator;
use image_replicator::error::{Cause, Error, Side};
use image_replicator::settings::{Location, Settings};
use tracing_subscriber::EnvFilter;

use args::{Args, Command};

/// Exit code: something is not as requested; the output says what.
const FAILED: u8 = 1;
/// Exit code: an argument, a setting or the catalogue is invalid. `clap` uses the same.
const BAD_USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .init();
    match Box::pin(run(args)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => {
            output::complain(error.chain());
            let is_usage = error.side() == Side::Configuration && *error.cause() == Cause::Invalid;
            ExitCode::from(if is_usage { BAD_USAGE } else { FAILED })
        }
    }
}

/// Runs the command. Returns whether everything is as requested.
async fn run(args: Args) -> Result<bool, Error> {
    let is_json = args.json;
    match args.command {
        #[cfg(feature = "demo")]
        Command::Demo { serve } => demo::run(serve).await,
        Command::Sync(images) => sync::sync(&replicator(args.catalogue)?, &images, is_json).await,
        Command::Plan(images) => {
            sync::show_plan(&replicator(args.catalogue)?, &images, is_json).await
        }
        Command::Ensure(ensure) => {
            sync::ensure(&replicator(args.catalogue)?, ensure, is_json).await
        }
        Command::Status { images } => {
            status::show(&replicator(args.catalogue)?, images, is_json).await
        }
    }
}

/// The replicator with the settings of the environment, and with `catalogue` if that was named.
fn replicator(catalogue: Option<Location>) -> Result<Replicator, Error> {
    let mut settings = Settings::from_env()?;
    settings.catalogue = catalogue.or(settings.catalogue);
    Replicator::new(settings, Aws::default())
}
