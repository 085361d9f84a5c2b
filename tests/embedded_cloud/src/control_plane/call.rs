//! The service and the action of a request, read before its signature is checked.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::Value;

use super::service::Service;
use super::{query, rest};
use crate::aws::AwsError;

/// A call of an action.
pub(super) struct Call {
    pub(super) service: Service,
    pub(super) action: String,
    /// The input document, or the error in it, which only an authorised caller gets to see.
    pub(super) input: Result<Value, AwsError>,
}

impl Call {
    /// Reads a request. The awsJson services name the action in a header, SNS in a form, and
    /// EventBridge Scheduler by method and path.
    pub(super) fn read(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Self, AwsError> {
        if uri.path() != "/" || method != Method::POST {
            return Ok(Self {
                service: Service::Scheduler,
                action: rest::action(method, uri)?.to_owned(),
                input: rest::input(method, uri, headers, body),
            });
        }
        let target = headers
            .get("x-amz-target")
            .and_then(|value| value.to_str().ok());
        if target.is_none()
            && headers
                .get(CONTENT_TYPE)
                .is_some_and(|value| value == query::FORM)
        {
            return Ok(Self {
                service: Service::Sns,
                action: query::action(body),
                input: query::input(body),
            });
        }
        let (prefix, action) = target
            .and_then(|target| target.split_once('.'))
            .ok_or_else(AwsError::unknown_operation)?;
        let service =
            Service::from_target_prefix(prefix).ok_or_else(AwsError::unknown_operation)?;
        let input =
            serde_json::from_slice(body).map_err(|_| AwsError::new("SerializationException", ""));
        Ok(Self {
            service,
            action: action.to_owned(),
            input,
        })
    }
}
