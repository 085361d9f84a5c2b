//! Content negotiation: a registry sends only manifests of accepted media types.

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};

use super::RegistryKind;
use super::kind::Negotiation;
use crate::error_response::ErrorResponse;
use crate::{digest, media};

/// Refuses a manifest whose media type the request does not accept.
///
/// Real registries convert some types instead, which changes the digest. Refusing is the stricter
/// choice.
pub(super) fn check(
    kind: RegistryKind,
    headers: &HeaderMap,
    reference: &str,
    media_type: &str,
) -> Result<(), ErrorResponse> {
    let matters = match kind.negotiation() {
        Negotiation::Never => false,
        Negotiation::ByTag => !digest::is_digest(reference),
        Negotiation::Always => true,
    };
    if !matters || accepts(headers, media_type) {
        return Ok(());
    }
    let (kind, kinds) = words(media_type);
    let message = format!("{kind} found, but Accept header does not support {kinds}");
    Err(ErrorResponse::new(
        StatusCode::NOT_FOUND,
        "MANIFEST_UNKNOWN",
        message,
    ))
}

/// Without an `Accept` header, only the oldest type still in use is accepted.
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    if !headers.contains_key(ACCEPT) {
        return media_type == media::DOCKER_MANIFEST;
    }
    let values = headers
        .get_all(ACCEPT)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let mut types = values
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim());
    types.any(|accepted| accepted == media_type || accepted == "*/*" || accepted == "application/*")
}

fn words(media_type: &str) -> (&'static str, &'static str) {
    match media_type {
        media::OCI_INDEX => ("OCI index", "OCI indexes"),
        media::OCI_MANIFEST => ("OCI manifest", "OCI manifests"),
        media::DOCKER_LIST => ("manifest list", "manifest lists"),
        _ => ("manifest", "manifests of its type"),
    }
}
