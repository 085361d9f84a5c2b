//! The restJson protocol, which EventBridge Scheduler speaks: method and path name the action, and each error has an HTTP
//! status of its own.
//!
//! Path, query and body become the one JSON object that the awsJson services get, so a service does not know which protocol
//! its caller speaks.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::call::Call;
use super::service::Service;
use super::{Answer, AwsError};

/// The content type of requests with a body, and of answers.
pub(super) const JSON: &str = "application/json";

/// Reads a request to `/schedules/{Name}`. The name is not decoded: legal names have nothing to decode.
pub(super) fn call(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Call, AwsError> {
    let unknown = || AwsError::unknown_operation().with_status(404);
    let name = uri
        .path()
        .strip_prefix("/schedules/")
        .filter(|name| !name.is_empty())
        .ok_or_else(unknown)?;
    let action = action(method).ok_or_else(unknown)?;
    let fields = if takes_a_body(method) {
        document(headers, body)
    } else {
        parameters(uri, body)
    };
    let input = fields.and_then(|fields| with_name(fields, name));
    Ok(Call {
        service: Service::Scheduler,
        action: action.to_owned(),
        input,
    })
}

/// Writes the answer of an action.
pub(super) fn respond(answer: Answer) -> Response {
    match answer {
        Ok(output) => ([(CONTENT_TYPE, JSON)], output.to_string()).into_response(),
        Err(error) => {
            let status = StatusCode::from_u16(status(&error)).unwrap_or(StatusCode::BAD_REQUEST);
            let headers = [("x-amzn-errortype", error.code), ("content-type", JSON)];
            (
                status,
                headers,
                json!({ "Message": error.message }).to_string(),
            )
                .into_response()
        }
    }
}

fn action(method: &Method) -> Option<&'static str> {
    match *method {
        Method::POST => Some("CreateSchedule"),
        Method::PUT => Some("UpdateSchedule"),
        Method::GET => Some("GetSchedule"),
        Method::DELETE => Some("DeleteSchedule"),
        _ => None,
    }
}

fn takes_a_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT)
}

fn document(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, AwsError> {
    if headers.get(CONTENT_TYPE).is_none_or(|value| value != JSON) {
        return Err(AwsError::new("UnsupportedMediaTypeException", "").with_status(415));
    }
    serde_json::from_slice(body).map_err(|_| malformed())
}

/// The fields that a query carries. One that is not of the model keeps its name, and the action refuses it.
fn parameters(uri: &Uri, body: &[u8]) -> Result<Map<String, Value>, AwsError> {
    if !body.is_empty() {
        return Err(malformed());
    }
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let fields = pairs.map(|(name, value)| {
        let name = match &*name {
            "groupName" => "GroupName".to_owned(),
            "clientToken" => "ClientToken".to_owned(),
            other => other.to_owned(),
        };
        (name, Value::from(value.into_owned()))
    });
    Ok(fields.collect())
}

/// The path alone carries the name.
fn with_name(mut fields: Map<String, Value>, name: &str) -> Result<Value, AwsError> {
    match fields.insert("Name".to_owned(), name.into()) {
        None => Ok(Value::Object(fields)),
        Some(_) => Err(malformed()),
    }
}

/// The status that the API model gives an error, whoever raised it.
fn status(error: &AwsError) -> u16 {
    match error.code {
        "ServiceQuotaExceededException" => 402,
        "ResourceNotFoundException" => 404,
        "ConflictException" => 409,
        "ThrottlingException" => 429,
        "InternalServerException" => 500,
        _ => error.status,
    }
}

fn malformed() -> AwsError {
    AwsError::new("SerializationException", "")
}
