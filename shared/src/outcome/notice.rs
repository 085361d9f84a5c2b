//! Notices: news of an image, for those who want to be told.

use std::fmt;

use crate::catalogue::SelectionResult;
use crate::outcome::report::{Done, ImageReport, Outcome, Policy, Status};
use crate::request::Trigger;

/// TagUpdate of one image, for those who want to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What kind of news.
    pub kind: NoticeKind,
    /// The image's entry of the result JSON, and `cause`: what asked for the copy.
    pub detail: serde_json::Value,
}

/// The kinds of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// A copy was made.
    Replicated,
    /// Somebody has to look at it.
    Failed,
    /// A limit or a broken connection put it off.
    Deferred,
}

impl NoticeKind {
    /// The `detail-type` of the EventBridge event.
    pub fn detail_type(self) -> &'static str {
        match self {
            Self::Replicated => "Image Replicated",
            Self::Failed => "Image Replication Failed",
            Self::Deferred => "Image Replication Deferred",
        }
    }
}

impl Notice {
    /// What is new about `outcome`; `None` where nothing happened: unchanged, or only handed to the queue.
    pub fn from_outcome(outcome: &Outcome) -> Option<Self> {
        let report = ImageReport::from_outcome(outcome, Policy::Keep);
        let is_pending = outcome.places.iter().all(|place| {
            matches!(
                place.result,
                Ok(Done::Queued | Done::AwaitsScan | Done::Unchanged)
            )
        });
        let kind = match report.status {
            Status::Failed => NoticeKind::Failed,
            Status::Unchanged => return None,
            Status::Copied => NoticeKind::Replicated,
            Status::Stale | Status::Deferred if is_pending => return None,
            Status::Stale | Status::Deferred => NoticeKind::Deferred,
        };
        Some(Self::new(kind, &report, &outcome.trigger))
    }

    /// What is new about a selection; `None` where it takes tags.
    pub fn from_selection(selected: &SelectionResult, trigger: &Trigger) -> Option<Self> {
        let report = ImageReport::from_selection(selected)?;
        let kind = if report.status == Status::Failed {
            NoticeKind::Failed
        } else {
            NoticeKind::Deferred
        };
        Some(Self::new(kind, &report, trigger))
    }

    fn new(kind: NoticeKind, report: &ImageReport, trigger: &Trigger) -> Self {
        let mut detail = serde_json::to_value(report).unwrap_or_default();
        detail["cause"] = serde_json::to_value(trigger).unwrap_or_default();
        Self { kind, detail }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |key: &str| self.detail[key].as_str().unwrap_or_default().to_owned();
        write!(
            f,
            "{}: {} {}",
            self.kind.detail_type(),
            text("image"),
            text("reason")
        )
    }
}
