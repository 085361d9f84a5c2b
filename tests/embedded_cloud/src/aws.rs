//! What all AWS services share: errors, identifiers, planned failures, and reading of inputs.

use serde::de::DeserializeOwned;
use serde_json::Value;

mod error;
mod failures;
mod id;

pub(crate) use error::AwsError;
pub use failures::Failures;
pub(crate) use id::unique_id;

/// The region of every service except the registries.
pub(crate) const HOME_REGION: &str = "us-east-1";

/// The output document of an action, or the AWS error.
pub(crate) type ActionResult = Result<Value, AwsError>;

/// Reads the input of an action. Input types deny unknown fields: an option that the cloud does not
/// support is refused, not ignored.
pub(crate) fn read<T: DeserializeOwned>(input: &Value) -> Result<T, AwsError> {
    T::deserialize(input).map_err(|error| {
        AwsError::new(
            "ValidationException",
            format!("1 validation error detected: {error}"),
        )
    })
}
