//! Redirects. Blobs are served by other hosts, which must not get the registry's credential; a
//! redirect never leads from TLS to plain HTTP.

use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, StatusCode};
use url::Url;

use super::{Failure, Request};

/// The request that follows the response to `request`; `None` if it is no redirect.
pub(crate) fn follow(
    mut request: Request,
    status: StatusCode,
    location: Option<&HeaderValue>,
) -> Result<Option<Request>, Failure> {
    let is_redirect = match status.as_u16() {
        307 | 308 => true,
        301..=303 => matches!(request.method, Method::GET | Method::HEAD),
        _ => false,
    };
    let Some(location) = location.filter(|_| is_redirect) else {
        return Ok(None);
    };
    let url = resolve(&request.url, location)
        .ok_or(Failure::Refused("a redirect has no usable location"))?;
    if request.url.scheme() == "https" && url.scheme() != "https" {
        return Err(Failure::Refused("a redirect leads from TLS to plain HTTP"));
    }
    if url.origin() != request.url.origin() {
        request.headers.remove(AUTHORIZATION);
    }
    request.url = url;
    Ok(Some(request))
}

fn resolve(base: &Url, location: &HeaderValue) -> Option<Url> {
    let location = std::str::from_utf8(location.as_bytes()).ok()?;
    let url = base.join(location).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The address that a redirect from `from` to `to` leads to, and whether the request to it has
    /// the Authorization header.
    fn onward(
        method: Method,
        from: &str,
        status: u16,
        to: &'static str,
    ) -> Result<Option<(String, bool)>, String> {
        let request = Request::new(method, from.parse().unwrap())
            .header(AUTHORIZATION, HeaderValue::from_static("x"));
        let status = StatusCode::from_u16(status).unwrap();
        let location = HeaderValue::from_static(to);
        match follow(request, status, Some(&location)) {
            Ok(Some(next)) => Ok(Some((
                next.url.to_string(),
                next.headers.contains_key(AUTHORIZATION),
            ))),
            Ok(None) => Ok(None),
            Err(failure) => Err(failure.to_string()),
        }
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
    fn a_redirect_never_leaves_tls() {
        assert!(
            get("https://a/x", 307, "http://a/y")
                .unwrap_err()
                .contains("plain HTTP")
        );
        assert!(
            get("https://a/x", 307, "http://")
                .unwrap_err()
                .contains("no usable location")
        );
        assert!(
            get("http://a/x", 307, "ftp://a/y")
                .unwrap_err()
                .contains("no usable location")
        );
    }

    #[test]
    fn a_post_is_never_turned_into_a_get() {
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
