//! What became of a run: outcomes, and everything that is made of them. Pure.
//!
//! * [`report`]: the result JSON, one answer for each requested tag,
//! * [`notice`]: events for those who subscribe to them,
//! * [`metrics`]: the line for CloudWatch,
//! * [`state`]: the record in the resource tags of a repository,
//! * [`retry_schedule`]: which deferred images are tried again, and when.

pub mod metrics;
pub mod notice;
pub mod report;
pub mod retry_schedule;
pub mod state;
