//! The control plane of private ECR, through the AWS SDK.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::describe_images::builders::DescribeImagesFluentBuilder;
use aws_sdk_ecr::types::{
    DescribeImagesFilter, ImageIdentifier, ImageScanningConfiguration, ImageStatusFilter, ImageTagMutability,
    ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType, LayerAvailability, Tag, TagStatus,
};
use cloud::{Cloud, Image};

use crate::sdk;

const ARN: &str = "arn:aws:ecr:us-east-1:111122223333:repository/mirror/node";

async fn cloud_and_client() -> (Cloud, Client) {
    let cloud = Cloud::start().await;
    let client = Client::new(&sdk(&cloud, "us-east-1").await);
    cloud.ecr.region("us-east-1").create_repository("mirror/node", false);
    (cloud, client)
}

/// The code of the error that the service answers.
fn code<T, E: ProvideErrorMetadata, R>(result: Result<T, SdkError<E, R>>) -> String {
    match result {
        Err(SdkError::ServiceError(error)) => error.into_err().code().unwrap_or_default().to_owned(),
        Err(_) => panic!("not an answer of the service"),
        Ok(_) => panic!("the service does not refuse"),
    }
}

fn tag(key: impl Into<String>, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().expect("both are set")
}

fn by_tag(tag: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_tag(tag).build()
}

#[tokio::test]
async fn a_repository_is_made_with_its_settings() {
    let (_cloud, client) = cloud_and_client().await;
    let filter = ImageTagMutabilityExclusionFilter::builder()
        .filter_type(ImageTagMutabilityExclusionFilterType::Wildcard)
        .filter("latest*")
        .build()
        .unwrap();
    let request = client.create_repository().repository_name("mirror/python").tags(tag("team", "base images"));
    let request =
        request.image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(true).build());
    let request = request.image_tag_mutability(ImageTagMutability::ImmutableWithExclusion);
    request.image_tag_mutability_exclusion_filters(filter).send().await.unwrap();
    let answer = client.describe_repositories().repository_names("mirror/python").send().await.unwrap();
    let repository = &answer.repositories()[0];
    let uri = "111122223333.dkr.ecr.us-east-1.amazonaws.com/mirror/python";
    assert_eq!(repository.repository_uri(), Some(uri));
    assert_eq!(repository.image_tag_mutability(), Some(&ImageTagMutability::ImmutableWithExclusion));
    assert_eq!(repository.image_tag_mutability_exclusion_filters()[0].filter(), "latest*");
    assert!(repository.image_scanning_configuration().unwrap().scan_on_push());
    let again = client.create_repository().repository_name("mirror/python").send().await;
    assert_eq!(code(again), "RepositoryAlreadyExistsException");
}

#[tokio::test]
async fn a_repository_name_has_only_small_letters_digits_and_separators() {
    let (_cloud, client) = cloud_and_client().await;
    for name in ["Mirror/node", "mirror//node", "n", "mirror/-node"] {
        let refused = client.create_repository().repository_name(name).send().await;
        assert_eq!(code(refused), "InvalidParameterException", "{name}");
    }
}

#[tokio::test]
async fn a_missing_repository_is_named_by_its_error() {
    let (_cloud, client) = cloud_and_client().await;
    let described = client.describe_repositories().repository_names("mirror/none").send().await;
    assert_eq!(code(described), "RepositoryNotFoundException");
    let images = client.describe_images().repository_name("mirror/none").send().await;
    assert_eq!(code(images), "RepositoryNotFoundException");
}

#[tokio::test]
async fn a_repository_has_at_most_fifty_tags() {
    let (cloud, client) = cloud_and_client().await;
    let fifty = (0..50).map(|number| tag(format!("key-{number}"), "value")).collect();
    client.tag_resource().resource_arn(ARN).set_tags(Some(fifty)).send().await.unwrap();
    client.tag_resource().resource_arn(ARN).tags(tag("key-0", "changed")).send().await.unwrap();
    let one_more = client.tag_resource().resource_arn(ARN).tags(tag("key-50", "value")).send().await;
    assert_eq!(code(one_more), "TooManyTagsException");
    let tags = cloud.ecr.region("us-east-1").tags("mirror/node");
    assert_eq!((tags.len(), tags["key-0"].as_str()), (50, "changed"));
}

