//! The scope that a request was signed for.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::aws::AwsError;

/// The credential scope of a Signature Version 4 header: `KEY/20260131/us-east-1/ecr/aws4_request`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// The region of the endpoint that the caller used.
    pub(super) region: String,
    /// The signing name of the service.
    pub(super) service: String,
}

impl Scope {
    /// Reads the scope. AWS refuses requests without one.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, AwsError> {
        let header = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let header = header.ok_or_else(|| {
            forbidden(
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            )
        })?;
        let parameters = header.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(|| {
            forbidden(
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            )
        })?;
        for name in ["SignedHeaders", "Signature"] {
            parameter(parameters, name)?;
        }
        Self::parse(parameter(parameters, "Credential")?)
    }

    fn parse(credential: &str) -> Result<Self, AwsError> {
        let parts: Vec<&str> = credential.split('/').collect();
        match parts[..] {
            [key, date, region, service, "aws4_request"] if !key.is_empty() && is_date(date) => {
                Ok(Self {
                    region: region.to_owned(),
                    service: service.to_owned(),
                })
            }
            _ => Err(forbidden(
                "IncompleteSignatureException",
                &format!(
                    "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, \
                     got '{credential}'"
                ),
            )),
        }
    }
}

/// One of the `name=value` pairs, which commas separate.
fn parameter<'a>(parameters: &'a str, name: &str) -> Result<&'a str, AwsError> {
    let mut pairs = parameters
        .split(',')
        .filter_map(|pair| pair.trim().split_once('='));
    match pairs.find(|(key, value)| *key == name && !value.is_empty()) {
        Some((_, value)) => Ok(value),
        None => Err(forbidden(
            "IncompleteSignatureException",
            &format!(
                "Authorization header requires '{name}' parameter. Authorization={parameters}"
            ),
        )),
    }
}

fn is_date(date: &str) -> bool {
    date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit())
}

/// An error that AWS sends before a service sees the request.
pub(super) fn forbidden(code: &'static str, message: &str) -> AwsError {
    AwsError::new(code, message).with_status(403)
}
