//! The AWS services of the embedded cloud, as the AWS SDK for Rust sees them.

mod control_plane;
mod deliveries;
mod events;
mod lambda;
mod logs;
mod mapping;
mod messages;
mod notifications;
mod parameters;
mod queues;
mod schedules;
mod secrets;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use embedded_cloud::Cloud;

/// Configuration of SDK clients for us-east-1. They do not retry, because a retry would hide
/// errors.
async fn config(cloud: &Cloud) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(cloud.control_plane())
        .credentials_provider(Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI",
            None,
            None,
            "test",
        ))
        .retry_config(RetryConfig::disabled())
        .load()
        .await
}

/// The code and the message of the error in `result`.
fn refusal<T, E: ProvideErrorMetadata, R>(result: Result<T, SdkError<E, R>>) -> (String, String) {
    let Err(SdkError::ServiceError(error)) = result else {
        panic!("the service was to refuse")
    };
    let error = error.err();
    (
        error.code().unwrap_or_default().to_owned(),
        error.message().unwrap_or_default().to_owned(),
    )
}
