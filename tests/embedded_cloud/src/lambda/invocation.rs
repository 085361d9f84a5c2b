//! An invocation on its way through the environment: offered, taken, answered.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;

use super::{FunctionError, function_arn};
use crate::aws::unique_id;

type Answer = Result<Value, FunctionError>;

/// An event that waits for the function to ask for work.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) id: String,
    pub(super) event: Value,
    deadline: Duration,
    taken: oneshot::Sender<()>,
    answer: oneshot::Sender<Answer>,
}

/// An event that the function works on.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: String,
    answer: oneshot::Sender<Answer>,
}

impl Offer {
    /// An offer, the news that it was taken, and the answer to it.
    pub(super) fn new(
        event: Value,
        deadline: Duration,
    ) -> (Self, oneshot::Receiver<()>, oneshot::Receiver<Answer>) {
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

    /// Whether the invoker has given up.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.answer.is_closed()
    }

    /// The headers that come with the event. The deadline counts from now.
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

    pub(super) fn take(self) -> Running {
        // Nobody listens any more if the invoker gave up just now: the answer will be dropped as well.
        self.taken.send(()).unwrap_or_default();
        Running {
            id: self.id,
            answer: self.answer,
        }
    }

    pub(super) fn refuse(self, error: FunctionError) {
        self.answer.send(Err(error)).unwrap_or_default();
    }
}

impl Running {
    pub(super) fn answer(self, answer: Answer) {
        self.answer.send(answer).unwrap_or_default();
    }
}
