//! Sending blobs over HTTP, whole or in part.

use std::ops::Range;

use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::blob::Blob;
use crate::body::Sending;
use crate::faults::Misreading;
use crate::range;
use crate::refusal::{Refusal, header_map};
use crate::{Counts, Faults};

/// A server that sends blobs: its name in [`Counts`], and what goes wrong there.
pub(crate) struct Outlet<'a> {
    pub(crate) name: &'a str,
    pub(crate) counts: &'a Counts,
    pub(crate) faults: &'a Faults,
}

impl Outlet<'_> {
    /// Sends a blob, or the range of it that the headers ask for, with the damage that is planned for it.
    pub(crate) fn send(
        &self,
        digest: &str,
        blob: &Blob,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let size = blob.size();
        let part = match range::requested(headers, size)? {
            Some(range) => self.misread(digest, range)?,
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
        let body = Sending::new(self.name, blob.chunks(sent), self.counts)
            .damaged(self.faults.take_blob(digest));
        Ok((status, header_map(answer), body.into_body()).into_response())
    }

    fn misread(&self, digest: &str, range: Range<u64>) -> Result<Option<Range<u64>>, Refusal> {
        match self.faults.take_range(digest) {
            None => Ok(Some(range)),
            Some(Misreading::Whole) => Ok(None),
            Some(Misreading::FromTheFirst) => Ok(Some(0..range.end)),
            Some(Misreading::Refused) => Err(range::not_satisfiable()),
        }
    }
}
