//! Platforms: what an image runs on, and which of them are wanted.
//!
//! Two names of one platform are one platform here, by the rules of
//! [containerd's `platforms`](https://github.com/containerd/platforms): `linux/arm64` is `linux/arm64/v8`, `linux/arm` is
//! `linux/arm/v7`, `x86_64` is `amd64`. A version of Windows stands in parentheses: `windows(10.0.17763)/amd64`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::image::digest::Digest;

/// What an image runs on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    os: String,
    os_version: Option<String>,
    architecture: String,
    variant: Option<String>,
}

/// Says which text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a platform: want os/architecture or os/architecture/variant, such as linux/arm64 or linux/arm/v7"
)]
pub struct InvalidPlatform(String);

impl Platform {
    /// The platform with these parts, as an index or a configuration states them.
    pub fn new(
        os: &str,
        os_version: Option<&str>,
        architecture: &str,
        variant: Option<&str>,
    ) -> Self {
        let known = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let (architecture, variant) = normal(&architecture.to_lowercase(), known(variant));
        Self {
            os: os.to_lowercase(),
            os_version: known(os_version),
            architecture,
            variant,
        }
    }

    /// The platform that an image's configuration states; `None` where it states none, as that of a Helm chart.
    pub fn from_configuration(bytes: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Configuration {
            os: String,
            architecture: String,
            variant: Option<String>,
            #[serde(rename = "os.version")]
            os_version: Option<String>,
        }
        let stated: Configuration = serde_json::from_slice(bytes).ok()?;
        let is_stated = !stated.os.is_empty() && !stated.architecture.is_empty();
        let platform = Self::new(
            &stated.os,
            stated.os_version.as_deref(),
            &stated.architecture,
            stated.variant.as_deref(),
        );
        is_stated.then_some(platform)
    }

