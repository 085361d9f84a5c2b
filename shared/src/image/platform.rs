//! Platforms, and choices of them.
//!
//! Two names of one platform are equal here, by the rules of
//! [containerd's `platforms`](https://github.com/containerd/platforms): `linux/arm64` is
//! `linux/arm64/v8`, `linux/arm` is `linux/arm/v7`, `x86_64` is `amd64`. A version of Windows is in
//! parentheses: `windows(10.0.17763)/amd64`.

mod choice;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use choice::Platforms;

/// What an image runs on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    os: String,
    os_version: Option<String>,
    architecture: String,
    variant: Option<String>,
}

/// A text that is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a platform: \
     want os/architecture or os/architecture/variant, \
     such as linux/arm64 or linux/arm/v7"
)]
pub struct InvalidPlatform(String);

impl Platform {
    /// The platform with these parts, as an index or a configuration has them.
    pub fn new(
        os: &str,
        os_version: Option<&str>,
        architecture: &str,
        variant: Option<&str>,
    ) -> Self {
        let architecture = normalize_architecture(architecture);
        let variant = variant.and_then(|text| normalize_variant(text, &architecture));
        Self {
            os: os.to_lowercase(),
            os_version: non_empty(os_version),
            architecture,
            variant,
        }
    }

    /// The platform in an image's configuration. `None` if it has none, as that of a Helm chart.
    pub fn from_configuration(bytes: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Configuration {
            os: String,
            architecture: String,
            variant: Option<String>,
            #[serde(rename = "os.version")]
            os_version: Option<String>,
        }
        let Configuration {
            os,
            architecture,
            variant,
            os_version,
        } = serde_json::from_slice(bytes).ok()?;
        if os.is_empty() || architecture.is_empty() {
            return None;
        }
        Some(Self::new(
            &os,
            os_version.as_deref(),
            &architecture,
            variant.as_deref(),
        ))
    }

    /// Whether an image for `self` serves the choice `choice`.
    ///
    /// A choice without a version of Windows accepts every version. One with a version accepts its
    /// monthly builds too: `10.0.17763` accepts `10.0.17763.6293`.
    pub fn matches(&self, choice: &Self) -> bool {
        self.os == choice.os
            && self.architecture == choice.architecture
            && self.variant == choice.variant
            && self.has_version(choice.os_version.as_deref())
    }

    fn has_version(&self, choice: Option<&str>) -> bool {
        let Some(choice) = choice else { return true };
        let own = self.os_version.as_deref().unwrap_or_default();
        match own.strip_prefix(choice) {
            Some(build) => build.is_empty() || build.starts_with('.'),
            None => false,
        }
    }
}

fn non_empty(text: Option<&str>) -> Option<String> {
    match text {
        None | Some("") => None,
        Some(text) => Some(text.to_owned()),
    }
}

/// The one name of an architecture.
fn normalize_architecture(text: &str) -> String {
    let name = text.to_lowercase();
    let normalized = match name.as_str() {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        "i386" => "386",
        "armhf" => "arm",
        _ => return name,
    };
    normalized.to_owned()
}

/// The one name of a variant. `None` for the default of its architecture.
fn normalize_variant(text: &str, architecture: &str) -> Option<String> {
    let number = text.strip_prefix('v').unwrap_or(text);
    let is_default = match architecture {
        "amd64" => number == "1",
        "arm64" => number == "8",
        "arm" => number == "7",
        _ => false,
    };
    if text.is_empty() || is_default {
        return None;
    }
    Some(format!("v{number}"))
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match parse(text) {
            Some(platform) => Ok(platform),
            None => Err(InvalidPlatform(text.chars().take(100).collect())),
        }
    }
}

/// Parses `os[(version)]/architecture[/variant]`.
fn parse(text: &str) -> Option<Platform> {
    let parts: Vec<&str> = text.split('/').collect();
    let (system, architecture, variant) = match parts[..] {
        [system, architecture] => (system, architecture, None),
        [system, architecture, variant] => (system, architecture, Some(variant)),
        _ => return None,
    };
    let (os, version) = split_version(system);
    let mut words = vec![os, architecture];
    words.extend(version);
    words.extend(variant);
    if !words.into_iter().all(is_word) {
        return None;
    }
    Some(Platform::new(os, version, architecture, variant))
}

/// Splits `windows(10.0.17763)`.
fn split_version(system: &str) -> (&str, Option<&str>) {
    let Some(text) = system.strip_suffix(')') else {
        return (system, None);
    };
    match text.split_once('(') {
        Some((os, version)) => (os, Some(version)),
        None => (system, None),
    }
}

fn is_word(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

impl TryFrom<String> for Platform {
    type Error = InvalidPlatform;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.os)?;
        if let Some(version) = &self.os_version {
            write!(f, "({version})")?;
        }
        write!(f, "/{}", self.architecture)?;
        if let Some(variant) = &self.variant {
            write!(f, "/{variant}")?;
        }
        Ok(())
    }
}
