//! Measures the time, the processor time and the memory of one run of a tool.
//!
//! The kernel reports what all ended children of a process used, and the largest memory of any of
//! them. Each run therefore has its own parent process: this program with the subcommand `measure`,
//! which starts nothing else. It is small, because the peak of a child begins with that of its
//! parent.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde::{Deserialize, Serialize};

/// Lines of a failed tool's output that an error shows.
const TAIL_LINES: usize = 20;

/// What a tool's processes used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Time from start to end, in seconds.
    pub(crate) wall_seconds: f64,
    /// Processor time of all processes in user mode, in seconds.
    pub(crate) user_seconds: f64,
    /// Processor time of all processes in system mode, in seconds.
    pub(crate) system_seconds: f64,
    /// The largest resident memory of any one process, in bytes.
    pub(crate) peak_bytes: u64,
    pub(crate) is_success: bool,
}

/// Options of the parent process of a run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// File for the result
    #[arg(long)]
    usage: PathBuf,
    /// Tool and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// How to start a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolCommand {
    /// The program and its arguments.
    pub(crate) words: Vec<OsString>,
    pub(crate) environment: Vec<(String, OsString)>,
}

impl ToolCommand {
    /// Runs the tool in `directory`, which is empty and its home, and returns what it used. If the
    /// tool fails, the error has the end of its output.
    pub(crate) fn run(&self, directory: &Path) -> Result<Usage, String> {
        let usage_path = directory.join("usage.json");
        let log_path = directory.join("log.txt");
        self.run_parent(directory, &usage_path, &log_path)
            .map_err(|error| format!("cannot run {:?}: {error}", self.words))?;
        match read_usage(&usage_path) {
            Some(usage) if usage.is_success => Ok(usage),
            _ => {
                let log = fs::read_to_string(&log_path).unwrap_or_default();
                Err(format!("{:?} failed:\n{}", self.words, tail(&log)))
            }
        }
    }

    /// Starts the parent process of the run, and waits for it.
    fn run_parent(&self, directory: &Path, usage_path: &Path, log_path: &Path) -> io::Result<()> {
        let log = File::create(log_path)?;
        let mut parent = Command::new(std::env::current_exe()?);
        parent
            .arg("measure")
            .arg("--usage")
            .arg(usage_path)
            .arg("--")
            .args(&self.words)
            .envs(self.environment.iter().cloned())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        parent.status()?;
        Ok(())
    }
}

/// Runs the tool as a child of this process, and writes what it used.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let (program, arguments) = options
        .command
        .split_first()
        .ok_or("the command is empty")?;
    let start = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .status()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let wall_seconds = start.elapsed().as_secs_f64();
    let resources = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let usage = Usage {
        wall_seconds,
        user_seconds: seconds(resources.user_time()),
        system_seconds: seconds(resources.system_time()),
        // Linux counts in kibibytes (getrusage(2)).
        peak_bytes: u64::try_from(resources.max_rss()).unwrap_or(0) * 1024,
        is_success: status.success(),
    };
    let bytes = serde_json::to_vec(&usage).expect("numbers are JSON");
    fs::write(&options.usage, bytes)
        .map_err(|error| format!("{}: {error}", options.usage.display()))
}

fn read_usage(path: &Path) -> Option<Usage> {
    let bytes = fs::read(path).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a run fit")]
fn seconds(time: TimeVal) -> f64 {
    time.num_microseconds() as f64 / 1e6
}

/// The last lines of a log.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
