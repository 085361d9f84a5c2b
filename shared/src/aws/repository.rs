//! A repository of ECR or ECR Public: what both control planes offer.

use std::collections::HashSet;

use super::control_plane::{Created, Prepared};
use super::ecr::EcrRepository;
use super::ecr_public::EcrPublicRepository;
use super::{Aws, Mutability};
use crate::error::{Cause, Error};
use crate::image::digest::Digest;
use crate::image::reference::RepositoryRef;
use crate::outcome::state::{ResourceTags, TagChanges};
use crate::plan::survey::RepositoryTags;

/// One repository with a control plane.
pub struct Repository<'a> {
    service: Service<'a>,
}

enum Service<'a> {
    Ecr(EcrRepository),
    EcrPublic(EcrPublicRepository<'a>),
}

impl Aws {
    /// The control plane of `at`; `None` for other registries than ECR and ECR Public.
    pub async fn repository(&self, at: &RepositoryRef) -> Option<Repository<'_>> {
        if let Some(private) = self.ecr_repository(at).await {
            let service = Service::Ecr(private);
            return Some(Repository { service });
        }
        let public = self.ecr_public_repository(at).await?;
        let service = Service::EcrPublic(public);
        Some(Repository { service })
    }
}

impl Repository<'_> {
    /// Its tags and their digests; none if the repository does not exist.
    pub async fn image_tags(&self) -> Result<RepositoryTags, Error> {
        let listed = match &self.service {
            Service::Ecr(repository) => repository.list_images().await,
            Service::EcrPublic(repository) => repository.list_images().await,
        };
        match listed {
            Err(error) if *error.cause() == Cause::NotFound => Ok(RepositoryTags::new()),
            result => result,
        }
    }

    /// Describes it, and creates it if it does not exist. Safe to run twice.
    pub async fn prepare(&self) -> Result<Prepared, Error> {
        let described = match &self.service {
            Service::Ecr(repository) => repository.describe().await,
            Service::EcrPublic(repository) => repository.describe().await,
        };
        match described {
            Err(error) if *error.cause() == Cause::NotFound => {}
            Err(error) => return Err(error),
            Ok(mutability) => {
                return Ok(Prepared {
                    mutability,
                    is_new: false,
                });
            }
        }
        let created = match &self.service {
            Service::Ecr(repository) => repository.create().await?,
            Service::EcrPublic(repository) => repository.create().await?,
        };
        Ok(Prepared {
            mutability: Mutability::default(),
            is_new: created == Created::Now,
        })
    }

    /// Which of `digests`, at most [`MAX_LAYERS_PER_CALL`](super::MAX_LAYERS_PER_CALL), it has as blobs: one call.
    pub async fn layers(&self, digests: &[&Digest]) -> Result<HashSet<Digest>, Error> {
        let names = digests.iter().map(ToString::to_string).collect();
        let found = match &self.service {
            Service::Ecr(repository) => repository.layers(names).await?,
            Service::EcrPublic(repository) => repository.layers(names).await?,
        };
        let found = found.iter().filter_map(|digest| digest.parse().ok());
        Ok(found.collect())
    }

    /// Its resource tags.
    pub async fn tags(&self) -> Result<ResourceTags, Error> {
        match &self.service {
            Service::Ecr(repository) => repository.tags().await,
            Service::EcrPublic(repository) => repository.tags().await,
        }
    }

    /// Writes `changes` to its resource tags. Tags are removed first: their number is limited.
    pub async fn write_tags(&self, changes: &TagChanges) -> Result<(), Error> {
        if !changes.remove.is_empty() {
            let keys = changes.remove.clone();
            match &self.service {
                Service::Ecr(repository) => repository.remove_tags(keys).await?,
                Service::EcrPublic(repository) => repository.remove_tags(keys).await?,
            }
        }
        if !changes.set.is_empty() {
            match &self.service {
                Service::Ecr(repository) => repository.set_tags(&changes.set).await?,
                Service::EcrPublic(repository) => repository.set_tags(&changes.set).await?,
            }
        }
        Ok(())
    }
}
