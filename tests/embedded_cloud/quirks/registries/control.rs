//! The control plane of private ECR, through the AWS SDK.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::types::{
    DescribeImagesFilter, ImageScanningConfiguration, ImageStatusFilter, ImageTagMutability,
    ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType, Tag,
};
use embedded_cloud::Cloud;

use crate::sdk;

const ARN: &str = "arn:aws:ecr:us-east-1:111122223333:repository/mirror/node";

pub(crate) async fn cloud_and_client() -> (Cloud, Client) {
    let cloud = Cloud::start().await;
    let client = Client::new(&sdk(&cloud, "us-east-1").await);
    cloud
        .ecr
        .region("us-east-1")
        .create_repository("mirror/node", false);
    (cloud, client)
}

/// The code of the error in `result`.
pub(crate) fn code<T, E: ProvideErrorMetadata, R>(result: Result<T, SdkError<E, R>>) -> String {
    let Err(SdkError::ServiceError(error)) = result else {
        panic!("the service does not refuse")
    };
    error.into_err().code().unwrap_or_default().to_owned()
}

fn tag(key: impl Into<String>, value: &str) -> Tag {
    Tag::builder()
        .key(key)
        .value(value)
        .build()
        .expect("both are set")
}

#[tokio::test]
async fn a_repository_is_created_with_its_settings() {
    let (_cloud, client) = cloud_and_client().await;
    let filter = ImageTagMutabilityExclusionFilter::builder()
        .filter_type(ImageTagMutabilityExclusionFilterType::Wildcard)
        .filter("latest*")
        .build()
        .unwrap();
    let request = client
        .create_repository()
        .repository_name("mirror/python")
        .tags(tag("team", "base images"));
    let request = request.image_scanning_configuration(
        ImageScanningConfiguration::builder()
            .scan_on_push(true)
            .build(),
    );
    let request = request.image_tag_mutability(ImageTagMutability::ImmutableWithExclusion);
    request
        .image_tag_mutability_exclusion_filters(filter)
        .send()
        .await
        .unwrap();
    let response = client
        .describe_repositories()
        .repository_names("mirror/python")
        .send()
        .await
        .unwrap();
    let repository = &response.repositories()[0];
    let uri = "111122223333.dkr.ecr.us-east-1.amazonaws.com/mirror/python";
    assert_eq!(repository.repository_uri(), Some(uri));
    assert_eq!(
        repository.image_tag_mutability(),
        Some(&ImageTagMutability::ImmutableWithExclusion)
    );
    assert_eq!(
        repository.image_tag_mutability_exclusion_filters()[0].filter(),
        "latest*"
    );
    assert!(
        repository
            .image_scanning_configuration()
            .unwrap()
            .scan_on_push()
    );
    let again = client
        .create_repository()
        .repository_name("mirror/python")
        .send()
        .await;
    assert_eq!(code(again), "RepositoryAlreadyExistsException");
}

#[tokio::test]
async fn a_repository_name_has_only_lowercase_letters_digits_and_separators() {
    let (_cloud, client) = cloud_and_client().await;
    for name in ["Mirror/node", "mirror//node", "n", "mirror/-node"] {
        let refused = client
            .create_repository()
            .repository_name(name)
            .send()
            .await;
        assert_eq!(code(refused), "InvalidParameterException", "{name}");
    }
}

#[tokio::test]
async fn the_error_of_a_missing_repository_names_it() {
    let (_cloud, client) = cloud_and_client().await;
    let described = client
        .describe_repositories()
        .repository_names("mirror/none")
        .send()
        .await;
    assert_eq!(code(described), "RepositoryNotFoundException");
    let images = client
        .describe_images()
        .repository_name("mirror/none")
        .send()
        .await;
    assert_eq!(code(images), "RepositoryNotFoundException");
}

