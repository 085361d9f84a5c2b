//! Endpoints that read: manifests, blobs, tags and referrers.

use std::ops::Range;

use axum::http::header::RANGE;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::outgoing::{add_headers, body, json, refuse, response};
use super::state::Registry;
use crate::content::{Content, Pieces};

const BLOB_TYPE: &str = "application/octet-stream";

impl Registry {
    pub(super) fn get_manifest(&self, repository: &str, reference: &str) -> Response<Pieces> {
        let store = self.store();
        let Some(manifest) = store.manifest(repository, reference) else {
            let message = "no such manifest";
            return refuse(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message);
        };
        let bytes = body(manifest.bytes.clone());
        let mut response = response(StatusCode::OK, &manifest.media_type, bytes);
        let digest = ("docker-content-digest", manifest.digest.as_str());
        add_headers(&mut response, &[digest]);
        response
    }

    pub(super) fn get_blob(
        &self,
        repository: &str,
        digest: &str,
        headers: &HeaderMap,
    ) -> Response<Pieces> {
        let is_present = self.store().has_blob(repository, digest);
        let content = self.library.get(digest).filter(|_| is_present);
        let Some(content) = content else {
            let message = "no such blob, or one whose bytes were discarded";
            return refuse(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", message);
        };
        let size_bytes = content.size_bytes();
        let mut response = match headers.get(RANGE) {
            None => response(StatusCode::OK, BLOB_TYPE, content.pieces(0..size_bytes)),
            Some(value) => {
                let Some(range) = parse_range(value, size_bytes) else {
                    let status = StatusCode::RANGE_NOT_SATISFIABLE;
                    return refuse(status, "SIZE_INVALID", "no such range");
                };
                partial_content(content, range)
            }
        };
        let headers = [
            ("docker-content-digest", digest),
            ("accept-ranges", "bytes"),
        ];
        add_headers(&mut response, &headers);
        response
    }

    pub(super) fn list_tags(&self, repository: &str) -> Response<Pieces> {
        match self.store().tags(repository) {
            Some(tags) => json(&json!({ "name": repository, "tags": tags })),
            None => refuse(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "no such repository"),
        }
    }
}

fn partial_content(content: &Content, range: Range<u64>) -> Response<Pieces> {
    let last = range.end - 1;
    let content_range = format!("bytes {}-{last}/{}", range.start, content.size_bytes());
    let pieces = content.pieces(range);
    let mut response = response(StatusCode::PARTIAL_CONTENT, BLOB_TYPE, pieces);
    add_headers(&mut response, &[("content-range", &content_range)]);
    response
}

/// An empty list of referrers: no item has any.
pub(super) fn no_referrers() -> Response<Pieces> {
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": [] });
    response(StatusCode::OK, media_type, body(index.to_string()))
}

/// Parses `bytes=FIRST-LAST`, `bytes=FIRST-` and `bytes=-COUNT` (RFC 9110, section 14.1.2).
/// Returns `None` if the range is malformed or empty.
fn parse_range(value: &HeaderValue, size_bytes: u64) -> Option<Range<u64>> {
    let range = value.to_str().ok()?.strip_prefix("bytes=")?;
    let (first, last) = range.split_once('-')?;
    let (start, end) = match (first, last) {
        ("", count) => {
            let count: u64 = count.parse().ok()?;
            (size_bytes.saturating_sub(count), size_bytes)
        }
        (first, "") => (first.parse().ok()?, size_bytes),
        (first, last) => {
            let last: u64 = last.parse().ok()?;
            (first.parse().ok()?, last.saturating_add(1).min(size_bytes))
        }
    };
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    fn parse_range(text: &'static str) -> Option<std::ops::Range<u64>> {
        super::parse_range(&HeaderValue::from_static(text), 10)
    }

    #[test]
    fn ranges_count_from_either_end_and_stop_at_the_last_byte() {
        assert_eq!(parse_range("bytes=0-0"), Some(0..1));
        assert_eq!(parse_range("bytes=3-"), Some(3..10));
        assert_eq!(parse_range("bytes=3-99"), Some(3..10));
        assert_eq!(parse_range("bytes=-4"), Some(6..10));
        assert_eq!(parse_range("bytes=10-"), None);
        assert_eq!(parse_range("lines=1-2"), None);
    }
}
