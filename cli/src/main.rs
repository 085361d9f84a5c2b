//! `replicator`: the engine of the Lambda functions on a laptop or in any CI, and a demonstration of the whole.
//!
//! Read [`args`] for what can be asked, then the module of each command.

mod args;
mod demo;
mod output;
mod status;
mod sync;

use std::process::ExitCode;

use clap::Parser;
use image_replicator::aws::Aws;
use image_replicator::engine::Replicator;
use image_replicator::error::{Cause, Error, Side};
use image_replicator::settings::Settings;
use tracing_subscriber::EnvFilter;

use args::{Args, Command};

/// Something failed; it was said what.
const FAILED: u8 = 1;
/// What was asked makes no sense as it is: an argument, a setting or the catalogue. `clap` uses the same.
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

/// Whether everything that was asked for holds.
async fn run(args: Args) -> Result<bool, Error> {
    if let Command::Demo { serve } = args.command {
        return demo::run(serve).await;
    }
    let mut settings = Settings::from_env().map_err(|problems| {
        Error::new(Side::Configuration, Cause::Invalid, "start").because(problems)
    })?;
    settings.catalogue = args.catalogue.or(settings.catalogue);
    let replicator = Replicator::new(settings, Aws::default())?;
    match args.command {
        Command::Sync(wanted) => sync::sync(&replicator, &wanted, args.json).await,
        Command::Plan(wanted) => sync::show_plan(&replicator, &wanted, args.json).await,
        Command::Ensure(wanted) => sync::ensure(&replicator, wanted, args.json).await,
        Command::Status { images } => status::show(&replicator, &images, args.json).await,
        Command::Demo { .. } => unreachable!("the demo has run without settings"),
    }
}
