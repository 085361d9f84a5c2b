//! The target of a schedule, and its input.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::arn::Arn;
use super::rules::{self, invalid};
use crate::aws::AwsError;

/// The largest input: 256 KB, the lowest limit that asynchronous invocations of Lambda ever had.
const MAX_INPUT_BYTES: usize = 256 * 1024;

const ROLE: &str = "^arn:aws(-[a-z]+)?:iam::\\d{12}:role\\/[\\w+=,.@\\/-]+$";
const QUEUE: &str = "^arn:aws(-[a-z]+)?:sqs:[a-z0-9\\-]+:\\d{12}:[a-zA-Z0-9\\-_]+$";

/// A target without service-specific parameters: a Lambda function needs none.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Target {
    pub(super) arn: String,
    pub(super) role_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_policy: Option<RetryPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_config: Option<DeadLetterConfig>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RetryPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_event_age_in_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_retry_attempts: Option<u32>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeadLetterConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<String>,
}

impl Target {
    pub(super) fn check(&self) -> Result<(), AwsError> {
        rules::length("target.arn", &self.arn, 1..=1600)?;
        Arn::parse(&self.arn).ok_or_else(|| invalid("Provided Arn is not in correct format."))?;
        rules::length("target.roleArn", &self.role_arn, 1..=1600)?;
        rules::pattern(
            "target.roleArn",
            &self.role_arn,
            ROLE,
            is_role(&self.role_arn),
        )?;
        self.input.as_deref().map_or(Ok(()), check_input)?;
        self.retry_policy
            .as_ref()
            .map_or(Ok(()), RetryPolicy::check)?;
        let queue = self
            .dead_letter_config
            .as_ref()
            .and_then(|config| config.arn.as_deref());
        queue.map_or(Ok(()), |arn| {
            rules::pattern("target.deadLetterConfig.arn", arn, QUEUE, is_queue(arn))
        })
    }
}

impl RetryPolicy {
    fn check(&self) -> Result<(), AwsError> {
        if let Some(seconds) = self.maximum_event_age_in_seconds {
            rules::number(
                "target.retryPolicy.maximumEventAgeInSeconds",
                seconds,
                60..=86_400,
            )?;
        }
        self.maximum_retry_attempts.map_or(Ok(()), |attempts| {
            rules::number("target.retryPolicy.maximumRetryAttempts", attempts, 0..=185)
        })
    }
}

/// "If you are configuring a templated Lambda […] target, the input must be a well-formed JSON."
/// (`Target`)
fn check_input(input: &str) -> Result<(), AwsError> {
    rules::length("target.input", input, 1..=MAX_INPUT_BYTES)?;
    let malformed = |error| invalid(format!("The input must be well-formed JSON: {error}."));
    serde_json::from_str(input)
        .map(|_: Value| ())
        .map_err(malformed)
}

fn is_role(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&byte);
    let name = |arn: &Arn<'_>| {
        let name = arn.resource.strip_prefix("role/");
        name.is_some_and(|name| !name.is_empty() && name.bytes().all(legal))
    };
    Arn::parse(text).is_some_and(|arn| {
        arn.service == "iam" && arn.region.is_empty() && arn.has_account() && name(&arn)
    })
}

/// Whether the target is a standard queue; the names of FIFO queues contain a dot.
fn is_queue(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    Arn::parse(text).is_some_and(|arn| {
        arn.service == "sqs"
            && !arn.region.is_empty()
            && arn.has_account()
            && arn.resource.bytes().all(legal)
    })
}
