//! A server as a child process that does not outlive its handle.

use std::{
    fs::{read_dir, read_to_string},
    io::{Read, Seek},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread::{panicking, sleep},
    time::Duration,
};

use tempfile::tempfile;
use tokio::net::TcpStream;

const START_TIMEOUT: Duration = Duration::from_mins(1);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A running child process and its log.
///
/// Dropping it ends the child and all processes that the child has started. A failing test prints the log.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: std::fs::File,
}

impl Process {
    /// Starts a server and waits until it accepts connections on `address`.
    ///
    /// # Panics
    /// When the server ends or does not listen within a minute; the log is printed.
    pub async fn serving(command: &mut Command, address: SocketAddr) -> Self {
        let mut process = Self::start(command);
        let attempts = START_TIMEOUT.as_millis() / POLL_INTERVAL.as_millis();
        for _ in 0..attempts {
            if TcpStream::connect(address).await.is_ok() {
                return process;
            }
            let ended = process.child.try_wait().expect("a child can be waited for");
            assert!(
                ended.is_none(),
                "{command:?} ended before it served on {address}"
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        panic!("{command:?} does not serve on {address}");
    }

    fn start(command: &mut Command) -> Self {
        let log = tempfile().expect("a log file can be made");
        let output = || Stdio::from(log.try_clone().expect("a file can be shared"));
        command
            .stdin(Stdio::null())
            .stdout(output())
            .stderr(output())
            .process_group(0);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self {
            name: command.get_program().to_string_lossy().into_owned(),
            child,
            log,
        }
    }

    /// The ids of the processes that the child has started.
    pub fn children(&self) -> Vec<u32> {
        let parent = format!("PPid:\t{}", self.child.id());
        let processes = read_dir("/proc").expect("Linux has /proc").flatten();
        let ids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
        ids.filter(|id| status(*id).lines().any(|line| line == parent))
            .collect()
    }

    /// Everything that the child has printed so far.
    pub fn log(&self) -> String {
        let mut text = Vec::new();
        let mut file = &self.log;
        file.rewind()
            .and_then(|()| file.read_to_end(&mut text))
            .expect("the log can be read");
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let orphans = self.children();
        signal("TERM", self.child.id());
        for _ in 0..100 {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                break;
            }
            sleep(POLL_INTERVAL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        orphans
            .into_iter()
            .filter(|orphan| !status(*orphan).is_empty())
            .for_each(|orphan| signal("KILL", orphan));
        if panicking() {
            eprintln!("== {}\n{}", self.name, self.log());
        }
    }
}

/// A loopback address with a free port.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a listener has an address")
}

/// The contents of `/proc/ID/status`; empty when the process has ended.
pub(super) fn status(id: u32) -> String {
    read_to_string(format!("/proc/{id}/status")).unwrap_or_default()
}

fn signal(name: &str, id: u32) {
    let _ = Command::new("sh")
        .arg("-c")
        .arg(format!("kill -s {name} {id}"))
        .stderr(Stdio::null())
        .status();
}
