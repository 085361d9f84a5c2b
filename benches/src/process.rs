//! Processes of the harness: the same program, started with another subcommand.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde::de::DeserializeOwned;

/// A running process. It ends when its standard input ends: when this value is dropped, or when
/// the harness is killed.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts this program with `arguments` and reads its first line: a JSON value with its
    /// addresses.
    pub(crate) fn start<T: DeserializeOwned>(arguments: &[OsString]) -> Result<(Self, T), String> {
        let program = std::env::current_exe()
            .map_err(|error| format!("cannot find this program: {error}"))?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| format!("cannot start {arguments:?}: {error}"))?;
        let output = child.stdout.take().expect("it is piped");
        let process = Self { child };
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        let addresses =
            serde_json::from_str(&line).map_err(|_| format!("{arguments:?} did not start"))?;
        Ok((process, addresses))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
