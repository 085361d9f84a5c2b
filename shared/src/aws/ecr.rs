//! Repositories of private Amazon ECR.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::create_repository::CreateRepositoryError;
use aws_sdk_ecr::types::{
    DescribeImagesFilter, ImageScanningConfiguration, LayerAvailability, Tag, TagStatus,
};

use super::control_plane::{CREATED_BY_KEY, CREATED_BY_VALUE, Created, PAGE_SIZE, add_image};
use super::{Aws, Mutability, error};
use crate::error::{Cause, Error, Side};
use crate::image::host::Host;
use crate::image::reference::RepositoryRef;
use crate::outcome::state::ResourceTags;
use crate::plan::survey::RepositoryTags;

/// Expires untagged images, which a moved tag leaves behind, after 14 days. ECR itself keeps the
/// children of a tagged index.
const LIFECYCLE_POLICY: &str = r#"{
  "rules": [
    {
      "rulePriority": 1,
      "description": "image-replicator: what moved tags left behind",
      "selection": {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": 14
      },
      "action": { "type": "expire" }
    }
  ]
}"#;

/// One repository of private ECR.
pub(super) struct EcrRepository {
    client: Client,
    account: String,
    region: String,
    name: String,
}

impl Aws {
    /// The repository `at`, in the account and region that its host names.
    pub(super) async fn ecr_repository(&self, at: &RepositoryRef) -> Option<EcrRepository> {
        let Host::Ecr { account, region } = Host::parse(&at.registry) else {
            return None;
        };
        Some(EcrRepository {
            client: self.ecr(&region).await,
            account,
            region,
            name: at.path.clone(),
        })
    }
}

impl EcrRepository {
    /// Tags and digests: one call for every 1,000 tagged images.
    pub(super) async fn list_images(&self) -> Result<RepositoryTags, Error> {
        let tagged = DescribeImagesFilter::builder()
            .tag_status(TagStatus::Tagged)
            .build();
        let request = self
            .client
            .describe_images()
            .registry_id(&self.account)
            .repository_name(&self.name)
            .filter(tagged)
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

    /// Which tags may move.
    pub(super) async fn describe(&self) -> Result<Mutability, Error> {
        let request = self
            .client
            .describe_repositories()
            .registry_id(&self.account)
            .repository_names(&self.name);
        let response = request
            .send()
            .await
            .map_err(|failure| self.error("describe", &failure))?;
        let repository = response.repositories().first();
        Ok(repository.map(Mutability::from_sdk).unwrap_or_default())
    }

    /// Creates the repository, with scan on push and a lifecycle policy.
    pub(super) async fn create(&self) -> Result<Created, Error> {
        let scanning = ImageScanningConfiguration::builder()
            .scan_on_push(true)
            .build();
        let created_by =
            tag(CREATED_BY_KEY, CREATED_BY_VALUE).map_err(|error| self.invalid("create", error))?;
        let request = self
            .client
            .create_repository()
            .registry_id(&self.account)
            .repository_name(&self.name)
            .image_scanning_configuration(scanning)
            .tags(created_by);
        let Err(failure) = request.send().await else {
            self.set_lifecycle_policy().await;
            return Ok(Created::Now);
        };
        let error = failure.as_service_error();
        if error.is_some_and(CreateRepositoryError::is_repository_already_exists_exception) {
            Ok(Created::ByOthers)
        } else {
            Err(self.error("create", &failure))
        }
    }

    /// A failure is only logged. The next run would find the repository and not repeat this, but the
    /// image is more important than the policy.
    async fn set_lifecycle_policy(&self) {
        let request = self
            .client
            .put_lifecycle_policy()
            .registry_id(&self.account)
            .repository_name(&self.name)
            .lifecycle_policy_text(LIFECYCLE_POLICY);
        if let Err(failure) = request.send().await {
            let error = self.error("set the lifecycle policy of", &failure);
            tracing::warn!("{}", error.chain());
        }
    }

    /// Which of `digests` exist.
    pub(super) async fn layers(&self, digests: Vec<String>) -> Result<Vec<String>, Error> {
        let request = self
            .client
            .batch_check_layer_availability()
            .registry_id(&self.account)
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
            .resource_arn(self.arn());
        let response = request
            .send()
            .await
            .map_err(|failure| self.error("read the tags of", &failure))?;
        let mut tags = ResourceTags::new();
        for tag in response.tags.unwrap_or_default() {
            tags.insert(tag.key, tag.value);
        }
        Ok(tags)
    }

    /// Removes the resource tags with these `keys`.
    pub(super) async fn remove_tags(&self, keys: Vec<String>) -> Result<(), Error> {
        let request = self
            .client
            .untag_resource()
            .resource_arn(self.arn())
            .set_tag_keys(Some(keys));
        let removed = request.send().await.map(drop);
        removed.map_err(|failure| self.error("untag", &failure))
    }

    /// Sets these resource tags.
    pub(super) async fn set_tags(&self, tags: &ResourceTags) -> Result<(), Error> {
        let mut request = self.client.tag_resource().resource_arn(self.arn());
        for (key, value) in tags {
            let tag = tag(key, value).map_err(|error| self.invalid("tag", error))?;
            request = request.tags(tag);
        }
        let set = request.send().await.map(drop);
        set.map_err(|failure| self.error("tag", &failure))
    }

    fn arn(&self) -> String {
        let Self {
            account,
            region,
            name,
            ..
        } = self;
        let partition = if region.starts_with("cn-") {
            "aws-cn"
        } else if region.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        };
        format!("arn:{partition}:ecr:{region}:{account}:repository/{name}")
    }

    fn error<E>(&self, verb: &str, failure: &SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        error(Side::Destination, &self.action(verb), failure)
    }

    fn invalid(&self, verb: &str, failure: BuildError) -> Error {
        let error = Error::new(Side::Destination, Cause::Invalid, self.action(verb));
        error.because(failure)
    }

    fn action(&self, verb: &str) -> String {
        format!("{verb} repository {} in {}", self.name, self.region)
    }
}

fn tag(key: &str, value: &str) -> Result<Tag, BuildError> {
    Tag::builder().key(key).value(value).build()
}
