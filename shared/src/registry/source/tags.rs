//! Listing the tags of a repository, page by page
//! ([distribution specification](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags)).

use std::collections::BTreeSet;

use http::Method;
use http::header::{HeaderMap, LINK};
use serde::Deserialize;
use url::Url;

use super::{Request, Source, with_retries};
use crate::error::{Cause, Error};
use crate::image::reference::is_tag;

/// The number of tags that a request asks for.
const PAGE_SIZE: usize = 1000;
/// The largest page that is read. Some registries send all tags in one.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// The most pages that are read. The smallest pages known have 100 tags.
const MAX_PAGES: usize = 1000;
/// The most tags that are read.
const MAX_TAGS: usize = 200_000;

#[derive(Deserialize)]
struct PageJson {
    /// `null` if there are none.
    #[serde(deserialize_with = "Option::deserialize")]
    tags: Option<Vec<String>>,
}

/// One page of tags.
struct Page {
    tags: Vec<String>,
    /// The address of the next page, as the response gives it.
    link: Option<String>,
}

impl Page {
    /// The last tag of a full page, after which there may be another page.
    fn last_if_full(&self) -> Option<String> {
        if self.tags.len() < PAGE_SIZE {
            return None;
        }
        self.tags.last().cloned()
    }
}

impl Source {
    /// All tags, each once, in the order of their names. Names that the specification does not allow
    /// are left out.
    ///
    /// The next page is that of the `Link` header, or without one, after a full page, that after the
    /// last tag. Docker Hub counts none of this as a pull. An incomplete list is an error: a page
    /// that cannot be read or has no new tag, a link to another origin, too many pages or tags.
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        let action = format!("list the tags of {}", self.remote.repository);
        let first_page = format!("tags/list?n={PAGE_SIZE}");
        let mut url = self.remote.url(&first_page)?;
        let mut all = BTreeSet::new();
        for _ in 0..MAX_PAGES {
            let page = with_retries(|| self.page(&action, &url)).await?;
            let last = page.last_if_full();
            let known = all.len();
            let valid = page.tags.into_iter().filter(|tag| is_tag(tag));
            all.extend(valid);
            let has_new_tags = all.len() > known;
            url = if let Some(link) = page.link {
                if !has_new_tags {
                    return Err(self.incomplete(&action, "a page has no new tag"));
                }
                self.follow(&action, &url, &link)?
            } else if let Some(last) = last
                && has_new_tags
            {
                page_after(&url, &last)
            } else {
                // The last page, or that of a registry that knows neither `n` nor `last`: it sends
                // the same full page again.
                return Ok(all.into_iter().collect());
            };
            if all.len() > MAX_TAGS {
                break;
            }
        }
        let why = format!("the repository has more than {MAX_TAGS} tags, or {MAX_PAGES} pages");
        Err(self.incomplete(&action, &why))
    }

    async fn page(&self, action: &str, url: &Url) -> Result<Page, Error> {
        let request = Request::new(Method::GET, url.clone());
        let response = self.remote.send(action, &request).await?;
        let link = next_link(response.headers());
        let bytes = self.read(action, response, MAX_PAGE_BYTES).await?;
        let page: PageJson = serde_json::from_slice(&bytes)
            .map_err(|error| self.unexpected(action).because(error))?;
        Ok(Page {
            tags: page.tags.unwrap_or_default(),
            link,
        })
    }

    /// The address of `link`, which must have the same origin as `url`.
    fn follow(&self, action: &str, url: &Url, link: &str) -> Result<Url, Error> {
        let next = url
            .join(link)
            .map_err(|error| self.unexpected(action).because(error))?;
        if next.origin() == url.origin() {
            return Ok(next);
        }
        Err(self.incomplete(action, "the link to the next page leads to another origin"))
    }

    fn incomplete(&self, action: &str, why: &str) -> Error {
        self.unexpected(action).because(why)
    }

    fn unexpected(&self, action: &str) -> Error {
        self.remote.error(Cause::Unexpected, action)
    }
}

/// The page that follows the tag `last`.
fn page_after(url: &Url, last: &str) -> Url {
    let mut next = url.clone();
    next.query_pairs_mut()
        .clear()
        .append_pair("n", &PAGE_SIZE.to_string())
        .append_pair("last", last);
    next
}

/// The target of `Link: </v2/…>; rel="next"` ([RFC 8288](https://www.rfc-editor.org/rfc/rfc8288)).
fn next_link(headers: &HeaderMap) -> Option<String> {
    for value in headers.get_all(LINK) {
        let Ok(links) = value.to_str() else {
            continue;
        };
        if let Some(link) = find_next(links) {
            return Some(link.to_owned());
        }
    }
    None
}

fn find_next(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, link)) = rest.split_once('<') {
        let (target, after) = link.split_once('>')?;
        let end = after.find('<').unwrap_or(after.len());
        let (parameters, others) = after.split_at(end);
        if parameters.split([';', ',']).any(is_rel_next) {
            return Some(target);
        }
        rest = others;
    }
    None
}

fn is_rel_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.trim().split_once('=') else {
        return false;
    };
    if !name.trim().eq_ignore_ascii_case("rel") {
        return false;
    }
    let mut relations = value.trim().trim_matches('"').split(' ');
    relations.any(|relation| relation.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        for (header, expected) in [
            (
                r#"</v2/a/tags/list?last=b&n=2>; rel="next""#,
                Some("/v2/a/tags/list?last=b&n=2"),
            ),
            ("<?last=b,c>;rel=next", Some("?last=b,c")),
            (
                r#"<x>; rel="prev", <y>; title="z"; REL = "last Next""#,
                Some("y"),
            ),
            (r#"<x>; rel="prev""#, None),
            ("<x>", None),
            ("<x", None),
            ("", None),
        ] {
            assert_eq!(find_next(header), expected, "{header}");
        }
    }

    #[test]
    fn a_page_without_tags_is_null_and_not_missing() {
        let is_page = |json| serde_json::from_str::<PageJson>(json).is_ok();
        assert!(is_page(r#"{"name":"a","tags":null}"#));
        assert!(!is_page(r#"{"name":"a"}"#));
        assert!(!is_page(r#"{"tags":[1]}"#));
    }
}
