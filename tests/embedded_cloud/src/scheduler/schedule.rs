//! A stored schedule.

use jiff::Timestamp;
use serde_json::Value;

use super::ScheduleView;
use super::delivery;
use super::draft::{AfterCompletion, Draft, Readiness};
use super::key::Key;
use crate::aws::AwsError;

#[derive(Debug)]
pub(super) struct Schedule {
    draft: Draft,
    at: Timestamp,
    created: Timestamp,
    modified: Timestamp,
    delivered: bool,
}

impl Schedule {
    /// A schedule from a checked draft. AWS does not document what happens to a time in the past;
    /// refusing it is the stricter choice.
    pub(super) fn new(draft: Draft, now: Timestamp) -> Result<Self, AwsError> {
        let at = draft.at()?;
        if at <= now {
            return Err(draft.bad_expression());
        }
        Ok(Self {
            draft,
            at,
            created: now,
            modified: now,
            delivered: false,
        })
    }

    /// Replaces every field: "that field will be set to its system-default value after the update"
    /// (`UpdateSchedule`).
    pub(super) fn replace(&mut self, draft: Draft, now: Timestamp) -> Result<(), AwsError> {
        *self = Self {
            created: self.created,
            ..Self::new(draft, now)?
        };
        Ok(())
    }

    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        !self.delivered && self.draft.state == Readiness::Enabled && self.at <= now
    }

    /// The ARN of the target and the event for it.
    pub(super) fn deliver(&mut self) -> (String, Value) {
        self.delivered = true;
        let event = delivery::event(
            self.draft.target.input.as_deref(),
            &self.draft.key().arn(),
            self.at,
        );
        (self.draft.target.arn.clone(), event)
    }

    pub(super) fn goes_when_done(&self) -> bool {
        self.draft.action_after_completion == AfterCompletion::Delete
    }

    /// The output of `GetSchedule`.
    pub(super) fn describe(&self) -> Value {
        let mut output = serde_json::to_value(&self.draft).expect("a draft has text keys");
        output["Arn"] = self.draft.key().arn().into();
        output["CreationDate"] = self.created.as_second().into();
        output["LastModificationDate"] = self.modified.as_second().into();
        output
    }

    pub(super) fn view(&self) -> ScheduleView {
        let Key { group, name } = self.draft.key();
        let target = &self.draft.target;
        ScheduleView {
            name,
            group,
            at: self.at,
            input: target.input.clone().unwrap_or_default(),
            target_arn: target.arn.clone(),
            role_arn: target.role_arn.clone(),
            action_after_completion: self.draft.action_after_completion.word(),
        }
    }
}
