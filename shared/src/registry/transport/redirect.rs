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

    /// The request that follows a response with `status` and the location `to`.
    fn onward(
        method: Method,
        from: &str,
        status: u16,
        to: &'static str,
    ) -> Result<Option<Request>, Failure> {
        let request = Request::new(method, from.parse().unwrap())
            .header(AUTHORIZATION, HeaderValue::from_static("x"));
        let status = StatusCode::from_u16(status).unwrap();
        let location = HeaderValue::from_static(to);
        follow(request, status, Some(&location))
    }

    /// Checks the request that follows a redirected GET.
    #[track_caller]
    fn check(from: &str, status: u16, to: &'static str, expected: &str, is_authorized: bool) {
        let next = onward(Method::GET, from, status, to).unwrap().unwrap();
        assert_eq!(next.url.as_str(), expected);
        let has_authorization = next.headers.contains_key(AUTHORIZATION);
        assert_eq!(has_authorization, is_authorized);
    }

    #[track_caller]
    fn check_failure(from: &str, to: &'static str, expected: &str) {
        let failure = onward(Method::GET, from, 307, to).err().unwrap();
        let text = failure.to_string();
        assert!(text.contains(expected), "{text}");
    }

    fn is_followed(method: Method, status: u16) -> bool {
        let next = onward(method, "https://a/x", status, "/y");
        next.unwrap().is_some()
    }

    #[test]
    fn an_authorization_stays_at_its_origin() {
        check("https://a/x", 307, "/y", "https://a/y", true);
        for to in ["https://b/y", "https://a:444/y"] {
            check("https://a/x", 307, to, to, false);
            check("https://a/x", 302, to, to, false);
        }
        check("http://a/x", 301, "https://a/x", "https://a/x", false);
    }

    #[test]
    fn a_redirect_never_leaves_tls() {
        check_failure("https://a/x", "http://a/y", "plain HTTP");
        check_failure("https://a/x", "http://", "no usable location");
        check_failure("http://a/x", "ftp://a/y", "no usable location");
    }

    #[test]
    fn a_post_is_never_turned_into_a_get() {
        for status in [301, 302, 303] {
            assert!(!is_followed(Method::POST, status), "{status}");
        }
        assert!(is_followed(Method::PUT, 308));
        assert!(!is_followed(Method::GET, 200));
        assert!(!is_followed(Method::GET, 304));
    }
}