    /// Whether an image for `self` is what somebody wants who names `wanted`.
    ///
    /// A version of Windows that is not named is any; one that is named holds for its monthly builds too: `10.0.17763` is
    /// `10.0.17763.6293`.
    pub fn matches(&self, wanted: &Self) -> bool {
        let is_version = |wanted: &String| {
            let rest = self
                .os_version
                .as_deref()
                .and_then(|own| own.strip_prefix(wanted.as_str()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && self.variant == wanted.variant
            && wanted.os_version.as_ref().is_none_or(is_version)
    }
}

/// The one name of an architecture and its variant; the variant that a name alone means is left out.
fn normal(architecture: &str, variant: Option<String>) -> (String, Option<String>) {
    let architecture = match architecture {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        "i386" => "386",
        "armhf" => "arm",
        other => other,
    };
    let variant = variant.map(|text| {
        if text.starts_with('v') {
            text
        } else {
            format!("v{text}")
        }
    });
    let meant = match architecture {
        "amd64" => "v1",
        "arm64" => "v8",
        "arm" => "v7",
        _ => "",
    };
    (
        architecture.to_owned(),
        variant.filter(|variant| variant != meant),
    )
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || InvalidPlatform(text.chars().take(100).collect());
        let parts: Vec<&str> = text.split('/').collect();
        let is_word = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let (os, version) = match parts[0].strip_suffix(')').and_then(|os| os.split_once('(')) {
            Some((os, version)) => (os, Some(version)),
            None => (parts[0], None),
        };
        let words = [os]
            .into_iter()
            .chain(version)
            .chain(parts[1..].iter().copied());
        if !(2..=3).contains(&parts.len()) || !words.into_iter().all(is_word) {
            return Err(wrong());
        }
        Ok(Self::new(os, version, parts[1], parts.get(2).copied()))
    }
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
        self.variant
            .iter()
            .try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// The platforms of an image that are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Vec<Platform>", into = "Vec<Platform>")]
pub struct Platforms(Vec<Platform>);

impl Platforms {
    /// Every platform there is: the image stays byte for byte what upstream has.
    pub const ALL: Self = Self(Vec::new());

    /// Whether nothing is left out.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// The platforms by name, in one order however they were written; none stands for all.
    pub fn iter(&self) -> impl Iterator<Item = &Platform> {
        self.0.iter()
    }

    /// What either of two wants.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.is_all() || other.is_all() {
            return Self::ALL;
        }
        self.0.into_iter().chain(other.0).collect::<Vec<_>>().into()
    }

    /// A short name for this choice, for the record: 12 hexadecimal characters.
    pub fn fingerprint(&self) -> String {
        Digest::from_content(self.to_string().as_bytes())
            .short()
            .to_owned()
    }
}

impl From<Vec<Platform>> for Platforms {
    fn from(mut platforms: Vec<Platform>) -> Self {
        platforms.sort();
        platforms.dedup();
        Self(platforms)
    }
}

impl From<Platforms> for Vec<Platform> {
    fn from(platforms: Platforms) -> Self {
        platforms.0
    }
}

impl fmt::Display for Platforms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str("all");
        }
        f.write_str(
            &self
                .0
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(","),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn a_platform_has_one_name() {
        for (written, name) in [
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm", "linux/arm"),
            ("linux/arm/v7", "linux/arm"),
            ("linux/arm/6", "linux/arm/v6"),
            ("Linux/x86_64", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"),
        ] {
            assert_eq!(platform(written).to_string(), name, "{written}");
        }
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for text in [
            "",
            "linux",
            "linux/",
            "/amd64",
            "linux/arm/v7/x",
            "linux/am d64",
            "windows()/amd64",
            "a(b/c",
        ] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_version_of_windows_holds_for_its_builds() {
        let server = Platform::new("windows", Some("10.0.17763.6293"), "amd64", None);
        assert!(server.matches(&platform("windows/amd64")));
        assert!(server.matches(&platform("windows(10.0.17763)/amd64")));
        assert!(server.matches(&platform("windows(10.0.17763.6293)/amd64")));
        assert!(!server.matches(&platform("windows(10.0.1776)/amd64")));
        assert!(!server.matches(&platform("windows(10.0.20348)/amd64")));
        assert!(!server.matches(&platform("linux/amd64")));
    }

    #[test]
    fn a_configuration_states_its_platform() {
        let read = |text: &str| {
            Platform::from_configuration(text.as_bytes()).map(|platform| platform.to_string())
        };
        assert_eq!(
            read(r#"{"os":"linux","architecture":"arm64","variant":"v8","config":{}}"#).unwrap(),
            "linux/arm64"
        );
        assert_eq!(
            read(r#"{"os":"windows","architecture":"amd64","os.version":"10.0.1"}"#).unwrap(),
            "windows(10.0.1)/amd64"
        );
        assert_eq!(read(r#"{"name":"chart"}"#), None);
        assert_eq!(read(r#"{"os":"","architecture":""}"#), None);
    }

    #[test]
    fn a_variant_is_told_from_another() {
        assert!(Platform::new("linux", None, "arm", Some("v7")).matches(&platform("linux/arm")));
        assert!(!Platform::new("linux", None, "arm", Some("v6")).matches(&platform("linux/arm")));
        assert!(Platform::new("linux", None, "arm64", None).matches(&platform("linux/arm64/v8")));
    }

    #[test]
    fn a_choice_is_the_same_however_it_is_written() {
        let choice = |texts: &[&str]| {
            Platforms::from(texts.iter().map(|text| platform(text)).collect::<Vec<_>>())
        };
        let one = choice(&["linux/arm64", "linux/amd64"]);
        assert_eq!(one.to_string(), "linux/amd64,linux/arm64");
        assert_eq!(
            one.fingerprint(),
            choice(&["linux/x86_64", "linux/arm64/v8", "linux/amd64"]).fingerprint()
        );
        assert_ne!(one.fingerprint(), choice(&["linux/amd64"]).fingerprint());
        assert_eq!(
            one.clone().or(choice(&["linux/386"])).to_string(),
            "linux/386,linux/amd64,linux/arm64"
        );
        assert_eq!(one.or(Platforms::ALL), Platforms::ALL);
    }
}
