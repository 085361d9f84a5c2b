//! Which kind of registry a host is, and where requests to it really go.

use std::collections::BTreeMap;

use url::Url;

use crate::image::reference::DOCKER_HUB;

/// The host of every ECR Public repository.
pub const ECR_PUBLIC: &str = "public.ecr.aws";

/// What decides about credentials, quota and control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// Docker Hub: metered, with a token service of its own.
    DockerHub,
    /// Private Amazon ECR.
    Ecr {
        /// Twelve digits.
        account: String,
        /// Such as `eu-west-1`.
        region: String,
    },
    /// Amazon ECR Public.
    EcrPublic,
    /// Any other registry.
    Other,
}

impl Host {
    /// The kind of `registry`, which is the part of an image reference before the first slash.
    pub fn parse(registry: &str) -> Self {
        match registry {
            DOCKER_HUB => Self::DockerHub,
            ECR_PUBLIC => Self::EcrPublic,
            _ => ecr(registry).unwrap_or(Self::Other),
        }
    }
}

/// `ACCOUNT.dkr.ecr.REGION.amazonaws.com`, in China with `.cn` at the end
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>).
fn ecr(registry: &str) -> Option<Host> {
    let rest = registry
        .strip_suffix(".cn")
        .unwrap_or(registry)
        .strip_suffix(".amazonaws.com")?;
    let (account, region) = rest.split_once(".dkr.ecr.")?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let is_region = !region.is_empty()
        && region
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_account && is_region).then(|| Host::Ecr {
        account: account.to_owned(),
        region: region.to_owned(),
    })
}

/// The registry host of an account in a region.
pub fn ecr_host(account: &str, region: &str) -> String {
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("{account}.dkr.ecr.{region}.amazonaws.com{china}")
}

/// Base addresses of registries, with overrides for tests and local use (`REPLICATOR_REGISTRY_ENDPOINTS`).
#[derive(Clone, Debug, Default)]
pub struct Endpoints(BTreeMap<String, Url>);

impl Endpoints {
    /// Reads `host=url` pairs that are separated by commas; every bad pair is a problem.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let pairs = text
            .split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty());
        let (good, bad): (Vec<_>, Vec<_>) = pairs.map(endpoint).partition(Result::is_ok);
        if bad.is_empty() {
            Ok(Self(good.into_iter().flatten().collect()))
        } else {
            Err(bad.into_iter().filter_map(Result::err).collect())
        }
    }

    /// Whether `registry` is served from somewhere else than its name says.
    pub fn override_of(&self, registry: &str) -> Option<&Url> {
        self.0.get(registry)
    }

    /// The address of `registry`, such as `https://registry-1.docker.io/`.
    ///
    /// A loopback host without override speaks plain HTTP, as it does for `docker`; everything else speaks TLS.
    pub fn base(&self, registry: &str) -> Result<Url, String> {
        if let Some(url) = self.0.get(registry) {
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

fn endpoint(pair: &str) -> Result<(String, Url), String> {
    let (host, url) = pair
        .split_once('=')
        .ok_or_else(|| format!("{pair:?} is not host=url"))?;
    let url: Url = url
        .trim()
        .parse()
        .map_err(|error| format!("{host}: {error}"))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok((host.trim().to_owned(), url))
    } else {
        Err(format!("{host}: {url} is not an http or https address"))
    }
}

/// Whether `host`, which may carry a port, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost"
        || name
            .parse()
            .is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_tells_its_kind() {
        let ecr = |account: &str, region: &str| Host::Ecr {
            account: account.to_owned(),
            region: region.to_owned(),
        };
        assert_eq!(Host::parse("docker.io"), Host::DockerHub);
        assert_eq!(Host::parse("public.ecr.aws"), Host::EcrPublic);
        assert_eq!(
            Host::parse(&ecr_host("111122223333", "eu-west-1")),
            ecr("111122223333", "eu-west-1")
        );
        assert_eq!(
            Host::parse(&ecr_host("111122223333", "cn-north-1")),
            ecr("111122223333", "cn-north-1")
        );
        assert_eq!(
            Host::parse("111122223333.dkr.ecr.us-east-1.amazonaws.com.evil.example"),
            Host::Other
        );
        assert_eq!(
            Host::parse("11112222333x.dkr.ecr.us-east-1.amazonaws.com"),
            Host::Other
        );
    }

    #[test]
    fn loopback_is_plain_and_everything_else_is_tls() {
        let endpoints =
            Endpoints::parse("docker.io=http://127.0.0.1:5001, quay.io=https://mirror.example")
                .unwrap();
        let base = |registry| endpoints.base(registry).unwrap().to_string();
        assert_eq!(base("docker.io"), "http://127.0.0.1:5001/");
        assert_eq!(base("quay.io"), "https://mirror.example/");
        assert_eq!(base("127.0.0.1:5000"), "http://127.0.0.1:5000/");
        assert_eq!(base("ghcr.io"), "https://ghcr.io/");
        assert_eq!(
            Endpoints::default().base("docker.io").unwrap().as_str(),
            "https://registry-1.docker.io/"
        );
    }

    #[test]
    fn every_bad_pair_is_named() {
        let problems =
            Endpoints::parse("nonsense,docker.io=ftp://x,quay.io=http://ok").unwrap_err();
        assert_eq!(problems.len(), 2);
    }
}
