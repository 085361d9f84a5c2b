//! Repositories of Amazon ECR Public.

use aws_sdk_ecrpublic::Client;
use aws_sdk_ecrpublic::operation::create_repository::CreateRepositoryError;
use aws_sdk_ecrpublic::types::{Layer, LayerAvailability, RepositoryCatalogDataInput, Tag};

use super::ecr::CREATED_BY;
use super::{Aws, Mutability, Prepared, error, take_in};
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::host::{ECR_PUBLIC, Host};
use crate::image::reference::RepositoryRef;
use crate::outcome::state::{ResourceTags, TagChanges};
use crate::plan::survey::RepositoryTags;

/// The most images that one page of an answer holds.
const PAGE: i32 = 1000;

/// One repository of ECR Public.
pub(super) struct EcrPublicRepository<'a> {
    aws: &'a Aws,
    client: Client,
    name: String,
}

/// Whose registry it is.
pub struct PublicRegistry {
    /// The alias that images are pulled by.
    pub alias: String,
    account: String,
}

impl Aws {
    /// The repository `at`, whose path begins with the registry's alias.
    pub(super) async fn ecr_public_repository(
        &self,
        at: &RepositoryRef,
    ) -> Option<EcrPublicRepository<'_>> {
        let (_, name) = at
            .path
            .split_once('/')
            .filter(|_| Host::parse(&at.registry) == Host::EcrPublic)?;
        Some(EcrPublicRepository {
            aws: self,
            client: self.ecr_public().await,
            name: name.to_owned(),
        })
    }

    /// This account's public registry, asked for once.
    pub async fn public_registry(&self) -> Result<&PublicRegistry, Error> {
        self.public_registry
            .get_or_try_init(|| async { describe(&self.ecr_public().await).await })
            .await
    }
}

async fn describe(client: &Client) -> Result<PublicRegistry, Error> {
    let action = "describe the public registry";
    let answer = client
        .describe_registries()
        .send()
        .await
        .map_err(|failure| error(Side::Destination, action, &failure))?;
    let registry = answer.registries().first();
    let alias = registry.and_then(|registry| {
        registry
            .aliases()
            .iter()
            .find(|alias| alias.primary_registry_alias())
    });
    match (registry, alias) {
        (Some(registry), Some(alias)) => {
            Ok(PublicRegistry { alias: alias.name().to_owned(), account: registry.registry_id().to_owned() })
        }
        _ => Err(Error::new(Side::Destination, Cause::NotFound, action).because(
            "it has no alias yet; create a first public repository by hand, or name the alias in the catalogue",
        )),
    }
}

impl EcrPublicRepository<'_> {
    /// Tags and digests: one call for every 1,000 images. The API has no filter for tagged ones.
    pub(super) async fn mirror(&self) -> Result<RepositoryTags, Error> {
        let request = self.client.describe_images().repository_name(&self.name);
        let mut pages = request.max_results(PAGE).into_paginator().send();
        let mut mirror = RepositoryTags::new();
        while let Some(page) = pages.next().await {
            let page = match page.map_err(|failure| self.error("list images of", &failure)) {
                Err(error) if *error.cause() == Cause::NotFound => return Ok(RepositoryTags::new()),
                other => other?,
            };
            for image in page.image_details() {
                take_in(&mut mirror, image.image_digest(), image.image_tags());
            }
        }
        Ok(mirror)
    }

    /// Makes sure that the repository is there. ECR Public knows no immutable tags, no scanning and no lifecycle rules.
    pub(super) async fn prepare(&self) -> Result<Prepared, Error> {
        let described = self
            .client
            .describe_repositories()
            .repository_names(&self.name)
            .send()
            .await;
        match described.map_err(|failure| self.error("describe", &failure)) {
            Err(error) if *error.cause() == Cause::NotFound => self.create().await,
            other => other.map(|_| Prepared::default()),
        }
    }

    async fn create(&self) -> Result<Prepared, Error> {
        let about = RepositoryCatalogDataInput::builder()
            .description("Mirrored by image-replicator")
            .build();
        let tag = Tag::builder().key(CREATED_BY.0).value(CREATED_BY.1).build();
        let request = self
            .client
            .create_repository()
            .repository_name(&self.name)
            .catalog_data(about)
            .tags(tag);
        if let Err(failure) = request.send().await {
            let error = failure.as_service_error();
            let is_there =
                error.is_some_and(CreateRepositoryError::is_repository_already_exists_exception);
            return if is_there {
                Ok(Prepared::default())
            } else {
                Err(self.error("create", &failure))
            };
        }
        Ok(Prepared {
            mutability: Mutability::default(),
            is_new: true,
        })
    }

    /// Which of `digests` are there.
    pub(super) async fn layers(&self, digests: &[&Digest]) -> Result<Vec<String>, Error> {
        let digests = digests.iter().map(ToString::to_string).collect();
        let request = self
            .client
            .batch_check_layer_availability()
            .repository_name(&self.name);
        let answer = request.set_layer_digests(Some(digests)).send().await;
        let layers = answer
            .map_err(|failure| self.error("look for layers in", &failure))?
            .layers
            .unwrap_or_default();
        let is_there =
            |layer: &Layer| layer.layer_availability == Some(LayerAvailability::Available);
        Ok(layers
            .into_iter()
            .filter(is_there)
            .filter_map(|layer| layer.layer_digest)
            .collect())
    }

    /// The repository's resource tags.
    pub(super) async fn tags(&self) -> Result<ResourceTags, Error> {
        let answer = self
            .client
            .list_tags_for_resource()
            .resource_arn(self.arn().await?)
            .send()
            .await;
        let tags = answer
            .map_err(|failure| self.error("read the tags of", &failure))?
            .tags
            .unwrap_or_default();
        Ok(tags
            .into_iter()
            .filter_map(|tag| Some((tag.key?, tag.value?)))
            .collect())
    }

    /// Writes `changes`: what goes first makes room for what comes.
    pub(super) async fn write_tags(&self, changes: &TagChanges) -> Result<(), Error> {
        let arn = self.arn().await?;
        if !changes.remove.is_empty() {
            let keys = Some(changes.remove.clone());
            let request = self
                .client
                .untag_resource()
                .resource_arn(&arn)
                .set_tag_keys(keys);
            request
                .send()
                .await
                .map_err(|failure| self.error("untag", &failure))?;
        }
        if !changes.set.is_empty() {
            let tag =
                |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
            let tags = changes.set.iter().map(tag).collect();
            let request = self
                .client
                .tag_resource()
                .resource_arn(&arn)
                .set_tags(Some(tags));
            request
                .send()
                .await
                .map_err(|failure| self.error("tag", &failure))?;
        }
        Ok(())
    }

    /// `arn:aws:ecr-public::ACCOUNT:repository/NAME`, without a region.
    async fn arn(&self) -> Result<String, Error> {
        let registry = self.aws.public_registry().await?;
        Ok(format!(
            "arn:aws:ecr-public::{}:repository/{}",
            registry.account, self.name
        ))
    }

    fn error<E>(&self, verb: &str, failure: &aws_sdk_ecrpublic::error::SdkError<E>) -> Error
    where
        E: aws_sdk_ecrpublic::error::ProvideErrorMetadata
            + std::error::Error
            + Send
            + Sync
            + 'static,
    {
        error(
            Side::Destination,
            &format!("{verb} repository {} in {ECR_PUBLIC}", self.name),
            failure,
        )
    }
}
