//! Repositories of private Amazon ECR.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::operation::create_repository::CreateRepositoryError;
use aws_sdk_ecr::types::{
    DescribeImagesFilter, ImageScanningConfiguration, Layer, LayerAvailability, Tag, TagStatus,
};

use super::{Aws, Mutability, Prepared, error, take_in};
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::host::Host;
use crate::image::reference::RepositoryRef;
use crate::outcome::state::{ResourceTags, TagChanges};
use crate::plan::survey::RepositoryTags;

/// The most images that one page of an answer holds.
const PAGE: i32 = 1000;

/// Untagged images are what a moved tag leaves behind. Children of an index that has a tag are kept by ECR itself.
const LIFECYCLE: &str = r#"{"rules":[{"rulePriority":1,"description":"image-replicator: what moved tags left behind",
"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}"#;

/// Who made a repository: the tag that a new one gets.
pub(super) const CREATED_BY: (&str, &str) = ("created-by", "image-replicator");

/// One repository of private ECR.
pub(super) struct EcrRepository {
    client: Client,
    account: String,
    region: String,
    name: String,
}

impl Aws {
    /// The repository `at`, in whatever account and region its host names.
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
    pub(super) async fn mirror(&self) -> Result<RepositoryTags, Error> {
        let filter = DescribeImagesFilter::builder()
            .tag_status(TagStatus::Tagged)
            .build();
        let request = self
            .client
            .describe_images()
            .registry_id(&self.account)
            .repository_name(&self.name)
            .filter(filter);
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

    /// Makes sure that the repository is there.
    pub(super) async fn prepare(&self) -> Result<Prepared, Error> {
        let request = self
            .client
            .describe_repositories()
            .registry_id(&self.account)
            .repository_names(&self.name);
        match request
            .send()
            .await
            .map_err(|failure| self.error("describe", &failure))
        {
            Err(error) if *error.cause() == Cause::NotFound => self.create().await,
            other => other.map(|found| {
                let mutability = found
                    .repositories()
                    .first()
                    .map(Mutability::from_sdk)
                    .unwrap_or_default();
                Prepared {
                    mutability,
                    is_new: false,
                }
            }),
        }
    }

    async fn create(&self) -> Result<Prepared, Error> {
        let request = self
            .client
            .create_repository()
            .registry_id(&self.account)
            .repository_name(&self.name)
            .image_scanning_configuration(
                ImageScanningConfiguration::builder()
                    .scan_on_push(true)
                    .build(),
            )
            .tags(tag(CREATED_BY.0, CREATED_BY.1).map_err(|error| self.invalid("create", error))?);
        if let Err(failure) = request.send().await {
            // Somebody else, another worker perhaps, was quicker.
            let is_there = failure
                .as_service_error()
                .is_some_and(CreateRepositoryError::is_repository_already_exists_exception);
            return if is_there {
                Ok(Prepared::default())
            } else {
                Err(self.error("create", &failure))
            };
        }
        let rule = self
            .client
            .put_lifecycle_policy()
            .registry_id(&self.account)
            .repository_name(&self.name);
        if let Err(failure) = rule.lifecycle_policy_text(LIFECYCLE).send().await {
            // The next run would find the repository and not come back to this: the image is worth more than the rule.
            tracing::warn!(
                "{}",
                self.error("set the lifecycle policy of", &failure).chain()
            );
        }
        Ok(Prepared {
            mutability: Mutability::default(),
            is_new: true,
        })
    }

    /// Which of `digests` are there.
    pub(super) async fn layers(&self, digests: &[&Digest]) -> Result<Vec<String>, Error> {
        let request = self
            .client
            .batch_check_layer_availability()
            .registry_id(&self.account);
        let digests = digests.iter().map(ToString::to_string).collect();
        let answer = request
            .repository_name(&self.name)
            .set_layer_digests(Some(digests))
            .send()
            .await;
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
            .resource_arn(self.arn())
            .send()
            .await;
        let tags = answer
            .map_err(|failure| self.error("read the tags of", &failure))?
            .tags
            .unwrap_or_default();
        Ok(tags
            .into_iter()
            .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
            .collect())
    }

    /// Writes `changes`: what goes first makes room for what comes.
    pub(super) async fn write_tags(&self, changes: &TagChanges) -> Result<(), Error> {
        if !changes.remove.is_empty() {
            let keys = Some(changes.remove.clone());
            let request = self
                .client
                .untag_resource()
                .resource_arn(self.arn())
                .set_tag_keys(keys);
            request
                .send()
                .await
                .map_err(|failure| self.error("untag", &failure))?;
        }
        if !changes.set.is_empty() {
            let tags: Result<Vec<_>, _> = changes
                .set
                .iter()
                .map(|(key, value)| tag(key, value))
                .collect();
            let tags = tags.map_err(|error| self.invalid("tag", error))?;
            let request = self
                .client
                .tag_resource()
                .resource_arn(self.arn())
                .set_tags(Some(tags));
            request
                .send()
                .await
                .map_err(|failure| self.error("tag", &failure))?;
        }
        Ok(())
    }

    fn arn(&self) -> String {
        let partition = match self.region.split('-').next() {
            Some("cn") => "aws-cn",
            Some("us") if self.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!(
            "arn:{partition}:ecr:{}:{}:repository/{}",
            self.region, self.account, self.name
        )
    }

    fn error<E>(&self, verb: &str, failure: &aws_sdk_ecr::error::SdkError<E>) -> Error
    where
        E: aws_sdk_ecr::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        error(
            Side::Destination,
            &format!("{verb} repository {} in {}", self.name, self.region),
            failure,
        )
    }

    fn invalid(&self, verb: &str, error: aws_sdk_ecr::error::BuildError) -> Error {
        Error::new(
            Side::Destination,
            Cause::Invalid,
            format!("{verb} repository {}", self.name),
        )
        .because(error)
    }
}

fn tag(key: &str, value: &str) -> Result<Tag, aws_sdk_ecr::error::BuildError> {
    Tag::builder().key(key).value(value).build()
}
