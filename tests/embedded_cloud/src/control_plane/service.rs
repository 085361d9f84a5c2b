//! The AWS services: how requests name them, and what they require of a request.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::scope::Scope;
use super::scope::forbidden;
use super::{query, rest};
use crate::aws::{ActionResult, AwsError, HOME_REGION};

/// A service of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Ecr,
    EcrPublic,
    Secrets,
    Parameters,
    Sqs,
    Events,
    Scheduler,
    Sns,
    Logs,
}

impl Service {
    /// The service whose actions have this prefix in the `X-Amz-Target` header.
    pub(super) fn from_target_prefix(prefix: &str) -> Option<Self> {
        match prefix {
            "AmazonEC2ContainerRegistry_V20150921" => Some(Self::Ecr),
            "SpencerFrontendService" => Some(Self::EcrPublic),
            "secretsmanager" => Some(Self::Secrets),
            "AmazonSSM" => Some(Self::Parameters),
            "AmazonSQS" => Some(Self::Sqs),
            "AWSEvents" => Some(Self::Events),
            "Logs_20140328" => Some(Self::Logs),
            _ => None,
        }
    }

    /// The prefix of the calls of the service in [`Counts`](crate::Counts).
    pub(super) fn counted_as(self) -> &'static str {
        match self {
            Self::Ecr => "ecr.api",
            Self::EcrPublic => "ecr_public.api",
            service => service.signing_name(),
        }
    }

    /// Refuses a request that was signed for another service or region, or that uses another
    /// protocol.
    pub(super) fn admit(self, scope: &Scope, headers: &HeaderMap) -> Result<(), AwsError> {
        if scope.service != self.signing_name() {
            let message = format!(
                "Credential should be scoped to correct service: '{}'.",
                self.signing_name()
            );
            return Err(forbidden("InvalidSignatureException", &message));
        }
        // ECR Public is a global service. Its region is us-east-1.
        if self == Self::EcrPublic && scope.region != HOME_REGION {
            let message = format!(
                "Credential should be scoped to a valid region, not '{}'.",
                scope.region
            );
            return Err(forbidden("InvalidSignatureException", &message));
        }
        match headers.get(CONTENT_TYPE) {
            Some(value) if value == self.content_type() => Ok(()),
            None if self == Self::Scheduler => Ok(()),
            _ => Err(AwsError::unknown_operation().with_status(404)),
        }
    }

    /// Writes the response of an action in the protocol of the service.
    pub(super) fn respond(self, action: &str, request_id: &str, answer: ActionResult) -> Response {
        let content_type = (CONTENT_TYPE, self.content_type());
        match answer {
            answer if self == Self::Sns => query::respond(action, request_id, answer),
            answer if self == Self::Scheduler => rest::respond(answer),
            Ok(output) => ([content_type], output.to_string()).into_response(),
            Err(error) if self == Self::Sqs => {
                let fault = if error.status < 500 {
                    "Sender"
                } else {
                    "Receiver"
                };
                let code = format!("{};{fault}", query_code(error.code));
                ([("x-amzn-query-error", code)], [content_type], error).into_response()
            }
            Err(error) => ([content_type], error).into_response(),
        }
    }

    fn signing_name(self) -> &'static str {
        match self {
            Self::Ecr => "ecr",
            Self::EcrPublic => "ecr-public",
            Self::Secrets => "secretsmanager",
            Self::Parameters => "ssm",
            Self::Sqs => "sqs",
            Self::Events => "events",
            Self::Scheduler => "scheduler",
            Self::Sns => "sns",
            Self::Logs => "logs",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Sqs => "application/x-amz-json-1.0",
            Self::Sns => query::FORM,
            Self::Scheduler => rest::JSON,
            _ => "application/x-amz-json-1.1",
        }
    }
}

/// The error code of the older query protocol. SQS still sends it as well, and SDKs report it.
fn query_code(code: &'static str) -> String {
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
        "BatchEntryIdsNotDistinct"
        | "BatchRequestTooLong"
        | "EmptyBatchRequest"
        | "InvalidBatchEntryId"
        | "MessageNotInflight"
        | "TooManyEntriesInBatchRequest"
        | "UnsupportedOperation" => format!("AWS.SimpleQueueService.{code}"),
        _ => code.to_owned(),
    }
}
