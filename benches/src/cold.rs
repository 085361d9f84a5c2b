//! Cold starts: how long each function takes from `exec` to its first request for work, and what it holds then.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::output;
use crate::statistics::{median, range};
use crate::table::{Table, digits};

const FUNCTIONS: [&str; 5] = ["ensure", "refresh", "replicate", "rescan", "rescue"];
/// How long a function that waits for work is left alone before its memory is read.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a function may take to ask for work.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which functions are started, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where the functions' binaries are; `cargo build --release --workspace --bins` makes them
    #[arg(long, value_name = "DIRECTORY", default_value = "target/release")]
    binaries: PathBuf,
    /// How often each is started
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
}

/// Starts each function several times, and prints what that took.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let head = [
        "function",
        "first poll ms",
        "least",
        "most",
        "idle MiB",
        "binary MB",
    ]
    .map(str::to_owned)
    .to_vec();
    let rows =
        FUNCTIONS.map(|function| row(function, &options.binaries.join(function), options.runs));
    let rows = rows.into_iter().collect::<Result<_, _>>()?;
    output::line(
        Table {
            name: format!("Cold starts: medians of {}", options.runs),
            head,
            rows,
        }
        .text(),
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "sizes of files fit")]
fn row(name: &str, binary: &Path, runs: u16) -> Result<Vec<String>, String> {
    let size_bytes = binary
        .metadata()
        .map_err(|error| format!("{}: {error}", binary.display()))?
        .len();
    let starts: Vec<Start> = (0..runs).map(|_| start(binary)).collect::<Result<_, _>>()?;
    let times: Vec<f64> = starts
        .iter()
        .map(|start| start.first_poll.as_secs_f64() * 1000.0)
        .collect();
    let memory: Vec<f64> = starts
        .iter()
        .map(|start| start.resident_kib as f64 / 1024.0)
        .collect();
    let (least, most) = range(&times);
    let numbers = [
        median(&times),
        least,
        most,
        median(&memory),
        size_bytes as f64 / 1e6,
    ]
    .map(digits);
    Ok([name.to_owned()].into_iter().chain(numbers).collect())
}

struct Start {
    first_poll: Duration,
    resident_kib: u64,
}

/// Ends the process that it holds.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `binary` beside a Runtime API that never has any work.
fn start(binary: &Path) -> Result<Start, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", binary.display());
    let api = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    api.set_nonblocking(true).map_err(failed)?;
    let address = api.local_addr().map_err(failed)?.to_string();
    let mut command = Command::new(binary);
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.envs([
        ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "benches"),
    ]);
    command.envs([
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
    ]);
    let began = Instant::now();
    let function = Running(command.spawn().map_err(failed)?);
    let _connection = first_poll(&api, began).map_err(failed)?;
    let first_poll = began.elapsed();
    std::thread::sleep(PAUSE);
    Ok(Start {
        first_poll,
        resident_kib: resident_kib(function.0.id())?,
    })
}

/// Waits for `GET …/invocation/next`, and keeps it waiting.
fn first_poll(api: &TcpListener, began: Instant) -> std::io::Result<TcpStream> {
    let mut connection = loop {
        match api.accept() {
            Err(error)
                if error.kind() == std::io::ErrorKind::WouldBlock && began.elapsed() < PATIENCE =>
            {
                std::thread::sleep(Duration::from_micros(50));
            }
            other => break other?.0,
        }
    };
    connection.set_nonblocking(false)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if head.starts_with(b"GET ") && head.windows(16).any(|part| part == b"/invocation/next") {
        Ok(connection)
    } else {
        Err(std::io::Error::other("its first request was not for work"))
    }
}

fn resident_kib(process: u32) -> Result<u64, String> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| format!("{path} tells no VmRSS"))
}