#[tokio::test]
async fn tags_have_short_texts_without_the_characters_of_json() {
    let (_cloud, client) = cloud_and_client().await;
    let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
    for (key, value) in [(long_key.as_str(), "v"), ("k", long_value.as_str()), ("k", "{\"a\":1}"), ("aws:k", "v")] {
        let refused = client.tag_resource().resource_arn(ARN).tags(tag(key, value)).send().await;
        assert_eq!(code(refused), "InvalidTagParameterException", "{key}={value}");
    }
    let legal = tag("replicator:tag:22", "sha256:0a ok 2026-10-01T02:00:00Z +-=._:/@");
    client.tag_resource().resource_arn(ARN).tags(legal).send().await.unwrap();
    client.untag_resource().resource_arn(ARN).tag_keys("replicator:tag:22").send().await.unwrap();
    let answer = client.list_tags_for_resource().resource_arn(ARN).send().await.unwrap();
    assert_eq!(answer.tags(), []);
}

#[tokio::test]
async fn images_are_described_with_their_tags_types_and_sizes() {
    let (cloud, client) = cloud_and_client().await;
    let index = Image::index(1, &["linux/amd64", "linux/arm64/v8"], &[3_000, 4_000], false);
    cloud.ecr.region("us-east-1").push("mirror/node", "22", &index);
    let request = client.describe_images().repository_name("mirror/node");
    let answer = request.image_ids(by_tag("22")).send().await.unwrap();
    let detail = &answer.image_details()[0];
    assert_eq!((detail.image_digest(), detail.image_tags()), (Some(index.digest().as_str()), &["22".to_owned()][..]));
    assert_eq!(detail.image_manifest_media_type(), Some("application/vnd.oci.image.index.v1+json"));
    let size = detail.image_size_in_bytes().unwrap();
    assert!((7_000..8_000).contains(&size), "the larger of both images: {size}");
    let missing = client.describe_images().repository_name("mirror/node").image_ids(by_tag("23")).send().await;
    assert_eq!(code(missing), "ImageNotFoundException");
}

#[tokio::test]
async fn images_are_filtered_by_whether_they_have_tags() {
    let (cloud, client) = cloud_and_client().await;
    let index = Image::index(1, &["linux/amd64", "linux/arm64/v8"], &[3_000], false);
    cloud.ecr.region("us-east-1").push("mirror/node", "22", &index);
    for (status, expected) in [(TagStatus::Any, 3), (TagStatus::Tagged, 1), (TagStatus::Untagged, 2)] {
        let filter = DescribeImagesFilter::builder().tag_status(status.clone()).build();
        let answer = client.describe_images().repository_name("mirror/node").filter(filter).send().await.unwrap();
        assert_eq!(answer.image_details().len(), expected, "{status:?}");
    }
}

async fn page(request: DescribeImagesFluentBuilder, token: Option<String>) -> (usize, Option<String>) {
    let answer = request.set_next_token(token).send().await.unwrap();
    (answer.image_details().len(), answer.next_token().map(str::to_owned))
}

#[tokio::test]
async fn long_answers_come_in_pages_of_a_hundred() {
    let (cloud, client) = cloud_and_client().await;
    for number in 0..101 {
        cloud.ecr.region("us-east-1").push("mirror/node", &number.to_string(), &Image::docker(number, &[10]));
    }
    let all = || client.describe_images().repository_name("mirror/node");
    let (first, token) = page(all(), None).await;
    assert_eq!((first, token.is_some()), (100, true));
    assert_eq!(page(all(), token).await, (1, None));
    assert_eq!(page(all().max_results(1_000), None).await, (101, None));
    assert_eq!(code(all().max_results(1_001).send().await), "InvalidParameterException");
}

#[tokio::test]
async fn put_image_names_what_is_wrong_in_types() {
    let (cloud, client) = cloud_and_client().await;
    let registry = cloud.ecr.region("us-east-1");
    let put = |image: &Image, tag: &str| {
        let manifest = String::from_utf8(image.manifest().to_vec()).expect("JSON is UTF-8");
        client.put_image().repository_name("mirror/node").image_manifest(manifest).image_tag(tag).send()
    };
    let (old, new) = (Image::docker(1, &[3_000]), Image::docker(2, &[3_000]));
    assert_eq!(code(put(&old, "22").await), "LayersNotFoundException");
    let index = Image::index(1, &["linux/amd64"], &[3_000], false);
    assert_eq!(code(put(&index, "22").await), "ReferencedImagesNotFoundException");
    registry.create_repository("mirror/node", true);
    registry.push("mirror/node", "22", &old);
    registry.push("mirror/node", "23", &new);
    assert_eq!(code(put(&old, "22").await), "ImageAlreadyExistsException");
    assert_eq!(code(put(&new, "22").await), "ImageTagAlreadyExistsException");
    put(&new, "24").await.unwrap();
    assert_eq!(registry.image("mirror/node", "24"), Some(new.digest()));
}

