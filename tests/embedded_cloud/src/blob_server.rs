//! Serves blobs over HTTP, whole or in part.

use std::ops::Range;

use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::blob::Blob;
use crate::blob_body::BlobBody;
use crate::error_response::{ErrorResponse, header_map};
use crate::faults::RangeFault;
use crate::range;
use crate::{Counts, Faults};

/// A server that sends blobs: its name in [`Counts`], and its faults.
pub(crate) struct BlobServer<'a> {
    pub(crate) name: &'a str,
    pub(crate) counts: &'a Counts,
    pub(crate) faults: &'a Faults,
}

impl BlobServer<'_> {
    /// Sends a blob, or the requested range of it, with the planned faults.
    pub(crate) fn send(
        &self,
        digest: &str,
        blob: &Blob,
        headers: &HeaderMap,
    ) -> Result<Response, ErrorResponse> {
        let size = blob.size();
        let part = match range::requested(headers, size)? {
            Some(range) => self.apply_range_fault(digest, range)?,
            None => None,
        };
        let sent = part.clone().unwrap_or(0..size);
        let mut answer = vec![
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (CONTENT_LENGTH, (sent.end - sent.start).to_string()),
            (ACCEPT_RANGES, "bytes".to_owned()),
        ];
        answer.extend(
            part.iter()
                .map(|range| (CONTENT_RANGE, range::content_range(range, size))),
        );
        let status = if part.is_some() {
            StatusCode::PARTIAL_CONTENT
        } else {
            StatusCode::OK
        };
        let body = BlobBody::new(self.name, blob.chunks(sent), self.counts)
            .damaged(self.faults.take_blob(digest));
        Ok((status, header_map(answer), body.into_body()).into_response())
    }

    fn apply_range_fault(
        &self,
        digest: &str,
        range: Range<u64>,
    ) -> Result<Option<Range<u64>>, ErrorResponse> {
        match self.faults.take_range(digest) {
            None => Ok(Some(range)),
            Some(RangeFault::Whole) => Ok(None),
            Some(RangeFault::FromTheFirst) => Ok(Some(0..range.end)),
            Some(RangeFault::Refused) => Err(range::not_satisfiable()),
        }
    }
}
