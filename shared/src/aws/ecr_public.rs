//! Repositories of Amazon ECR Public.

use aws_sdk_ecrpublic::Client;
use aws_sdk_ecrpublic::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecrpublic::operation::create_repository::CreateRepositoryError;
use aws_sdk_ecrpublic::types::{LayerAvailability, Registry, RepositoryCatalogDataInput, Tag};

use super::control_plane::{CREATED_BY_KEY, CREATED_BY_VALUE, Created, PAGE_SIZE, add_image};
use super::{Aws, Mutability, error};
use crate::error::{Cause, Error, Side};
use crate::image::host::{ECR_PUBLIC, Host};
use crate::image::reference::RepositoryRef;
use crate::outcome::state::ResourceTags;
use crate::plan::survey::RepositoryTags;

/// One repository of ECR Public.
pub(super) struct EcrPublicRepository<'a> {
    aws: &'a Aws,
    client: Client,
    name: String,
}

/// The public registry of this account.
pub struct PublicRegistry {
    /// The alias in the names of its images.
    pub alias: String,
    account: String,
}

impl Aws {
    /// The repository `at`, whose path begins with the alias of the registry.
    pub(super) async fn ecr_public_repository(
        &self,
        at: &RepositoryRef,
    ) -> Option<EcrPublicRepository<'_>> {
        if Host::parse(&at.registry) != Host::EcrPublic {
            return None;
        }
        let (_alias, name) = at.path.split_once('/')?;
        Some(EcrPublicRepository {
            aws: self,
            client: self.ecr_public().await,
            name: name.to_owned(),
        })
    }

    /// This account's public registry. It is requested once.
    pub async fn public_registry(&self) -> Result<&PublicRegistry, Error> {
        let describe = || async { describe_registry(&self.ecr_public().await).await };
        self.public_registry.get_or_try_init(describe).await
    }
}

async fn describe_registry(client: &Client) -> Result<PublicRegistry, Error> {
    let action = "describe the public registry";
    let response = client
        .describe_registries()
        .send()
        .await
        .map_err(|failure| error(Side::Destination, action, &failure))?;
    if let Some(registry) = response.registries().first()
        && let Some(alias) = primary_alias(registry)
    {
        return Ok(PublicRegistry {
            alias: alias.to_owned(),
            account: registry.registry_id().to_owned(),
        });
    }
    Err(
        Error::new(Side::Destination, Cause::NotFound, action).because(
            "it has no alias yet; create a first public repository by hand, \
         or name the alias in the catalogue",
        ),
    )
}

fn primary_alias(registry: &Registry) -> Option<&str> {
    let mut aliases = registry.aliases().iter();
    let primary = aliases.find(|alias| alias.primary_registry_alias())?;
    Some(primary.name())
}

impl EcrPublicRepository<'_> {
    /// Tags and digests: one call for every 1,000 images. The API has no filter for tagged ones.
    pub(super) async fn list_images(&self) -> Result<RepositoryTags, Error> {
        let request = self
            .client
            .describe_images()
            .repository_name(&self.name)
            .max_results(PAGE_SIZE);
        let mut pages = request.into_paginator().send();
        let mut tags = RepositoryTags::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|failure| self.error("list images of", &failure))?;
            for image in page.image_details() {
                add_image(&mut tags, image.image_digest(), image.image_tags());
            }
        }
        Ok(tags)
    }

    /// Which tags may move: all of them. ECR Public has no immutable tags.
    pub(super) async fn describe(&self) -> Result<Mutability, Error> {
        let request = self
            .client
            .describe_repositories()
            .repository_names(&self.name);
        match request.send().await {
            Ok(_) => Ok(Mutability::default()),
            Err(failure) => Err(self.error("describe", &failure)),
        }
    }

    /// Creates the repository. ECR Public has no scanning and no lifecycle policies.
    pub(super) async fn create(&self) -> Result<Created, Error> {
        let catalog_data = RepositoryCatalogDataInput::builder()
            .description("Mirrored by image-replicator")
            .build();
        let request = self
            .client
            .create_repository()
            .repository_name(&self.name)
            .catalog_data(catalog_data)
            .tags(tag(CREATED_BY_KEY, CREATED_BY_VALUE));
        let Err(failure) = request.send().await else {
            return Ok(Created::Now);
        };
        let error = failure.as_service_error();
        if error.is_some_and(CreateRepositoryError::is_repository_already_exists_exception) {
            Ok(Created::ByOthers)
        } else {
            Err(self.error("create", &failure))
        }
    }

    /// Which of `digests` exist.
    pub(super) async fn layers(&self, digests: Vec<String>) -> Result<Vec<String>, Error> {
        let request = self
            .client
            .batch_check_layer_availability()
            .repository_name(&self.name)
            .set_layer_digests(Some(digests));
        let response = request
            .send()
            .await
            .map_err(|failure| self.error("look for layers in", &failure))?;
        let layers = response.layers.unwrap_or_default().into_iter();
        let available =
            layers.filter(|layer| layer.layer_availability == Some(LayerAvailability::Available));
        Ok(available.filter_map(|layer| layer.layer_digest).collect())
    }

    /// The resource tags.
    pub(super) async fn tags(&self) -> Result<ResourceTags, Error> {
        let request = self
            .client
            .list_tags_for_resource()
            .resource_arn(self.arn().await?);
        let response = request
            .send()
            .await
            .map_err(|failure| self.error("read the tags of", &failure))?;
        let mut tags = ResourceTags::new();
        for tag in response.tags.unwrap_or_default() {
            if let (Some(key), Some(value)) = (tag.key, tag.value) {
                tags.insert(key, value);
            }
        }
        Ok(tags)
    }

    /// Removes the resource tags with these `keys`.
    pub(super) async fn remove_tags(&self, keys: Vec<String>) -> Result<(), Error> {
        let request = self
            .client
            .untag_resource()
            .resource_arn(self.arn().await?)
            .set_tag_keys(Some(keys));
        let removed = request.send().await.map(drop);
        removed.map_err(|failure| self.error("untag", &failure))
    }

    /// Sets these resource tags.
    pub(super) async fn set_tags(&self, tags: &ResourceTags) -> Result<(), Error> {
        let mut request = self.client.tag_resource().resource_arn(self.arn().await?);
        for (key, value) in tags {
            request = request.tags(tag(key, value));
        }
        let set = request.send().await.map(drop);
        set.map_err(|failure| self.error("tag", &failure))
    }

    /// `arn:aws:ecr-public::ACCOUNT:repository/NAME`, without a region.
    async fn arn(&self) -> Result<String, Error> {
        let registry = self.aws.public_registry().await?;
        Ok(format!(
            "arn:aws:ecr-public::{}:repository/{}",
            registry.account, self.name
        ))
    }

    fn error<E>(&self, verb: &str, failure: &SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let action = format!("{verb} repository {} in {ECR_PUBLIC}", self.name);
        error(Side::Destination, &action, failure)
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}
