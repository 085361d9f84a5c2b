//! The states of an invocation: pending, running, finished.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;

use super::{FunctionError, function_arn};
use crate::aws::unique_id;

type InvocationResult = Result<Value, FunctionError>;

/// An event that no function has taken yet.
#[derive(Debug)]
pub(super) struct PendingInvocation {
    pub(super) id: String,
    pub(super) event: Value,
    deadline: Duration,
    taken: oneshot::Sender<()>,
    answer: oneshot::Sender<InvocationResult>,
}

/// An event that the function is processing.
#[derive(Debug)]
pub(super) struct RunningInvocation {
    pub(super) id: String,
    answer: oneshot::Sender<InvocationResult>,
}

impl PendingInvocation {
    /// An invocation, the signal that it was taken, and its result.
    pub(super) fn new(
        event: Value,
        deadline: Duration,
    ) -> (
        Self,
        oneshot::Receiver<()>,
        oneshot::Receiver<InvocationResult>,
    ) {
        let (taken, was_taken) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        (
            Self {
                id: unique_id(),
                event,
                deadline,
                taken,
                answer,
            },
            was_taken,
            answered,
        )
    }

    /// Whether the invoker no longer waits.
    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// The headers of the event. The deadline counts from now.
    pub(super) fn headers(&self) -> [(&'static str, String); 4] {
        let deadline = Timestamp::now() + self.deadline;
        [
            ("lambda-runtime-aws-request-id", self.id.clone()),
            (
                "lambda-runtime-deadline-ms",
                deadline.as_millisecond().to_string(),
            ),
            ("lambda-runtime-invoked-function-arn", function_arn()),
            (
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"
                    .to_owned(),
            ),
        ]
    }

    pub(super) fn take(self) -> RunningInvocation {
        // The invoker may have stopped waiting; then the result is dropped as well.
        self.taken.send(()).unwrap_or_default();
        RunningInvocation {
            id: self.id,
            answer: self.answer,
        }
    }

    pub(super) fn refuse(self, error: FunctionError) {
        self.answer.send(Err(error)).unwrap_or_default();
    }
}

impl RunningInvocation {
    pub(super) fn answer(self, answer: InvocationResult) {
        self.answer.send(answer).unwrap_or_default();
    }
}
