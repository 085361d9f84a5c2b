//! Errors of invocations.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// The error of an invocation, as `aws lambda invoke` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionError {
    /// The kind, such as `Runtime.ExitError` or a type name that the function chose.
    pub error_type: String,
    /// The message of the function or of Lambda.
    #[serde(rename = "errorMessage")]
    pub message: String,
}

impl FunctionError {
    pub(super) fn new(error_type: &str, message: impl Into<String>) -> Self {
        Self {
            error_type: error_type.to_owned(),
            message: message.into(),
        }
    }

    /// Reads a report of the function. A report that is not JSON is still an error.
    pub(super) fn reported(body: &[u8], header: Option<&str>) -> Self {
        let unreadable =
            |_| Self::new(header.unwrap_or("Unhandled"), String::from_utf8_lossy(body));
        serde_json::from_slice(body).unwrap_or_else(unreadable)
    }

    pub(super) fn timed_out(id: &str, limit: Duration) -> Self {
        Self::new(
            "Sandbox.Timedout",
            format!(
                "RequestId: {id} Error: Task timed out after {:.2} seconds",
                limit.as_secs_f64()
            ),
        )
    }

    pub(super) fn init_timed_out(id: &str, limit: Duration) -> Self {
        let seconds = limit.as_secs_f64();
        Self::new(
            "Sandbox.InitTimedout",
            format!("RequestId: {id} Error: nothing asked for work within {seconds:.2} seconds"),
        )
    }

    pub(super) fn exited(id: &str) -> Self {
        Self::new(
            "Runtime.ExitError",
            format!("RequestId: {id} Error: Runtime exited without providing a reason"),
        )
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let message =
            format!("Response payload size exceeded maximum allowed payload size ({limit} bytes).");
        Self::new("Function.ResponseSizeTooLarge", message)
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.error_type, self.message)
    }
}

impl std::error::Error for FunctionError {}
