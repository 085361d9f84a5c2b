//! The awsQuery protocol, which only SNS still uses: a form as request, XML as response.
//!
//! The form becomes the JSON object that awsJson services get, and the response consists of
//! strings. So a service does not depend on the protocol of the caller.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::aws::{ActionResult, AwsError};

/// The content type of a request; SDKs append no charset.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

const VERSION: &str = "2010-03-31";
const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// The action that the form names. If it names none, the result is empty, which no service knows.
pub(super) fn action(body: &[u8]) -> String {
    let mut pairs = form_urlencoded::parse(body);
    pairs
        .find(|(name, _)| name == "Action")
        .map_or_else(String::new, |(_, action)| action.into_owned())
}

/// The input of the action: every field of the form except those of the protocol.
pub(super) fn input(body: &[u8]) -> Result<Value, AwsError> {
    let text = std::str::from_utf8(body).map_err(|_| AwsError::new("MalformedQueryString", ""))?;
    let field = |name: &str| form_urlencoded::parse(text.as_bytes()).find(|(key, _)| key == name);
    if field("Version").is_none_or(|(_, version)| version != VERSION) {
        let message =
            format!("The requested version is not valid for this web service: use {VERSION}.");
        return Err(AwsError::new("NoSuchVersion", message));
    }
    let fields = form_urlencoded::parse(text.as_bytes())
        .filter(|(name, _)| name != "Action" && name != "Version");
    Ok(fields
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect())
}

/// Writes the response of an action.
pub(super) fn respond(action: &str, request_id: &str, answer: ActionResult) -> Response {
    let (status, body) = match answer {
        Ok(output) => (200, success(action, request_id, &output)),
        Err(error) => (error.status, failure(request_id, &error)),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, [(CONTENT_TYPE, "text/xml")], body).into_response()
}

fn success(action: &str, request_id: &str, output: &Value) -> String {
    let fields = output.as_object().into_iter().flatten();
    let fields: String = fields
        .filter_map(|(name, value)| Some(element(name, value.as_str()?)))
        .collect();
    format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{fields}</{action}Result>\
         <ResponseMetadata>{}</ResponseMetadata></{action}Response>",
        element("RequestId", request_id)
    )
}

fn failure(request_id: &str, error: &AwsError) -> String {
    let fault = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    let fields = [
        ("Type", fault),
        ("Code", code(error.code)),
        ("Message", &error.message),
    ];
    let fields: String = fields.map(|(name, value)| element(name, value)).concat();
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error>{fields}</Error>{}</ErrorResponse>",
        element("RequestId", request_id)
    )
}

/// The name of a scope error in this protocol.
fn code(code: &'static str) -> &'static str {
    match code {
        "IncompleteSignatureException" => "IncompleteSignature",
        "InvalidSignatureException" => "SignatureDoesNotMatch",
        "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
        "ThrottlingException" => "Throttling",
        "UnknownOperationException" => "InvalidAction",
        _ => code,
    }
}

fn element(name: &str, text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!("<{name}>{text}</{name}>")
}
