//! The inputs of Parameter Store actions.

use serde::Deserialize;

use crate::aws::AwsError;

/// The largest page, and the default one.
pub(super) const MAX_PAGE: usize = 10;

const TOKEN_PREFIX: &str = "AAEAA-";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetParameter {
    pub(super) name: String,
    #[serde(default)]
    pub(super) with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetParametersByPath {
    pub(super) path: String,
    #[serde(default)]
    pub(super) recursive: bool,
    #[serde(default)]
    pub(super) with_decryption: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl GetParametersByPath {
    /// The page size.
    pub(super) fn page(&self) -> Result<usize, AwsError> {
        let (asked, bound) = match self.max_results {
            None => return Ok(MAX_PAGE),
            Some(asked @ 1..=MAX_PAGE) => return Ok(asked),
            Some(0) => (0, "greater than or equal to 1"),
            Some(asked) => (asked, "less than or equal to 10"),
        };
        let message = format!(
            "1 validation error detected: Value '{asked}' at 'maxResults' failed to satisfy constraint: Member must \
             have value {bound}"
        );
        Err(AwsError::new("ValidationException", message))
    }

    /// The index at which the page begins, among `total` parameters.
    pub(super) fn start(&self, total: usize) -> Result<usize, AwsError> {
        let Some(token) = &self.next_token else {
            return Ok(0);
        };
        let index = token
            .strip_prefix(TOKEN_PREFIX)
            .and_then(|index| index.parse().ok());
        index
            .filter(|index| *index <= total)
            .ok_or_else(|| AwsError::new("InvalidNextToken", "The specified token is not valid."))
    }
}

/// The token of the page that begins at `index`.
pub(super) fn token(index: usize) -> String {
    format!("{TOKEN_PREFIX}{index}")
}
