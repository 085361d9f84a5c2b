//! The supported input fields. Other options are refused, not ignored.

use serde_json::Value;

use super::input::{Input, invalid};
use crate::ACCOUNT;
use crate::aws::AwsError;

/// Refuses fields that the action does not support, and registries of other accounts.
pub(super) fn check(action: &str, public: bool, input: &Value) -> Result<(), AwsError> {
    if let Some(other) = input.optional("registryId")?.filter(|id| *id != ACCOUNT) {
        return Err(invalid(format!("registry {other} is not this account's")));
    }
    let fields = input
        .as_object()
        .ok_or_else(|| invalid("the input must be an object"))?;
    let unknown = fields
        .keys()
        .find(|field| *field != "registryId" && !known(action, public).contains(&field.as_str()));
    unknown.map_or(Ok(()), |field| {
        Err(invalid(format!(
            "{action} with '{field}' is not part of the embedded cloud"
        )))
    })
}

fn known(action: &str, public: bool) -> &'static [&'static str] {
    match (action, public) {
        ("CreateRepository", true) => &["repositoryName", "catalogData", "tags"],
        ("CreateRepository", false) => &[
            "repositoryName",
            "tags",
            "imageTagMutability",
            "imageTagMutabilityExclusionFilters",
            "imageScanningConfiguration",
        ],
        ("DescribeRepositories", _) => &["repositoryNames", "nextToken", "maxResults"],
        ("DescribeImages", true) => &["repositoryName", "imageIds", "nextToken", "maxResults"],
        ("DescribeImages" | "ListImages", false) => &[
            "repositoryName",
            "imageIds",
            "nextToken",
            "maxResults",
            "filter",
        ],
        ("DescribeImageTags", _) => &["repositoryName", "nextToken", "maxResults"],
        ("BatchGetImage", _) => &["repositoryName", "imageIds", "acceptedMediaTypes"],
        ("BatchDeleteImage", _) => &["repositoryName", "imageIds"],
        ("BatchCheckLayerAvailability", _) => &["repositoryName", "layerDigests"],
        ("PutImage", _) => &[
            "repositoryName",
            "imageManifest",
            "imageManifestMediaType",
            "imageTag",
            "imageDigest",
        ],
        ("PutLifecyclePolicy", _) => &["repositoryName", "lifecyclePolicyText"],
        ("GetLifecyclePolicy", _) => &["repositoryName"],
        ("PutImageTagMutability", _) => &[
            "repositoryName",
            "imageTagMutability",
            "imageTagMutabilityExclusionFilters",
        ],
        ("TagResource", _) => &["resourceArn", "tags"],
        ("UntagResource", _) => &["resourceArn", "tagKeys"],
        ("ListTagsForResource", _) => &["resourceArn"],
        ("PutAccountSetting", _) => &["name", "value"],
        ("GetAccountSetting", _) => &["name"],
        _ => &[],
    }
}
