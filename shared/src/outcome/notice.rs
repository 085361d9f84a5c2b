//! Notices: what EventBridge events and SNS messages say about the outcome for an image.

use std::fmt;

use crate::catalogue::SelectionResult;
use crate::outcome::report::{ImageReport, Policy, Status};
use crate::outcome::{Done, Outcome};
use crate::request::Trigger;

/// A notice about one image or selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The kind of notice.
    pub kind: NoticeKind,
    /// The entry of the result JSON, and the trigger as `cause`.
    pub detail: serde_json::Value,
}

/// The kinds of notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// The image was copied.
    Replicated,
    /// The copy failed; an operator has to act.
    Failed,
    /// The copy is deferred by a limit or a broken connection.
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
    /// The notice about `outcome`; `None` if every target is unchanged, queued or awaits a scan.
    /// The worker that copies a queued image sends its notice.
    pub fn from_outcome(outcome: &Outcome) -> Option<Self> {
        let report = ImageReport::from_outcome(outcome, Policy::Keep);
        let kind = match report.status {
            Status::Failed => NoticeKind::Failed,
            Status::Copied => NoticeKind::Replicated,
            Status::Stale | Status::Deferred if !is_pending(outcome) => NoticeKind::Deferred,
            Status::Unchanged | Status::Stale | Status::Deferred => return None,
        };
        Some(Self::new(kind, &report, &outcome.request.trigger))
    }

    /// The notice about a selection that gives no tags; `None` if it gives some.
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

/// Whether each target is unchanged, queued or awaits a scan.
fn is_pending(outcome: &Outcome) -> bool {
    outcome.targets.iter().all(|target| {
        matches!(
            target.result,
            Ok(Done::Unchanged | Done::Queued | Done::AwaitsScan)
        )
    })
}

/// A line of an SNS message.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |key: &str| self.detail[key].as_str().unwrap_or_default();
        let detail_type = self.kind.detail_type();
        write!(f, "{detail_type}: {} {}", text("image"), text("reason"))
    }
}
