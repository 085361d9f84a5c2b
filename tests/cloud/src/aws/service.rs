//! The services: how a request names them and what they insist on.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::scope::forbidden;
use super::{Answer, AwsError, HOME_REGION, Scope, query};

/// A service of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Ecr,
    EcrPublic,
    Secrets,
    Parameters,
    Sqs,
    Events,
    Sns,
    Logs,
}

impl Service {
    /// The service and the action that the `X-Amz-Target` header names. Only SNS gets forms, which name the action alone.
    pub(super) fn of(headers: &HeaderMap, body: &[u8]) -> Result<(Self, String), AwsError> {
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        if target.is_none() && headers.get(CONTENT_TYPE).is_some_and(|value| value == query::FORM) {
            return Ok((Self::Sns, query::action(body)));
        }
        let (prefix, action) =
            target.and_then(|target| target.split_once('.')).ok_or_else(AwsError::unknown_operation)?;
        let service = match prefix {
            "AmazonEC2ContainerRegistry_V20150921" => Self::Ecr,
            "SpencerFrontendService" => Self::EcrPublic,
            "secretsmanager" => Self::Secrets,
            "AmazonSSM" => Self::Parameters,
            "AmazonSQS" => Self::Sqs,
            "AWSEvents" => Self::Events,
            "Logs_20140328" => Self::Logs,
            _ => return Err(AwsError::unknown_operation()),
        };
        Ok((service, action.to_owned()))
    }

    /// How [`Counts`](crate::Counts) names the calls of the service.
    pub(super) fn counted_as(self) -> &'static str {
        match self {
            Self::Ecr => "ecr.api",
            Self::EcrPublic => "ecr_public.api",
            Self::Secrets => "secretsmanager",
            Self::Parameters => "ssm",
            Self::Sqs => "sqs",
            Self::Events => "events",
            Self::Sns => "sns",
            Self::Logs => "logs",
        }
    }

    /// Refuses a request that was signed for another service or region, or that speaks another protocol.
    pub(super) fn admit(self, scope: &Scope, headers: &HeaderMap) -> Result<(), AwsError> {
        if scope.service != self.signing_name() {
            let message = format!("Credential should be scoped to correct service: '{}'.", self.signing_name());
            return Err(forbidden("InvalidSignatureException", &message));
        }
        // ECR Public is a global service whose home is us-east-1.
        if self == Self::EcrPublic && scope.region != HOME_REGION {
            let message = format!("Credential should be scoped to a valid region, not '{}'.", scope.region);
            return Err(forbidden("InvalidSignatureException", &message));
        }
        match headers.get(CONTENT_TYPE) {
            Some(value) if value == self.content_type() => Ok(()),
            _ => Err(AwsError::unknown_operation().with_status(404)),
        }
    }

    /// Reads the input of an action as the service's protocol does.
    pub(super) fn input(self, body: &[u8]) -> Result<Value, AwsError> {
        match self {
            Self::Sns => query::input(body),
            _ => serde_json::from_slice(body).map_err(|_| AwsError::new("SerializationException", "")),
        }
    }

    /// Writes the answer of an action as the service's protocol does.
    pub(super) fn respond(self, action: &str, request_id: &str, answer: Answer) -> Response {
        let content_type = (CONTENT_TYPE, self.content_type());
        match answer {
            answer if self == Self::Sns => query::respond(action, request_id, answer),
            Ok(output) => ([content_type], output.to_string()).into_response(),
            Err(error) if self == Self::Sqs => {
                let fault = if error.status < 500 { "Sender" } else { "Receiver" };
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
            Self::Sns => "sns",
            Self::Logs => "logs",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Sqs => "application/x-amz-json-1.0",
            Self::Sns => query::FORM,
            _ => "application/x-amz-json-1.1",
        }
    }
}

/// The name that an error had in the query protocol, which SQS still sends beside the new one and SDKs report.
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
