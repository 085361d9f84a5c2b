//! The timeline: a file with a line for each request, which shows the order of requests.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;

/// A file that both registries append to. Times are in milliseconds since 1970, so that the lines
/// of both can be sorted together.
#[derive(Clone)]
pub(super) struct Timeline {
    file: Arc<File>,
    role: Arc<str>,
}

/// A request in progress. Its line is written when this is dropped: after the last piece of the
/// response was passed to the server.
pub(super) struct Entry {
    timeline: Timeline,
    start: f64,
    response_start: f64,
    kind_and_path: String,
    status: u16,
}

impl Timeline {
    pub(super) fn open(path: &Path, role: String) -> Result<Self, String> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self {
            file: Arc::new(file),
            role: role.into(),
        })
    }

    /// Begins the entry of a request that has arrived.
    pub(super) fn begin(&self, kind: &str, path: &str) -> Entry {
        Entry {
            timeline: self.clone(),
            start: now(),
            response_start: 0.0,
            kind_and_path: format!("{kind}\t{path}"),
            status: 0,
        }
    }

    /// Writes a line of the harness, such as the name of the run that begins.
    pub(super) fn note(&self, text: &str) {
        self.write(&format!("{:.3}\t{}\t# {text}\n", now(), self.role));
    }

    /// Writes a line in one call, so that the lines of two processes do not mix. Errors are
    /// ignored: a full disk does not stop the run.
    fn write(&self, line: &str) {
        let _ = (&*self.file).write_all(line.as_bytes());
    }
}

impl Entry {
    /// Records the start of the response; by then an upload was received completely.
    pub(super) fn begin_response(mut self, status: StatusCode) -> Self {
        self.response_start = now();
        self.status = status.as_u16();
        self
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let Self {
            start,
            response_start,
            kind_and_path,
            status,
            timeline,
        } = self;
        let role = &timeline.role;
        let end = now();
        let line = format!(
            "{start:.3}\t{role}\t{response_start:.3}\t{end:.3}\t{status}\t{kind_and_path}\n"
        );
        timeline.write(&line);
    }
}

/// Milliseconds since 1970.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64() * 1000.0)
}