#[tokio::test]
async fn a_repository_has_at_most_fifty_tags() {
    let (cloud, client) = cloud_and_client().await;
    let fifty = (0..50)
        .map(|number| tag(format!("key-{number}"), "value"))
        .collect();
    client
        .tag_resource()
        .resource_arn(ARN)
        .set_tags(Some(fifty))
        .send()
        .await
        .unwrap();
    client
        .tag_resource()
        .resource_arn(ARN)
        .tags(tag("key-0", "changed"))
        .send()
        .await
        .unwrap();
    let one_more = client
        .tag_resource()
        .resource_arn(ARN)
        .tags(tag("key-50", "value"))
        .send()
        .await;
    assert_eq!(code(one_more), "TooManyTagsException");
    let tags = cloud.ecr.region("us-east-1").resource_tags("mirror/node");
    assert_eq!(tags.len(), 50);
    assert_eq!(tags["key-0"].as_str(), "changed");
}

#[tokio::test]
async fn resource_tags_are_short_and_have_no_json_punctuation() {
    let (_cloud, client) = cloud_and_client().await;
    let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
    for (key, value) in [
        (long_key.as_str(), "v"),
        ("k", long_value.as_str()),
        ("k", "{\"a\":1}"),
        ("aws:k", "v"),
    ] {
        let refused = client
            .tag_resource()
            .resource_arn(ARN)
            .tags(tag(key, value))
            .send()
            .await;
        assert_eq!(
            code(refused),
            "InvalidTagParameterException",
            "{key}={value}"
        );
    }
    let legal = tag(
        "replicator:tag:22",
        "sha256:0a ok 2026-10-01T02:00:00Z +-=._:/@",
    );
    client
        .tag_resource()
        .resource_arn(ARN)
        .tags(legal)
        .send()
        .await
        .unwrap();
    client
        .untag_resource()
        .resource_arn(ARN)
        .tag_keys("replicator:tag:22")
        .send()
        .await
        .unwrap();
    let response = client
        .list_tags_for_resource()
        .resource_arn(ARN)
        .send()
        .await
        .unwrap();
    assert_eq!(response.tags(), []);
}

#[tokio::test]
async fn a_lifecycle_policy_is_stored() {
    let (_cloud, client) = cloud_and_client().await;
    let get = || {
        client
            .get_lifecycle_policy()
            .repository_name("mirror/node")
            .send()
    };
    assert_eq!(code(get().await), "LifecyclePolicyNotFoundException");
    let put = |text: &str| {
        client
            .put_lifecycle_policy()
            .repository_name("mirror/node")
            .lifecycle_policy_text(text)
            .send()
    };
    assert_eq!(code(put("{}").await), "InvalidParameterException");
    let policy = r#"{"rules":[{"rulePriority":1}]}"#;
    put(policy).await.unwrap();
    assert_eq!(get().await.unwrap().lifecycle_policy_text(), Some(policy));
}

#[tokio::test]
async fn every_action_on_a_denied_repository_is_refused() {
    let (cloud, client) = cloud_and_client().await;
    cloud.ecr.region("us-east-1").deny("mirror/node");
    assert_eq!(
        code(
            client
                .describe_images()
                .repository_name("mirror/node")
                .send()
                .await
        ),
        "AccessDeniedException"
    );
    assert_eq!(
        code(
            client
                .list_tags_for_resource()
                .resource_arn(ARN)
                .send()
                .await
        ),
        "AccessDeniedException"
    );
    let described = client
        .describe_repositories()
        .repository_names("mirror/node")
        .send()
        .await;
    assert_eq!(code(described), "AccessDeniedException");
}

#[tokio::test]
async fn unsupported_fields_and_actions_are_errors() {
    let (_cloud, client) = cloud_and_client().await;
    assert_eq!(
        code(client.describe_registry().send().await),
        "UnknownOperationException"
    );
    let other_account = client
        .describe_repositories()
        .registry_id("999999999999")
        .send()
        .await;
    assert_eq!(code(other_account), "InvalidParameterException");
    let subject = DescribeImagesFilter::builder()
        .image_status(ImageStatusFilter::Archived)
        .build();
    let unknown_option = client
        .describe_images()
        .repository_name("mirror/node")
        .filter(subject)
        .send()
        .await;
    assert_eq!(code(unknown_option), "InvalidParameterException");
}
