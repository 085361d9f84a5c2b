//! Tag lists, in pages.

use axum::extract::Query;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;

use super::Registry;
use super::serve::{Admitted, HandlerResult};
use crate::error_response::{ErrorResponse, header_map};

/// The query of a tag list (distribution spec, "Listing Tags").
#[derive(Deserialize)]
struct Page {
    n: Option<usize>,
    last: Option<String>,
}

impl Registry {
    pub(super) fn list_tags(&self, admitted: &Admitted) -> HandlerResult {
        if !self.config().kind.lists_tags() {
            return Err(ErrorResponse::text(
                StatusCode::NOT_FOUND,
                "404 page not found",
            ));
        }
        let page = page(admitted.request.uri())?;
        let mut tags: Vec<String> = self.images(&admitted.repository).into_keys().collect();
        tags.retain(|tag| page.last.as_ref().is_none_or(|last| tag > last));
        let wanted = page.n.unwrap_or(tags.len()).min(tags.len());
        let more = wanted < tags.len();
        tags.truncate(wanted);
        let link = if more {
            next(&admitted.name, &tags)
        } else {
            HeaderMap::new()
        };
        let body = json!({ "name": admitted.name, "tags": tags }).to_string();
        Ok((link, [(CONTENT_TYPE, "application/json")], body).into_response())
    }
}

fn page(uri: &Uri) -> Result<Page, ErrorResponse> {
    let invalid = |_| {
        ErrorResponse::new(
            StatusCode::BAD_REQUEST,
            "PAGINATION_NUMBER_INVALID",
            "invalid number of results requested",
        )
    };
    Query::try_from_uri(uri)
        .map(|Query(page)| page)
        .map_err(invalid)
}

/// The address of the next page (RFC 5988).
fn next(name: &str, tags: &[String]) -> HeaderMap {
    let link = tags.last().map(|last| {
        format!(
            "</v2/{name}/tags/list?last={last}&n={}>; rel=\"next\"",
            tags.len()
        )
    });
    header_map(link.map(|link| (LINK, link)))
}
