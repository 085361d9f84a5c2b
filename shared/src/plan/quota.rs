//! Docker Hub's pull quota, as its response headers state it.
//!
//! Each response to a manifest request has the headers; a HEAD request is free. A response without
//! them comes from a registry, an account or an image whose pulls are not metered.
//! Source: <https://docs.docker.com/docker-hub/usage/pulls/>.

use serde::Serialize;

/// The quota as of some response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// Pulls that are allowed in one window.
    pub limit: Option<u32>,
    /// Pulls that remain of the limit.
    pub remaining: Option<u32>,
    /// The length of the window in seconds.
    pub window_seconds: Option<u64>,
    /// Whether pulls are counted.
    pub metered: bool,
}

impl Quota {
    /// No pulls are counted, as far as responses show.
    pub const UNMETERED: Self = Self {
        limit: None,
        remaining: None,
        window_seconds: None,
        metered: false,
    };

    /// Parses the values of `ratelimit-limit` and `ratelimit-remaining`, such as `100;w=21600` and
    /// `76;w=21600`. Absent or malformed values give [`Quota::UNMETERED`].
    pub fn parse(limit: Option<&str>, remaining: Option<&str>) -> Self {
        let limit = limit.and_then(parse_header);
        let remaining = remaining.and_then(parse_header);
        let (Some(limit), Some(remaining)) = (limit, remaining) else {
            return Self::UNMETERED;
        };
        Self {
            limit: Some(limit.pulls),
            remaining: Some(remaining.pulls),
            window_seconds: limit.window_seconds,
            metered: true,
        }
    }
}

/// The value of a `ratelimit-…` header.
struct RateLimitHeader {
    pulls: u32,
    window_seconds: Option<u64>,
}

fn parse_header(value: &str) -> Option<RateLimitHeader> {
    let mut parts = value.split(';');
    let pulls = parts.next()?.trim().parse().ok()?;
    let window_seconds =
        parts.find_map(|parameter| parameter.trim().strip_prefix("w=")?.parse().ok());
    Some(RateLimitHeader {
        pulls,
        window_seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_of_docker_hub_are_parsed() {
        let quota = Quota::parse(Some("100;w=21600"), Some("76;w=21600"));
        let expected = Quota {
            limit: Some(100),
            remaining: Some(76),
            window_seconds: Some(21_600),
            metered: true,
        };
        assert_eq!(quota, expected);
    }

    #[test]
    fn a_header_without_a_window_is_metered() {
        let quota = Quota::parse(Some("100"), Some(" 76 ; x=1"));
        let expected = Quota {
            limit: Some(100),
            remaining: Some(76),
            window_seconds: None,
            metered: true,
        };
        assert_eq!(quota, expected);
    }

    #[test]
    fn absent_or_malformed_headers_mean_unmetered() {
        let valid = Some("100;w=21600");
        assert_eq!(Quota::parse(None, None), Quota::UNMETERED);
        assert_eq!(Quota::parse(valid, None), Quota::UNMETERED);
        assert_eq!(Quota::parse(Some("many"), valid), Quota::UNMETERED);
        assert_eq!(Quota::parse(valid, Some("few")), Quota::UNMETERED);
    }
}
