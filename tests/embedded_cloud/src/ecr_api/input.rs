//! Reading of input documents.

use serde_json::Value;

use crate::aws::AwsError;

/// Typed access to the fields of an input document.
pub(super) trait Input {
    /// An optional text.
    fn optional(&self, key: &str) -> Result<Option<&str>, AwsError>;
    /// A required text.
    fn required(&self, key: &str) -> Result<&str, AwsError>;
    /// A list with at most `most` items; empty if absent.
    fn list(&self, key: &str, most: usize) -> Result<&[Value], AwsError>;
}

impl Input for Value {
    fn optional(&self, key: &str) -> Result<Option<&str>, AwsError> {
        match &self[key] {
            Self::Null => Ok(None),
            Self::String(text) => Ok(Some(text)),
            _ => Err(invalid(format!("'{key}' must be a string"))),
        }
    }

    fn required(&self, key: &str) -> Result<&str, AwsError> {
        self.optional(key)?.ok_or_else(|| {
            invalid(format!(
                "'{key}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    fn list(&self, key: &str, most: usize) -> Result<&[Value], AwsError> {
        match &self[key] {
            Self::Null => Ok(&[]),
            Self::Array(items) if items.len() <= most => Ok(items),
            Self::Array(_) => Err(invalid(format!(
                "'{key}' must have length less than or equal to {most}"
            ))),
            _ => Err(invalid(format!("'{key}' must be a list"))),
        }
    }
}

/// An input that breaks a rule of the API model.
pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("InvalidParameterException", message)
}
