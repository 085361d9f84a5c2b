//! A line for each request, so that one can see what waits for what.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;

/// The file, which both registries append to. Times are milliseconds since 1970, so that the lines of both can be sorted
/// together.
#[derive(Clone)]
pub(super) struct Timeline {
    file: Arc<File>,
    role: Arc<str>,
}

/// A request under way; its line is written when this is dropped, which is when its answer has been handed to the kernel.
pub(super) struct Entry {
    timeline: Timeline,
    began: f64,
    answered: f64,
    what: String,
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

    /// A request has arrived.
    pub(super) fn begin(&self, kind: &str, path: &str) -> Entry {
        Entry {
            timeline: self.clone(),
            began: now(),
            answered: 0.0,
            what: format!("{kind}\t{path}"),
            status: 0,
        }
    }

    /// Writes a line of the harness, such as which run begins.
    pub(super) fn note(&self, text: &str) {
        self.write(&format!("{:.3}\t{}\t# {text}\n", now(), self.role));
    }

    /// One call, so that lines of two processes do not mix. A full disk costs lines, not the run.
    fn write(&self, line: &str) {
        let _ = (&*self.file).write_all(line.as_bytes());
    }
}

impl Entry {
    /// The answer begins: an upload has arrived in full.
    pub(super) fn answered(mut self, status: StatusCode) -> Self {
        (self.answered, self.status) = (now(), status.as_u16());
        self
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let Self {
            began,
            answered,
            what,
            status,
            timeline,
        } = self;
        let role = &timeline.role;
        let line = format!(
            "{began:.3}\t{role}\t{answered:.3}\t{:.3}\t{status}\t{what}\n",
            now()
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
