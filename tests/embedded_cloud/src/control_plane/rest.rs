//! The restJson protocol of EventBridge Scheduler: method and path name the action, and each error
//! has its own HTTP status.
//!
//! Path, query and body become one JSON object, as in awsJson. So a service does not depend on the
//! protocol of the caller.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::aws::{ActionResult, AwsError};

/// The content type of requests with a body, and of responses.
pub(super) const JSON: &str = "application/json";

/// The action that method and path name.
pub(super) fn action(method: &Method, uri: &Uri) -> Result<&'static str, AwsError> {
    schedule_name(uri)?;
    match *method {
        Method::POST => Ok("CreateSchedule"),
        Method::PUT => Ok("UpdateSchedule"),
        Method::GET => Ok("GetSchedule"),
        Method::DELETE => Ok("DeleteSchedule"),
        _ => Err(unknown()),
    }
}

/// The input of the action: the fields of the body or of the query, and the name from the path.
pub(super) fn input(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, AwsError> {
    let name = schedule_name(uri)?;
    let fields = if takes_a_body(method) {
        document(headers, body)?
    } else {
        parameters(uri, body)?
    };
    with_name(fields, name)
}

/// Writes the response of an action.
pub(super) fn respond(answer: ActionResult) -> Response {
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

/// The name in `/schedules/{Name}`. It is not decoded: legal names contain nothing to decode.
fn schedule_name(uri: &Uri) -> Result<&str, AwsError> {
    let name = uri.path().strip_prefix("/schedules/");
    name.filter(|name| !name.is_empty()).ok_or_else(unknown)
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

/// The fields of the query. An unknown field keeps its name, and the action refuses it.
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

/// Adds the name from the path; a body that also has a name is malformed.
fn with_name(mut fields: Map<String, Value>, name: &str) -> Result<Value, AwsError> {
    match fields.insert("Name".to_owned(), name.into()) {
        None => Ok(Value::Object(fields)),
        Some(_) => Err(malformed()),
    }
}

/// The HTTP status of an error in the API model.
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

fn unknown() -> AwsError {
    AwsError::unknown_operation().with_status(404)
}
