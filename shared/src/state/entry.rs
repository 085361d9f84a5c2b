//! What is remembered of one tag.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::time;
use crate::digest::Digest;

/// What is remembered of one tag: `<upstream digest> <status> <RFC 3339>`, and a note where there is one; a digest that nobody
/// could find out is `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The upstream digest.
    pub digest: Option<Digest>,
    /// What became of the tag.
    pub status: EntryStatus,
    /// When that was.
    pub at: Timestamp,
    /// What a scan found, such as `critical=1 high=3`; empty otherwise.
    pub note: String,
}

/// What became of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryStatus {
    /// Level with upstream.
    Ok,
    /// To be tried again by itself.
    Deferred,
    /// Somebody has to look at it.
    Failed,
    /// Level with upstream, and a scan found what upstream has not mended yet.
    WaitingForUpstream,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digest.as_ref().map_or("-", Digest::as_str);
        write!(f, "{digest} {} {}", self.status, time(self.at))?;
        if self.note.is_empty() { Ok(()) } else { write!(f, " {}", self.note) }
    }
}

impl FromStr for Entry {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.splitn(4, ' ');
        let (Some(digest), Some(status), Some(at)) = (words.next(), words.next(), words.next()) else { return Err(()) };
        let note = words.next().unwrap_or_default().to_owned();
        let digest = if digest == "-" { None } else { Some(digest.parse().map_err(|_| ())?) };
        Ok(Self { digest, status: status.parse()?, at: at.parse().map_err(|_| ())?, note })
    }
}

impl fmt::Display for EntryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Deferred => "deferred",
            Self::Failed => "failed",
            Self::WaitingForUpstream => "waiting-for-upstream",
        })
    }
}

impl EntryStatus {
    /// Whether the tag has upstream's digest.
    pub fn is_level(self) -> bool {
        matches!(self, Self::Ok | Self::WaitingForUpstream)
    }
}

impl FromStr for EntryStatus {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "ok" => Ok(Self::Ok),
            "deferred" => Ok(Self::Deferred),
            "failed" => Ok(Self::Failed),
            "waiting-for-upstream" => Ok(Self::WaitingForUpstream),
            _ => Err(()),
        }
    }
}
