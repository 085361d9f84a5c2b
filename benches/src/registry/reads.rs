//! What a registry tells: manifests, blobs, tags.

use std::ops::Range;

use axum::http::header::RANGE;
use axum::http::{HeaderMap, Response, StatusCode};
use serde_json::json;

use super::Registry;
use super::outgoing::{add, all, answer, json, refuse};
use crate::content::Pieces;

impl Registry {
    pub(super) fn manifest(&self, repository: &str, reference: &str) -> Response<Pieces> {
        let store = self.store();
        let Some(manifest) = store.manifest(repository, reference) else {
            return refuse(
                StatusCode::NOT_FOUND,
                "MANIFEST_UNKNOWN",
                "no such manifest",
            );
        };
        let mut response = answer(
            StatusCode::OK,
            &manifest.media_type,
            all(manifest.bytes.clone()),
        );
        add(
            &mut response,
            &[("docker-content-digest", &manifest.digest)],
        );
        response
    }

    pub(super) fn blob(
        &self,
        repository: &str,
        digest: &str,
        headers: &HeaderMap,
    ) -> Response<Pieces> {
        let content = self
            .library
            .get(digest)
            .filter(|_| self.store().has_blob(repository, digest));
        let Some(content) = content else {
            return refuse(
                StatusCode::NOT_FOUND,
                "BLOB_UNKNOWN",
                "no such blob, or one whose bytes were thrown away",
            );
        };
        let size = content.size_bytes();
        let about = [
            ("docker-content-digest", digest),
            ("accept-ranges", "bytes"),
        ];
        let part = headers
            .get(RANGE)
            .map(|value| value.to_str().ok().and_then(|text| range(text, size)));
        let mut response = match part {
            None => answer(
                StatusCode::OK,
                "application/octet-stream",
                content.pieces(0..size),
            ),
            Some(None) => {
                return refuse(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    "SIZE_INVALID",
                    "no such range",
                );
            }
            Some(Some(range)) => {
                let span = format!("bytes {}-{}/{size}", range.start, range.end - 1);
                let mut part = answer(
                    StatusCode::PARTIAL_CONTENT,
                    "application/octet-stream",
                    content.pieces(range),
                );
                add(&mut part, &[("content-range", &span)]);
                part
            }
        };
        add(&mut response, &about);
        response
    }

    pub(super) fn tags(&self, repository: &str) -> Response<Pieces> {
        match self.store().tags(repository) {
            Some(tags) => json(&json!({ "name": repository, "tags": tags })),
            None => refuse(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "no such repository"),
        }
    }
}

/// What refers to an image: nothing does.
pub(super) fn referrers() -> Response<Pieces> {
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": [] });
    answer(StatusCode::OK, media_type, all(index.to_string()))
}

/// `bytes=FIRST-LAST`, `bytes=FIRST-` and `bytes=-COUNT` (RFC 9110, section 14.1.2).
fn range(text: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first, last) {
        ("", count) => (size.saturating_sub(count.parse().ok()?), size),
        (first, "") => (first.parse().ok()?, size),
        (first, last) => (
            first.parse().ok()?,
            last.parse::<u64>().ok()?.saturating_add(1).min(size),
        ),
    };
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_count_from_either_end_and_stop_at_the_last_byte() {
        assert_eq!(range("bytes=0-0", 10), Some(0..1));
        assert_eq!(range("bytes=3-", 10), Some(3..10));
        assert_eq!(range("bytes=3-99", 10), Some(3..10));
        assert_eq!(range("bytes=-4", 10), Some(6..10));
        assert_eq!(range("bytes=10-", 10), None);
        assert_eq!(range("lines=1-2", 10), None);
    }
}
