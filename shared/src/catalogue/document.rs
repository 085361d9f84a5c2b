//! The shape of a catalogue as people write it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::tags::TagsSpec;
use crate::image::platform::{Platform, Platforms};

/// One document, read but not yet resolved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    #[serde(skip)]
    name: String,
    #[serde(default)]
    destinations: BTreeMap<String, Spanned<DestinationSpec>>,
    /// What holds for images that do not say otherwise.
    #[serde(default)]
    pub defaults: Defaults,
    /// Other registries that may have the same bytes, best first.
    #[serde(default)]
    pub origins: Vec<Spanned<String>>,
    /// What events may have copied beside the images.
    #[serde(default)]
    pub rescue: RescueSpec,
    /// What scans lead to.
    #[serde(default)]
    pub rescan: RescanSpec,
    /// The images.
    #[serde(default)]
    pub images: Vec<ImageEntry>,
}

/// What a pull failure may have copied although no catalogue names it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RescueSpec {
    /// Patterns of repositories, such as `library/*` or `quay.io/team/*`.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// What scans lead to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RescanSpec {
    /// Findings of this level and above ask upstream for something newer; absent: HIGH.
    pub severity: Option<Severity>,
}

/// How bad a finding is, from least to worst, as Amazon ECR and Amazon Inspector call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Worth knowing.
    Informational,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

/// When an image goes to a public registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Publish {
    /// With every other destination.
    #[default]
    Always,
    /// Once the scan of the private copy came back below `rescan.severity`.
    AfterCleanScan,
}

/// What holds for the images of one document.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Names of destinations.
    pub to: Option<Vec<String>>,
    /// Which platforms are copied; absent: all.
    pub platforms: Option<PlatformsSpec>,
}

/// Tags of one repository.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageEntry {
    /// The repository, with a tag or a digest where `tags` is not given.
    pub image: Spanned<String>,
    /// The tags.
    pub tags: Option<Spanned<TagsSpec>>,
    /// Names of destinations; absent: as `defaults` says.
    pub to: Option<Vec<String>>,
    /// Higher goes first.
    #[serde(default)]
    pub priority: i32,
    /// Which platforms are copied; absent: as `defaults` says, and there all.
    pub platforms: Option<PlatformsSpec>,
}

/// Which platforms of an index are copied, as it is written: `all`, or a list.
#[derive(Clone, Debug)]
pub struct PlatformsSpec(pub Platforms);

impl Serialize for PlatformsSpec {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_all() {
            serializer.serialize_str("all")
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for PlatformsSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Word(String),
            List(Vec<String>),
        }
        match Written::deserialize(deserializer)? {
            Written::Word(word) if word == "all" => Ok(Self(Platforms::ALL)),
            Written::Word(other) => Err(D::Error::custom(format!(
                "platforms: {other:?} is neither `all` nor a list"
            ))),
            Written::List(list) if list.is_empty() => Err(D::Error::custom(
                "platforms: the list is empty; write `all`, or name at least one",
            )),
            Written::List(list) => {
                let platforms: Result<Vec<Platform>, _> =
                    list.iter().map(|text| text.parse()).collect();
                platforms
                    .map(|platforms| Self(platforms.into()))
                    .map_err(|error| D::Error::custom(format!("platforms: {error}")))
            }
        }
    }
}

/// Where images go, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum DestinationSpec {
    /// Private Amazon ECR.
    Ecr(EcrSpec),
    /// Amazon ECR Public.
    EcrPublic(EcrPublicSpec),
    /// Any registry that speaks the OCI distribution specification.
    Registry(RegistrySpec),
}

/// Private Amazon ECR.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EcrSpec {
    /// Template of the repository's name.
    pub repository: String,
    /// Template of the tag.
    pub tag: Option<String>,
    /// AWS region; absent: the function's own.
    pub region: Option<String>,
    /// AWS account; absent: the function's own.
    pub account: Option<String>,
}

/// Amazon ECR Public.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EcrPublicSpec {
    /// Template of the repository's name, without the alias.
    pub repository: String,
    /// Template of the tag.
    pub tag: Option<String>,
    /// The registry's alias; absent: its primary one.
    pub alias: Option<String>,
    /// When images go there.
    #[serde(default)]
    pub publish: Publish,
}

/// Any other registry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrySpec {
    /// Host, with a port where needed.
    pub host: String,
    /// Template of the repository's path.
    pub repository: String,
    /// Template of the tag.
    pub tag: Option<String>,
}

impl Document {
    /// Reads `text`; `name` is how problems call the document.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        // A tag such as `7e99999` is a number beyond all bounds to YAML.
        let options = serde_saphyr::options! { non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough };
        let document: Result<Self, _> = serde_saphyr::from_str_with_options(text, options);
        let mut document = document.map_err(|error| Problems(vec![format!("{name}: {error}")]))?;
        document
            .images
            .iter_mut()
            .filter_map(|entry| entry.tags.as_mut())
            .for_each(|tags| tags.value.read_scalars(text));
        Ok(Self {
            name: name.to_owned(),
            ..document
        })
    }

    /// Destinations with the line on which each begins.
    pub(super) fn destinations(&self) -> impl Iterator<Item = (&str, (u64, &DestinationSpec))> {
        self.destinations
            .iter()
            .map(|(name, spec)| (name.as_str(), (spec.referenced.line(), &spec.value)))
    }

    /// `document line 7: images[2]`, as problems begin.
    pub(super) fn at(&self, line: u64, key: &str) -> String {
        format!("{} line {line}: {key}", self.name)
    }
}

impl ImageEntry {
    /// The line on which the entry's image stands.
    pub(super) fn line(&self) -> u64 {
        self.image.referenced.line()
    }
}

/// Everything that is wrong, so that it can be mended in one go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Adds one.
    pub fn add(&mut self, problem: String) {
        self.0.push(problem);
    }

    /// Adds those of another list.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value` when there are no problems, else the problems.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}
