//! Cold starts: how long each function takes from `exec` to its first request for work, and how
//! much memory it then has.

use std::io::{self, ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::output;
use crate::statistics::{median, range};
use crate::table::{Table, digits};

const FUNCTIONS: [&str; 5] = ["ensure", "refresh", "replicate", "rescan", "rescue"];
/// Time between the first request of a function and the measurement of its memory.
const SETTLE_TIME: Duration = Duration::from_millis(200);
/// Time within which a function must request work.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two checks for a connection.
const ACCEPT_INTERVAL: Duration = Duration::from_micros(50);

/// Which functions are started, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Directory of the functions' binaries, from `cargo build --release --workspace --bins`
    #[arg(long, value_name = "DIRECTORY", default_value = "target/release")]
    binaries: PathBuf,
    /// Starts of each function
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
}

/// What was measured of one start.
struct Start {
    first_poll_ms: f64,
    resident_mib: f64,
}

/// A running function, which is killed when this is dropped.
struct RunningFunction {
    process: Child,
}

impl Drop for RunningFunction {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts each function several times, and prints the medians.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let head = [
        "function",
        "first poll ms",
        "least",
        "most",
        "idle MiB",
        "binary MB",
    ];
    let mut rows = Vec::new();
    for function in FUNCTIONS {
        let binary = options.binaries.join(function);
        rows.push(measure_function(function, &binary, options.runs)?);
    }
    let table = Table {
        name: format!("Cold starts: medians of {}", options.runs),
        head: head.map(str::to_owned).into(),
        rows,
    };
    output::stdout_line(table.text());
    Ok(())
}

/// The row of one function in the table.
fn measure_function(name: &str, binary: &Path, runs: u16) -> Result<Vec<String>, String> {
    let metadata = binary.metadata();
    let metadata = metadata.map_err(|error| format!("{}: {error}", binary.display()))?;
    #[expect(clippy::cast_precision_loss, reason = "shown in megabytes")]
    let binary_mb = metadata.len() as f64 / 1e6;

    let mut times_ms = Vec::new();
    let mut memory_mib = Vec::new();
    for _ in 0..runs {
        let start = measure_start(binary)?;
        times_ms.push(start.first_poll_ms);
        memory_mib.push(start.resident_mib);
    }
    let (least, most) = range(&times_ms);
    Ok(vec![
        name.to_owned(),
        digits(median(&times_ms)),
        digits(least),
        digits(most),
        digits(median(&memory_mib)),
        digits(binary_mb),
    ])
}

/// Starts `binary` with a Runtime API that never has work.
fn measure_start(binary: &Path) -> Result<Start, String> {
    let describe = |error: io::Error| format!("{}: {error}", binary.display());
    let api = TcpListener::bind("127.0.0.1:0").map_err(describe)?;
    api.set_nonblocking(true).map_err(describe)?;
    let api_address = api.local_addr().map_err(describe)?.to_string();
    let mut command = function_command(binary, &api_address);
    let start = Instant::now();
    let process = command.spawn().map_err(describe)?;
    let function = RunningFunction { process };
    let _connection = wait_for_first_poll(&api, start).map_err(describe)?;
    let first_poll_ms = start.elapsed().as_secs_f64() * 1000.0;
    thread::sleep(SETTLE_TIME);
    Ok(Start {
        first_poll_ms,
        resident_mib: resident_mib(function.process.id())?,
    })
}

fn function_command(binary: &Path, api_address: &str) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", api_address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "benches")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Waits for `GET …/invocation/next`. The function waits for a response while the returned
/// connection is open.
fn wait_for_first_poll(api: &TcpListener, start: Instant) -> io::Result<TcpStream> {
    let mut connection = accept(api, start)?;
    connection.set_nonblocking(false)?;
    connection.set_read_timeout(Some(START_TIMEOUT))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let is_poll =
        head.starts_with(b"GET ") && head.windows(16).any(|part| part == b"/invocation/next");
    if is_poll {
        Ok(connection)
    } else {
        Err(io::Error::other("its first request was not for work"))
    }
}

fn accept(api: &TcpListener, start: Instant) -> io::Result<TcpStream> {
    loop {
        match api.accept() {
            Ok((connection, _)) => return Ok(connection),
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            Err(error) if start.elapsed() >= START_TIMEOUT => return Err(error),
            Err(_) => thread::sleep(ACCEPT_INTERVAL),
        }
    }
}

/// The resident memory of a process.
fn resident_mib(process: u32) -> Result<f64, String> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    let kib = kib.ok_or_else(|| format!("{path} has no VmRSS"))?;
    Ok(kib / 1024.0)
}
