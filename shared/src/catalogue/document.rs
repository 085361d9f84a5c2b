//! The shape of a catalogue as people write it.

mod destinations;
mod platforms;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::{NonFiniteFloatPolicy, Spanned};

pub use destinations::{DestinationSpec, EcrPublicSpec, EcrSpec, Publish, RegistrySpec};
pub use platforms::PlatformsSpec;

use super::Problems;
use super::tags::TagsSpec;

/// One document, parsed but not yet resolved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    #[serde(skip)]
    name: String,
    #[serde(default)]
    destinations: BTreeMap<String, Spanned<DestinationSpec>>,
    /// What holds for images that do not set it.
    #[serde(default)]
    pub defaults: Defaults,
    /// Other registries that may have the same bytes, best first.
    #[serde(default)]
    pub origins: Vec<Spanned<String>>,
    /// What events may have copied besides the images.
    #[serde(default)]
    pub rescue: RescueSpec,
    /// What scans lead to.
    #[serde(default)]
    pub rescan: RescanSpec,
    /// The images.
    #[serde(default)]
    pub images: Vec<ImageEntry>,
}

/// What a pull failure may have copied although no document names it.
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
    /// Findings of at least this severity start a search for a newer image upstream. Unset: HIGH.
    pub severity: Option<Severity>,
}

/// The severity of a finding, from least to worst, as Amazon ECR and Amazon Inspector name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// For information only.
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

/// What holds for the images of one document.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Names of destinations.
    pub to: Option<Vec<String>>,
    /// The platforms that are copied. Unset: all.
    pub platforms: Option<PlatformsSpec>,
}

/// Tags of one repository.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageEntry {
    /// The repository, with a tag or a digest if `tags` is unset.
    pub image: Spanned<String>,
    /// The tags.
    pub tags: Option<Spanned<TagsSpec>>,
    /// Names of destinations. Unset: those of `defaults`.
    pub to: Option<Vec<String>>,
    /// Images of a higher priority are copied first.
    #[serde(default)]
    pub priority: i32,
    /// The platforms that are copied. Unset: those of `defaults`.
    pub platforms: Option<PlatformsSpec>,
}

impl Document {
    /// Parses `text`. Problems begin with `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        let options = serde_saphyr::options! {
            // YAML reads a tag such as `7e99999` as an infinite number.
            non_finite_float_policy: NonFiniteFloatPolicy::PassThrough
        };
        let mut document: Self = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| format!("{name}: {error}"))?;
        name.clone_into(&mut document.name);
        for entry in &mut document.images {
            if let Some(tags) = &mut entry.tags {
                tags.value.restore_scalars(text);
            }
        }
        Ok(document)
    }

    /// The destinations by name.
    pub(super) fn destinations(&self) -> impl Iterator<Item = (&str, &Spanned<DestinationSpec>)> {
        self.destinations
            .iter()
            .map(|(name, spec)| (name.as_str(), spec))
    }

    /// `document line 7: images[2]`, as problems begin.
    pub(super) fn at(&self, line: u64, key: &str) -> String {
        format!("{} line {line}: {key}", self.name)
    }
}

impl ImageEntry {
    /// The line of the entry's image.
    pub(super) fn line(&self) -> u64 {
        self.image.referenced.line()
    }
}