#[tokio::test]
async fn a_lost_layer_is_unavailable_although_its_manifest_is_there() {
    let (cloud, client) = cloud_and_client().await;
    let image = Image::docker(1, &[3_000]);
    let registry = cloud.ecr.region("us-east-1");
    registry.push("mirror/node", "22", &image);
    let check =
        || client.batch_check_layer_availability().repository_name("mirror/node").layer_digests(&image.layers()[0]);
    let available =
        |answer: aws_sdk_ecr::operation::batch_check_layer_availability::BatchCheckLayerAvailabilityOutput| {
            answer.layers()[0].layer_availability().cloned()
        };
    assert_eq!(available(check().send().await.unwrap()), Some(LayerAvailability::Available));
    registry.lose_blob("mirror/node", &image.layers()[0]);
    assert_eq!(available(check().send().await.unwrap()), Some(LayerAvailability::Unavailable));
    assert_eq!(registry.image("mirror/node", "22"), Some(image.digest()));
}

#[tokio::test]
async fn deleting_by_tag_spares_an_image_that_has_another() {
    let (cloud, client) = cloud_and_client().await;
    let registry = cloud.ecr.region("us-east-1");
    let image = Image::docker(1, &[3_000]);
    for tag in ["22", "latest"] {
        registry.push("mirror/node", tag, &image);
    }
    let delete = |tag: &str| client.batch_delete_image().repository_name("mirror/node").image_ids(by_tag(tag)).send();
    delete("22").await.unwrap();
    assert_eq!(registry.manifests("mirror/node").len(), 1);
    delete("latest").await.unwrap();
    assert_eq!(registry.manifests("mirror/node").len(), 0);
    assert_eq!(delete("latest").await.unwrap().failures().len(), 1);
}

#[tokio::test]
async fn images_are_listed_and_read_back() {
    let (cloud, client) = cloud_and_client().await;
    let image = Image::docker(1, &[3_000]);
    cloud.ecr.region("us-east-1").push("mirror/node", "22", &image);
    let listed = client.list_images().repository_name("mirror/node").send().await.unwrap();
    assert_eq!(listed.image_ids()[0].image_tag(), Some("22"));
    let ids = vec![by_tag("22"), by_tag("23")];
    let read = client.batch_get_image().repository_name("mirror/node").set_image_ids(Some(ids)).send().await.unwrap();
    assert_eq!(read.images()[0].image_manifest().unwrap().as_bytes(), image.manifest());
    assert_eq!(read.failures()[0].image_id().unwrap().image_tag(), Some("23"));
}

#[tokio::test]
async fn a_lifecycle_policy_is_kept() {
    let (_cloud, client) = cloud_and_client().await;
    let get = || client.get_lifecycle_policy().repository_name("mirror/node").send();
    assert_eq!(code(get().await), "LifecyclePolicyNotFoundException");
    let put =
        |text: &str| client.put_lifecycle_policy().repository_name("mirror/node").lifecycle_policy_text(text).send();
    assert_eq!(code(put("{}").await), "InvalidParameterException");
    let policy = r#"{"rules":[{"rulePriority":1}]}"#;
    put(policy).await.unwrap();
    assert_eq!(get().await.unwrap().lifecycle_policy_text(), Some(policy));
}

#[tokio::test]
async fn a_denied_repository_is_denied_to_every_action() {
    let (cloud, client) = cloud_and_client().await;
    cloud.ecr.region("us-east-1").deny("mirror/node");
    assert_eq!(code(client.describe_images().repository_name("mirror/node").send().await), "AccessDeniedException");
    assert_eq!(code(client.list_tags_for_resource().resource_arn(ARN).send().await), "AccessDeniedException");
    let described = client.describe_repositories().repository_names("mirror/node").send().await;
    assert_eq!(code(described), "AccessDeniedException");
}

#[tokio::test]
async fn what_the_cloud_does_not_know_is_an_error() {
    let (_cloud, client) = cloud_and_client().await;
    assert_eq!(code(client.describe_registry().send().await), "UnknownOperationException");
    let other_account = client.describe_repositories().registry_id("999999999999").send().await;
    assert_eq!(code(other_account), "InvalidParameterException");
    let subject = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Archived).build();
    let unknown_option = client.describe_images().repository_name("mirror/node").filter(subject).send().await;
    assert_eq!(code(unknown_option), "InvalidParameterException");
}
