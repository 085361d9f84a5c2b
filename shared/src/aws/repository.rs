//! One repository at AWS, private or public: what both control planes offer.

use super::ecr::EcrRepository;
use super::ecr_public::EcrPublicRepository;
use super::{Aws, Mutability};
use crate::error::Error;
use crate::plan::Mirror;
use crate::reference::RepositoryRef;
use crate::state::{Changes, Tags};

/// One repository with a control plane.
pub struct Repository<'a>(Either<'a>);

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
        self.ecr_public_repository(at).await.map(|public| Repository(Either::Public(public)))
    }
}

impl Repository<'_> {
    /// Its tags and their digests; none where there is no repository.
    pub async fn mirror(&self) -> Result<Mirror, Error> {
        match &self.0 {
            Either::Private(repository) => repository.mirror().await,
            Either::Public(repository) => repository.mirror().await,
        }
    }

    /// Describes it, creates it where it is missing, and says which of its tags may move. Safe to run twice.
    pub async fn prepare(&self) -> Result<Mutability, Error> {
        match &self.0 {
            Either::Private(repository) => repository.prepare().await,
            // ECR Public knows no immutable tags.
            Either::Public(repository) => repository.prepare().await.map(|()| Mutability::default()),
        }
    }

    /// Its resource tags.
    pub async fn tags(&self) -> Result<Tags, Error> {
        match &self.0 {
            Either::Private(repository) => repository.tags().await,
            Either::Public(repository) => repository.tags().await,
        }
    }

    /// Writes `changes` to its resource tags.
    pub async fn write_tags(&self, changes: &Changes) -> Result<(), Error> {
        match &self.0 {
            Either::Private(repository) => repository.write_tags(changes).await,
            Either::Public(repository) => repository.write_tags(changes).await,
        }
    }
}
