//! The addresses that serve registries.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use url::Url;

use crate::image::reference::DOCKER_HUB;

/// Base addresses of registries, with overrides for tests and local use
/// (`REPLICATOR_REGISTRY_ENDPOINTS`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints(BTreeMap<String, Url>);

impl Endpoints {
    /// Reads `host=url` pairs that are separated by commas. The error lists every bad pair.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut overrides = BTreeMap::new();
        let mut problems = Vec::new();
        for pair in text.split(',').map(str::trim) {
            if pair.is_empty() {
                continue;
            }
            match parse_pair(pair) {
                Ok((host, url)) => drop(overrides.insert(host, url)),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(Self(overrides))
        } else {
            Err(problems)
        }
    }

    /// The address that is configured for `registry` in place of its own.
    pub fn override_of(&self, registry: &str) -> Option<&Url> {
        self.0.get(registry)
    }

    /// The address of `registry`, such as `https://registry-1.docker.io/`.
    ///
    /// A loopback host without an override uses plain HTTP, as with `docker`. All others use TLS.
    pub fn base(&self, registry: &str) -> Result<Url, String> {
        if let Some(url) = self.override_of(registry) {
            return Ok(url.clone());
        }
        let text = match registry {
            DOCKER_HUB => "https://registry-1.docker.io".to_owned(),
            _ if is_loopback(registry) => format!("http://{registry}"),
            _ => format!("https://{registry}"),
        };
        text.parse()
            .map_err(|_| format!("{registry:?} is not a registry host"))
    }
}

fn parse_pair(pair: &str) -> Result<(String, Url), String> {
    let Some((host, address)) = pair.split_once('=') else {
        return Err(format!("{pair:?} is not host=url"));
    };
    let url: Url = address
        .trim()
        .parse()
        .map_err(|error| format!("{host}: {error}"))?;
    let is_http = matches!(url.scheme(), "http" | "https");
    if !is_http || !url.has_host() {
        return Err(format!("{host}: {url} is not an http or https address"));
    }
    Ok((host.trim().to_owned(), url))
}

/// Whether `host`, with or without a port, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, _port)) => name,
        None => host,
    };
    if name == "localhost" {
        return true;
    }
    let address: Result<Ipv4Addr, _> = name.parse();
    address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(endpoints: &Endpoints, registry: &str, address: &str) {
        let base = endpoints.base(registry).unwrap();
        assert_eq!(base.as_str(), address, "{registry}");
    }

    #[test]
    fn loopback_uses_http_and_every_other_host_uses_tls() {
        let endpoints = Endpoints::default();
        check(&endpoints, "docker.io", "https://registry-1.docker.io/");
        check(&endpoints, "ghcr.io", "https://ghcr.io/");
        check(&endpoints, "127.0.0.1:5000", "http://127.0.0.1:5000/");
        check(&endpoints, "localhost:5000", "http://localhost:5000/");
    }

    #[test]
    fn an_override_replaces_the_address_of_its_registry_only() {
        let text = "docker.io=http://127.0.0.1:5001, quay.io=https://mirror.example";
        let endpoints = Endpoints::parse(text).unwrap();
        check(&endpoints, "docker.io", "http://127.0.0.1:5001/");
        check(&endpoints, "quay.io", "https://mirror.example/");
        check(&endpoints, "127.0.0.1:5000", "http://127.0.0.1:5000/");
        check(&endpoints, "ghcr.io", "https://ghcr.io/");
    }

    #[test]
    fn every_bad_pair_is_reported() {
        let text = "nonsense,docker.io=ftp://x,quay.io=http://ok";
        let problems = Endpoints::parse(text).unwrap_err();
        assert_eq!(
            problems,
            [
                "\"nonsense\" is not host=url",
                "docker.io: ftp://x/ is not an http or https address",
            ]
        );
    }
}
