//! One repository at AWS, private or public: what both control planes offer.

use std::collections::HashSet;

use super::ecr::EcrRepository;
use super::ecr_public::EcrPublicRepository;
use super::{Aws, Mutability};
use crate::error::Error;
use crate::image::digest::Digest;
use crate::image::reference::RepositoryRef;
use crate::outcome::state::{ResourceTags, TagChanges};
use crate::plan::survey::RepositoryTags;

/// One repository with a control plane.
pub struct Repository<'a>(Either<'a>);

/// A repository that can be pushed to.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// Which of its tags may move.
    pub mutability: Mutability,
    /// Whether it was made just now, so that it holds nothing.
    pub is_new: bool,
}

/// The most layers that one call asks for (`BatchedOperationLayerDigestList` in ECR's API model).
pub const MAX_LAYERS_PER_CALL: usize = 100;

enum Either<'a> {
    Private(EcrRepository),
    Public(EcrPublicRepository<'a>),
}

impl Aws {
    /// The control plane of `at`; `None` for a registry that is not Amazon's.
    pub async fn repository(&self, at: &RepositoryRef) -> Option<Repository<'_>> {
        if let Some(private) = self.ecr_repository(at).await {
            return Some(Repository(Either::Private(private)));
        }
        self.ecr_public_repository(at)
            .await
            .map(|public| Repository(Either::Public(public)))
    }
}

impl Repository<'_> {
    /// Its tags and their digests; none where there is no repository.
    pub async fn mirror(&self) -> Result<RepositoryTags, Error> {
        match &self.0 {
            Either::Private(repository) => repository.mirror().await,
            Either::Public(repository) => repository.mirror().await,
        }
    }

    /// Describes it, and creates it where it is missing. Safe to run twice.
    pub async fn prepare(&self) -> Result<Prepared, Error> {
        match &self.0 {
            Either::Private(repository) => repository.prepare().await,
            Either::Public(repository) => repository.prepare().await,
        }
    }

    /// Which of `digests`, [`MAX_LAYERS_PER_CALL`] at the most, it holds as blobs: one call.
    pub async fn layers(&self, digests: &[&Digest]) -> Result<HashSet<Digest>, Error> {
        let found = match &self.0 {
            Either::Private(repository) => repository.layers(digests).await?,
            Either::Public(repository) => repository.layers(digests).await?,
        };
        Ok(found
            .iter()
            .filter_map(|digest| digest.parse().ok())
            .collect())
    }

    /// Its resource tags.
    pub async fn tags(&self) -> Result<ResourceTags, Error> {
        match &self.0 {
            Either::Private(repository) => repository.tags().await,
            Either::Public(repository) => repository.tags().await,
        }
    }

    /// Writes `changes` to its resource tags.
    pub async fn write_tags(&self, changes: &TagChanges) -> Result<(), Error> {
        match &self.0 {
            Either::Private(repository) => repository.write_tags(changes).await,
            Either::Public(repository) => repository.write_tags(changes).await,
        }
    }
}
