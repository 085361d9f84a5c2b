//! Redirects: blobs are served from other hosts, which must not see what authorizes at this one. TLS, once begun, is kept.

use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, StatusCode};

use crate::registry::{Failure, Request};

/// What to ask next where an answer leads on; `None` where it is the answer.
pub(crate) fn next(
    mut request: Request,
    status: StatusCode,
    location: Option<&HeaderValue>,
) -> Result<Option<Request>, Failure> {
    let leads_on = match status.as_u16() {
        307 | 308 => true,
        301..=303 => matches!(request.method, Method::GET | Method::HEAD),
        _ => false,
    };
    let Some(location) = location.filter(|_| leads_on) else {
        return Ok(None);
    };
    let url = std::str::from_utf8(location.as_bytes())
        .ok()
        .and_then(|location| request.url.join(location).ok());
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or(Failure::Refused("a redirect leads nowhere"))?;
    if request.url.scheme() == "https" && url.scheme() != "https" {
        return Err(Failure::Refused("a redirect leads from TLS to plain HTTP"));
    }
    if url.origin() != request.url.origin() {
        request.headers.remove(AUTHORIZATION);
    }
    request.url = url;
    Ok(Some(request))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a request from `from` goes on by `status` to `to`, and whether it still says who asks.
    fn onward(
        method: Method,
        from: &str,
        status: u16,
        to: &'static str,
    ) -> Result<Option<(String, bool)>, String> {
        let request = Request::new(method, from.parse().unwrap())
            .header(AUTHORIZATION, HeaderValue::from_static("x"));
        let found = next(
            request,
            StatusCode::from_u16(status).unwrap(),
            Some(&HeaderValue::from_static(to)),
        );
        let told = |onward: Request| {
            (
                onward.url.to_string(),
                onward.headers.contains_key(AUTHORIZATION),
            )
        };
        found
            .map(|onward| onward.map(told))
            .map_err(|failure| failure.to_string())
    }

    fn get(from: &str, status: u16, to: &'static str) -> Result<Option<(String, bool)>, String> {
        onward(Method::GET, from, status, to)
    }

    #[test]
    fn an_authorization_stays_at_its_origin() {
        let to = |url: &str, is_shown| Ok(Some((url.to_owned(), is_shown)));
        assert_eq!(get("https://a/x", 307, "/y"), to("https://a/y", true));
        assert_eq!(
            get("https://a/x", 307, "https://b/y"),
            to("https://b/y", false)
        );
        assert_eq!(
            get("https://a/x", 302, "https://a:444/y"),
            to("https://a:444/y", false)
        );
        assert_eq!(
            get("http://a/x", 301, "https://a/x"),
            to("https://a/x", false)
        );
    }

    #[test]
    fn tls_is_kept() {
        assert!(
            get("https://a/x", 307, "http://a/y")
                .unwrap_err()
                .contains("plain HTTP")
        );
        assert!(
            get("https://a/x", 307, "http://")
                .unwrap_err()
                .contains("nowhere")
        );
        assert!(
            get("http://a/x", 307, "ftp://a/y")
                .unwrap_err()
                .contains("nowhere")
        );
    }

    #[test]
    fn what_is_sent_is_never_turned_into_a_question() {
        for status in [301, 302, 303] {
            assert_eq!(onward(Method::POST, "https://a/x", status, "/y"), Ok(None));
        }
        assert!(
            onward(Method::PUT, "https://a/x", 308, "/y")
                .unwrap()
                .is_some()
        );
        assert_eq!(get("https://a/x", 200, "/y"), Ok(None));
        assert_eq!(get("https://a/x", 304, "/y"), Ok(None));
    }
}
