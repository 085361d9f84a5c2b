//! The kind of a registry, as its host name tells it.

use crate::image::reference::DOCKER_HUB;

/// The host of every ECR Public repository.
pub const ECR_PUBLIC: &str = "public.ecr.aws";

/// The kind of a registry. It decides about credentials, quota and control plane.
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
    /// The kind of `registry`, the part of an image reference before the first slash.
    pub fn parse(registry: &str) -> Self {
        match registry {
            DOCKER_HUB => Self::DockerHub,
            ECR_PUBLIC => Self::EcrPublic,
            _ => parse_ecr(registry).unwrap_or(Self::Other),
        }
    }
}

/// `ACCOUNT.dkr.ecr.REGION.amazonaws.com`, in China with `.cn` at the end
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>).
fn parse_ecr(registry: &str) -> Option<Host> {
    let global = registry.strip_suffix(".cn").unwrap_or(registry);
    let name = global.strip_suffix(".amazonaws.com")?;
    let (account, region) = name.split_once(".dkr.ecr.")?;
    if !is_account(account) || !is_region(region) {
        return None;
    }
    Some(Host::Ecr {
        account: account.to_owned(),
        region: region.to_owned(),
    })
}

/// The registry host of an AWS account in a region.
pub fn ecr_host(account: &str, region: &str) -> String {
    let is_in_china = region.starts_with("cn-");
    let suffix = if is_in_china { ".cn" } else { "" };
    format!("{account}.dkr.ecr.{region}.amazonaws.com{suffix}")
}

/// Whether `text` can be an AWS account: twelve digits.
pub fn is_account(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit();
    text.len() == 12 && text.bytes().all(is_digit)
}

/// Whether `text` can be an AWS region, by its alphabet.
pub fn is_region(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ecr(account: &str, region: &str) -> Host {
        Host::Ecr {
            account: account.to_owned(),
            region: region.to_owned(),
        }
    }

    #[test]
    fn a_host_has_a_kind() {
        assert_eq!(Host::parse("docker.io"), Host::DockerHub);
        assert_eq!(Host::parse("public.ecr.aws"), Host::EcrPublic);
        assert_eq!(Host::parse("quay.io"), Host::Other);
    }

    #[test]
    fn an_ecr_host_has_an_account_and_a_region() {
        let account = "111122223333";
        for (region, host) in [
            ("eu-west-1", "111122223333.dkr.ecr.eu-west-1.amazonaws.com"),
            (
                "cn-north-1",
                "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn",
            ),
        ] {
            assert_eq!(ecr_host(account, region), host);
            assert_eq!(Host::parse(host), ecr(account, region));
        }
    }

    #[test]
    fn a_host_that_only_resembles_ecr_is_another_registry() {
        for host in [
            "111122223333.dkr.ecr.us-east-1.amazonaws.com.evil.example",
            "11112222333x.dkr.ecr.us-east-1.amazonaws.com",
            "11112222333.dkr.ecr.us-east-1.amazonaws.com",
            "111122223333.dkr.ecr..amazonaws.com",
            "111122223333.dkr.ecr.a.b.amazonaws.com",
        ] {
            assert_eq!(Host::parse(host), Host::Other, "{host}");
        }
    }
}
