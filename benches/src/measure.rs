//! What one run of a tool takes, in time, processor and memory.
//!
//! The kernel tells what ended children have used, and of memory only the most that any of them had. So each run has a parent of its own: this program in
//! another role, which starts nothing else. It is also small, which matters, because a child begins with its parent's peak.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{Usage as Resources, UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::{Deserialize, Serialize};

/// What a tool's processes used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// From start to end, in seconds.
    pub(crate) wall_seconds: f64,
    /// Processor time of the tool's processes together, in user and in system mode, in seconds.
    pub(crate) user_seconds: f64,
    pub(crate) system_seconds: f64,
    /// The most memory that one process had resident, in bytes.
    pub(crate) peak_bytes: u64,
    pub(crate) is_success: bool,
}

/// The role that starts a tool.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to write what was used
    #[arg(long)]
    usage: PathBuf,
    /// The tool and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// A tool to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) command: Vec<OsString>,
    pub(crate) environment: Vec<(String, OsString)>,
}

impl Call {
    /// Runs the tool in `directory`, which is empty and its home, and tells what it used; its output is in the error if it fails.
    pub(crate) fn run(&self, directory: &Path) -> Result<Usage, String> {
        let (usage, log) = (directory.join("usage.json"), directory.join("log.txt"));
        let broken =
            |error: &dyn std::fmt::Display| format!("cannot run {:?}: {error}", self.command);
        let output = File::create(&log)
            .and_then(|file| Ok((file.try_clone()?, file)))
            .map_err(|error| broken(&error))?;
        let program = std::env::current_exe().map_err(|error| broken(&error))?;
        let mut parent = Command::new(program);
        parent
            .arg("measure")
            .arg("--usage")
            .arg(&usage)
            .arg("--")
            .args(&self.command);
        parent
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(directory);
        parent
            .stdin(Stdio::null())
            .stdout(output.0)
            .stderr(output.1);
        parent.status().map_err(|error| broken(&error))?;
        let used: Option<Usage> = fs::read(&usage)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let said = || fs::read_to_string(&log).unwrap_or_default();
        match used {
            Some(used) if used.is_success => Ok(used),
            _ => Err(format!("{:?} failed:\n{}", self.command, tail(&said()))),
        }
    }
}

/// Starts the tool, waits for it, and writes what it used.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let (program, arguments) = options
        .command
        .split_first()
        .ok_or("there is nothing to run")?;
    let began = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .status()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let wall_seconds = began.elapsed().as_secs_f64();
    let resources = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let usage = Usage::of(wall_seconds, &resources, status.success());
    let bytes = serde_json::to_vec(&usage).expect("numbers are JSON");
    fs::write(&options.usage, bytes)
        .map_err(|error| format!("{}: {error}", options.usage.display()))
}

impl Usage {
    fn of(wall_seconds: f64, resources: &Resources, is_success: bool) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a run fit")]
        let seconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 / 1e6;
        Self {
            wall_seconds,
            user_seconds: seconds(resources.user_time()),
            system_seconds: seconds(resources.system_time()),
            // Linux counts it in kibibytes (getrusage(2)).
            peak_bytes: u64::try_from(resources.max_rss()).unwrap_or(0) * 1024,
            is_success,
        }
    }
}

/// The last lines of a log.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
