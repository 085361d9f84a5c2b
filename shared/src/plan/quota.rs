//! Docker Hub's pull quota, as its answers state it.
//!
//! Every answer to a manifest request carries the numbers; a HEAD carries them for free. An answer without them comes
//! from a registry, an account or an image that is not metered.
//! Source: <https://docs.docker.com/docker-hub/usage/pulls/>.

use serde::Serialize;

/// The quota after some answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// Pulls that a window allows.
    pub limit: Option<u32>,
    /// Pulls that are left in it.
    pub remaining: Option<u32>,
    /// Length of the window.
    pub window_seconds: Option<u64>,
    /// Whether pulls are counted at all.
    pub metered: bool,
}

impl Quota {
    /// Nothing is counted, as far as the answers tell.
    pub const UNMETERED: Self = Self {
        limit: None,
        remaining: None,
        window_seconds: None,
        metered: false,
    };

    /// Reads the values of `ratelimit-limit` and `ratelimit-remaining`, such as `100;w=21600` and `76;w=21600`.
    pub fn parse(limit: Option<&str>, remaining: Option<&str>) -> Self {
        let (Some((limit, window_seconds)), Some((remaining, _))) =
            (limit.and_then(pair), remaining.and_then(pair))
        else {
            return Self::UNMETERED;
        };
        Self {
            limit: Some(limit),
            remaining: Some(remaining),
            window_seconds,
            metered: true,
        }
    }
}

fn pair(value: &str) -> Option<(u32, Option<u64>)> {
    let (count, parameters) = value.split_once(';').unwrap_or((value, ""));
    let window = parameters
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix("w=")?.parse().ok());
    Some((count.trim().parse().ok()?, window))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_of_docker_hub_are_read() {
        let quota = Quota::parse(Some("100;w=21600"), Some("76;w=21600"));
        assert_eq!(
            quota,
            Quota {
                limit: Some(100),
                remaining: Some(76),
                window_seconds: Some(21_600),
                metered: true
            }
        );
    }

    #[test]
    fn absent_or_strange_headers_mean_unmetered() {
        assert_eq!(Quota::parse(None, None), Quota::UNMETERED);
        assert_eq!(Quota::parse(Some("many"), Some("few")), Quota::UNMETERED);
    }
}
