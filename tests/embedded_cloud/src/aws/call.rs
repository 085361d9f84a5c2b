//! A request that names a service and an action, before anybody looked at who sent it.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::Value;

use super::service::Service;
use super::{AwsError, query, rest};

/// What is asked of whom.
pub(super) struct Call {
    pub(super) service: Service,
    pub(super) action: String,
    /// The input document, or why there is none, which only those learn who may ask.
    pub(super) input: Result<Value, AwsError>,
}

impl Call {
    /// Reads a request: the awsJson services name the action in a header, SNS in a form, EventBridge Scheduler by method and
    /// path.
    pub(super) fn read(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Self, AwsError> {
        if uri.path() != "/" || method != Method::POST {
            return rest::call(method, uri, headers, body);
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
        let service = Service::of(prefix).ok_or_else(AwsError::unknown_operation)?;
        let input =
            serde_json::from_slice(body).map_err(|_| AwsError::new("SerializationException", ""));
        Ok(Self {
            service,
            action: action.to_owned(),
            input,
        })
    }
}
