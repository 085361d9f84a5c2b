//! Listing the tags of a repository, page by page
//! ([distribution specification](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags)).

use std::collections::BTreeSet;

use http::Method;
use http::header::{HeaderMap, LINK};
use serde::Deserialize;
use url::Url;

use super::{Request, Source, persistently};
use crate::error::{Cause, Error};
use crate::image::reference::is_tag;

/// How many tags are asked for at once.
const PAGE: usize = 1000;
/// The largest page that is read. There are registries that send everything at once.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// The most pages and tags that are read. The smallest pages known to be sent have 100 tags.
const MAX_PAGES: usize = 1000;
const MAX_TAGS: usize = 200_000;

#[derive(Deserialize)]
struct Page {
    /// `null` where there are none.
    #[serde(deserialize_with = "Option::deserialize")]
    tags: Option<Vec<String>>,
}

impl Source {
    /// All tags, each once, in the order of their names. Names that the specification does not allow are left out.
    ///
    /// Pages are followed by their `Link`, or, where a full one has none, by the name of the last tag. Docker Hub counts none of
    /// this as a pull. Less than all tags is an error: a page that cannot be read or brings nothing new, a link that leads to
    /// another origin, more pages or tags than are read.
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        let action = format!("list the tags of {}", self.0.repository);
        let mut url = self.0.url(&format!("tags/list?n={PAGE}"))?;
        let mut all = BTreeSet::new();
        for _ in 0..MAX_PAGES {
            let (tags, link) = persistently(|| self.page(&action, &url)).await?;
            let (before, last) = (
                all.len(),
                tags.last().filter(|_| tags.len() >= PAGE).cloned(),
            );
            all.extend(tags.into_iter().filter(|tag| is_tag(tag)));
            let is_new = all.len() > before;
            url = match (link, last) {
                (Some(_), _) if !is_new => {
                    return Err(self.endless(&action, "a page brings nothing new"));
                }
                (Some(link), _) => self.follow(&action, &url, &link)?,
                // Who knows neither `n` nor `last` has sent everything before.
                (None, Some(last)) if is_new => after(&url, &last),
                (None, _) => return Ok(all.into_iter().collect()),
            };
            if all.len() > MAX_TAGS {
                break;
            }
        }
        Err(self.endless(
            &action,
            &format!("there are more than {MAX_TAGS} tags, or {MAX_PAGES} pages"),
        ))
    }

    /// One page, and the address of the next as the answer gives it.
    async fn page(&self, action: &str, url: &Url) -> Result<(Vec<String>, Option<String>), Error> {
        let response = self
            .0
            .send(action, &Request::new(Method::GET, url.clone()))
            .await?;
        let link = next(response.headers());
        let bytes = self.read(action, response, MAX_PAGE_BYTES).await?;
        let page: Page = serde_json::from_slice(&bytes)
            .map_err(|error| self.0.error(Cause::Unexpected, action).because(error))?;
        Ok((page.tags.unwrap_or_default(), link))
    }

    /// A registry has no business to send us elsewhere.
    fn follow(&self, action: &str, url: &Url, link: &str) -> Result<Url, Error> {
        let next = url
            .join(link)
            .map_err(|error| self.0.error(Cause::Unexpected, action).because(error))?;
        if next.origin() == url.origin() {
            Ok(next)
        } else {
            Err(self
                .0
                .error(Cause::Unexpected, action)
                .because("the next page is said to be at another origin"))
        }
    }

    fn endless(&self, action: &str, why: &str) -> Error {
        self.0.error(Cause::Unexpected, action).because(why)
    }
}

/// The page that follows the tag `last`.
fn after(url: &Url, last: &str) -> Url {
    let mut next = url.clone();
    next.query_pairs_mut()
        .clear()
        .append_pair("n", &PAGE.to_string())
        .append_pair("last", last);
    next
}

/// The target of `Link: </v2/…>; rel="next"` ([RFC 8288](https://www.rfc-editor.org/rfc/rfc8288)).
fn next(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(next_of)
        .map(str::to_owned)
}

fn next_of(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, link)) = rest.split_once('<') {
        let (target, after) = link.split_once('>')?;
        let (parameters, others) = after.split_at(after.find('<').unwrap_or(after.len()));
        if parameters.split([';', ',']).any(is_next) {
            return Some(target);
        }
        rest = others;
    }
    None
}

fn is_next(parameter: &str) -> bool {
    let named = parameter
        .trim()
        .split_once('=')
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel"));
    named.is_some_and(|(_, value)| {
        value
            .trim()
            .trim_matches('"')
            .split(' ')
            .any(|word| word.eq_ignore_ascii_case("next"))
    })
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
            assert_eq!(next_of(header), expected, "{header}");
        }
    }

    #[test]
    fn a_page_without_tags_is_null_and_not_missing() {
        assert!(serde_json::from_str::<Page>(r#"{"name":"a","tags":null}"#).is_ok());
        assert!(serde_json::from_str::<Page>(r#"{"name":"a"}"#).is_err());
        assert!(serde_json::from_str::<Page>(r#"{"tags":[1]}"#).is_err());
    }
}
