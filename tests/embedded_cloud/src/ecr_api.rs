//! The API actions of ECR and ECR Public: those that both have, and those of one.
//!
//! Field names, error names and limits are those of the API models. An action that is not here is
//! an error, never a silent success.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::aws::{ActionResult, AwsError};
use crate::registry::{Registry, RegistryKind, Repository, no_such_repository, not_authorized};

mod description;
mod fields;
mod images;
mod input;
mod layers;
mod page;
mod put_image;
mod remove;
mod repositories;
mod settings;
mod tags;

use input::Input;

/// The API of one registry.
pub(crate) struct EcrApi<'a> {
    registry: &'a Registry,
    /// The prefix of the ARNs of its repositories.
    arn_prefix: String,
}

impl<'a> EcrApi<'a> {
    pub(crate) fn new(registry: &'a Registry, arn_prefix: String) -> Self {
        Self {
            registry,
            arn_prefix,
        }
    }

    /// Refuses actions on a denied repository, and options that the action does not support.
    pub(crate) fn permit(
        &self,
        service: &str,
        action: &str,
        input: &Value,
    ) -> Result<(), AwsError> {
        fields::check(action, self.is_public(), input)?;
        let by_arn = input["resourceArn"]
            .as_str()
            .and_then(|arn| arn.strip_prefix(&self.arn_prefix));
        let named = input["repositoryName"].as_str().or(by_arn).into_iter();
        let listed = input["repositoryNames"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let contents = self.registry.contents();
        let denied = |name: &&str| {
            contents
                .repositories
                .get(*name)
                .is_some_and(|repository| repository.denied)
        };
        match named.chain(listed).find(denied) {
            None => Ok(()),
            Some(name) => Err(AwsError::new(
                "AccessDeniedException",
                not_authorized(&format!("{service}:{action}"), name),
            )),
        }
    }

    /// Runs an action that both services have.
    pub(crate) fn common(&self, action: &str, input: &Value) -> ActionResult {
        match action {
            "CreateRepository" => self.create_repository(input),
            "DescribeRepositories" => self.describe_repositories(input),
            "DescribeImages" => self.describe_images(input),
            "BatchCheckLayerAvailability" => self.check_layers(input),
            "BatchDeleteImage" => self.delete_images(input),
            "PutImage" => self.put_image(input),
            "TagResource" => self.tag(input),
            "UntagResource" => self.untag(input),
            "ListTagsForResource" => self.list_tags(input),
            _ => Err(AwsError::unknown_operation()),
        }
    }

    fn is_public(&self) -> bool {
        matches!(self.registry.config().kind, RegistryKind::EcrPublic { .. })
    }

    /// Reads the repository that the input names.
    fn read<T>(
        &self,
        input: &Value,
        read: impl FnOnce(&str, &Repository) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let name = input.required("repositoryName")?;
        let contents = self.registry.contents();
        let repository = contents
            .repositories
            .get(name)
            .ok_or_else(|| not_found(name))?;
        read(name, repository)
    }

    /// Changes the repository with this name.
    fn change<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Repository) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let mut contents = self.registry.contents();
        change(
            contents
                .repositories
                .get_mut(name)
                .ok_or_else(|| not_found(name))?,
        )
    }
}

/// A time in awsJson: seconds since 1970.
pub(crate) fn seconds(time: Timestamp) -> Value {
    json!(time.as_second())
}

fn not_found(name: &str) -> AwsError {
    AwsError::new("RepositoryNotFoundException", no_such_repository(name))
}
