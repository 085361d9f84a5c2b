//! The outcomes of an invocation, and everything that is made of them. Pure.
//!
//! * [`report`]: the result JSON, with one entry for each requested tag,
//! * [`notice`]: events and messages about outcomes,
//! * [`metrics`]: the `CloudWatch` metrics,
//! * [`state`]: the record in the resource tags of a repository,
//! * [`retry_schedule`]: the deferred images that a schedule retries, and when.

pub mod metrics;
pub mod notice;
pub mod report;
pub mod retry_schedule;
pub mod state;
