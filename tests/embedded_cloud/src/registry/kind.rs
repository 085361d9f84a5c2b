//! The kinds of registries, and how their behaviour differs.

/// The service whose behaviour a registry imitates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegistryKind {
    /// Docker Hub, which is read-only.
    DockerHub,
    /// A private registry of Amazon ECR.
    Ecr,
    /// Amazon ECR Public; names begin with the alias of the registry.
    EcrPublic { alias: &'static str },
    /// The ECR Public gallery of other publishers; names begin with their aliases.
    Gallery,
    /// Any registry that follows the OCI distribution specification, such as CNCF distribution.
    Distribution,
    /// A read-only pull-through cache of another registry, such as mirror.gcr.io.
    PullThroughCache,
}

/// When a registry checks the `Accept` header of a manifest request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Negotiation {
    Never,
    /// ECR converts what is pulled by tag, never what is pulled by digest.
    ByTag,
    Always,
}

impl RegistryKind {
    /// Whether this is ECR, ECR Public or its gallery.
    pub(crate) fn is_ecr(self) -> bool {
        matches!(self, Self::Ecr | Self::EcrPublic { .. } | Self::Gallery)
    }

    /// Whether pushes are allowed.
    pub(crate) fn takes_pushes(self) -> bool {
        !matches!(
            self,
            Self::DockerHub | Self::Gallery | Self::PullThroughCache
        )
    }

    /// Whether a push creates a missing repository. ECR does so only with a creation template.
    pub(crate) fn creates_repositories(self) -> bool {
        self == Self::Distribution
    }

    /// Whether manifest responses carry `Docker-Content-Digest`, and those to a PUT also
    /// `Location`.
    pub(crate) fn names_manifests(self) -> bool {
        !self.is_ecr()
    }

    /// Whether `tags/list` is offered. The guide of ECR Public: "with the exception of the tags
    /// API".
    pub(crate) fn lists_tags(self) -> bool {
        !matches!(self, Self::EcrPublic { .. } | Self::Gallery)
    }

    pub(crate) fn negotiation(self) -> Negotiation {
        match self {
            Self::DockerHub => Negotiation::Always,
            Self::Ecr | Self::EcrPublic { .. } | Self::Gallery => Negotiation::ByTag,
            Self::Distribution | Self::PullThroughCache => Negotiation::Never,
        }
    }
}
