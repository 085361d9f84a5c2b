//! The shape of a catalogue as people write it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_saphyr::Spanned;

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
    /// The images.
    #[serde(default)]
    pub images: Vec<Entry>,
}

/// What holds for the images of one document.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Names of destinations.
    pub to: Option<Vec<String>>,
    #[serde(default, rename = "platforms")]
    _platforms: Platforms,
}

/// Tags of one repository.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The repository, with a tag where `tags` is not given.
    pub image: Spanned<String>,
    /// The tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Names of destinations; absent: as `defaults` says.
    pub to: Option<Vec<String>>,
    /// Higher goes first.
    #[serde(default)]
    pub priority: i32,
    #[serde(default, rename = "platforms")]
    _platforms: Platforms,
}

/// Which platforms of an index are copied: all of them, so that its digest stays what it was.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Platforms {
    /// The whole index, byte for byte.
    #[default]
    All,
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
        let document: Result<Self, _> = serde_saphyr::from_str(text);
        document
            .map(|document| Self { name: name.to_owned(), ..document })
            .map_err(|error| Problems(vec![format!("{name}: {error}")]))
    }

    /// Destinations with the line on which each begins.
    pub(super) fn destinations(&self) -> impl Iterator<Item = (&str, (u64, &DestinationSpec))> {
        self.destinations.iter().map(|(name, spec)| (name.as_str(), (spec.referenced.line(), &spec.value)))
    }

    /// `document line 7: images[2]`, as problems begin.
    pub(super) fn at(&self, line: u64, key: &str) -> String {
        format!("{} line {line}: {key}", self.name)
    }
}

impl Entry {
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
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}
