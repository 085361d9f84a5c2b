//! Destinations as people write them.

use serde::Deserialize;

/// A destination: its registry, and the names that images get there.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum DestinationSpec {
    /// Private Amazon ECR.
    Ecr(EcrSpec),
    /// Amazon ECR Public.
    EcrPublic(EcrPublicSpec),
    /// Any registry that implements the OCI distribution specification.
    Registry(RegistrySpec),
}

/// Private Amazon ECR.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EcrSpec {
    /// Template of the repository's name.
    pub repository: String,
    /// Template of the tag. Unset: `{tag}`.
    pub tag: Option<String>,
    /// AWS region. Unset: the function's own.
    pub region: Option<String>,
    /// AWS account. Unset: the function's own.
    pub account: Option<String>,
}

/// Amazon ECR Public.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EcrPublicSpec {
    /// Template of the repository's name, without the alias.
    pub repository: String,
    /// Template of the tag. Unset: `{tag}`.
    pub tag: Option<String>,
    /// The registry's alias. Unset: its primary one.
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
    /// Template of the tag. Unset: `{tag}`.
    pub tag: Option<String>,
}

/// When an image goes to a public registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Publish {
    /// Together with every other destination.
    #[default]
    Always,
    /// Once the scan of the private copy has no finding of `rescan.severity` or above.
    AfterCleanScan,
}
