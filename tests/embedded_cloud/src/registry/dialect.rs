//! How registries differ, as answers to questions.

/// Whose behaviour a registry shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Docker Hub, which is only read.
    DockerHub,
    /// A private registry of Amazon ECR.
    Ecr,
    /// Amazon ECR Public; names begin with the alias of the registry.
    EcrPublic { alias: &'static str },
    /// What others publish in Amazon ECR Public; names begin with their aliases.
    Gallery,
    /// Any registry that follows the OCI distribution specification, such as CNCF distribution.
    Distribution,
    /// The same, but only read: a cache of another registry, such as mirror.gcr.io.
    PullThroughCache,
}

/// When a registry looks at the `Accept` header of a manifest request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Negotiation {
    Never,
    /// ECR converts what is pulled by tag, never what is pulled by digest.
    ByTag,
    Always,
}

impl Dialect {
    /// Whether this is one of the kinds of ECR.
    pub(crate) fn is_ecr(self) -> bool {
        matches!(self, Self::Ecr | Self::EcrPublic { .. } | Self::Gallery)
    }

    /// Whether anything may be pushed.
    pub(crate) fn takes_pushes(self) -> bool {
        !matches!(
            self,
            Self::DockerHub | Self::Gallery | Self::PullThroughCache
        )
    }

    /// Whether a push makes a repository that is missing. ECR only does so with a creation template.
    pub(crate) fn creates_repositories(self) -> bool {
        self == Self::Distribution
    }

    /// Whether answers about manifests carry `Docker-Content-Digest`, and those to a PUT also `Location`.
    pub(crate) fn names_manifests(self) -> bool {
        !self.is_ecr()
    }

    /// Whether `tags/list` is offered: "with the exception of the tags API", says the guide of ECR Public.
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
