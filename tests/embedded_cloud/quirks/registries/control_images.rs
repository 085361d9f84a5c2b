//! Images in the control plane of private ECR, through the AWS SDK.

use aws_sdk_ecr::operation::batch_check_layer_availability::BatchCheckLayerAvailabilityOutput;
use aws_sdk_ecr::operation::describe_images::builders::DescribeImagesFluentBuilder;
use aws_sdk_ecr::types::{DescribeImagesFilter, ImageIdentifier, LayerAvailability, TagStatus};
use embedded_cloud::Image;

use crate::control::{cloud_and_client, code};

fn by_tag(tag: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_tag(tag).build()
}

#[tokio::test]
async fn images_are_described_with_their_tags_types_and_sizes() {
    let (cloud, client) = cloud_and_client().await;
    let index = Image::index(
        1,
        &["linux/amd64", "linux/arm64/v8"],
        &[3_000, 4_000],
        false,
    );
    cloud
        .ecr
        .region("us-east-1")
        .push("mirror/node", "22", &index);
    let request = client.describe_images().repository_name("mirror/node");
    let response = request.image_ids(by_tag("22")).send().await.unwrap();
    let detail = &response.image_details()[0];
    assert_eq!(detail.image_digest(), Some(index.digest().as_str()));
    assert_eq!(detail.image_tags(), &["22".to_owned()][..]);
    assert_eq!(
        detail.image_manifest_media_type(),
        Some("application/vnd.oci.image.index.v1+json")
    );
    let size = detail.image_size_in_bytes().unwrap();
    assert!(
        (7_000..8_000).contains(&size),
        "the larger of both images: {size}"
    );
    let missing = client
        .describe_images()
        .repository_name("mirror/node")
        .image_ids(by_tag("23"))
        .send()
        .await;
    assert_eq!(code(missing), "ImageNotFoundException");
}

#[tokio::test]
async fn images_are_filtered_by_whether_they_have_tags() {
    let (cloud, client) = cloud_and_client().await;
    let index = Image::index(1, &["linux/amd64", "linux/arm64/v8"], &[3_000], false);
    cloud
        .ecr
        .region("us-east-1")
        .push("mirror/node", "22", &index);
    for (status, expected) in [
        (TagStatus::Any, 3),
        (TagStatus::Tagged, 1),
        (TagStatus::Untagged, 2),
    ] {
        let filter = DescribeImagesFilter::builder()
            .tag_status(status.clone())
            .build();
        let response = client
            .describe_images()
            .repository_name("mirror/node")
            .filter(filter)
            .send()
            .await
            .unwrap();
        assert_eq!(response.image_details().len(), expected, "{status:?}");
    }
}

async fn page(
    request: DescribeImagesFluentBuilder,
    token: Option<String>,
) -> (usize, Option<String>) {
    let response = request.set_next_token(token).send().await.expect("a page");
    (
        response.image_details().len(),
        response.next_token().map(str::to_owned),
    )
}

#[tokio::test]
async fn long_lists_have_pages_of_one_hundred() {
    let (cloud, client) = cloud_and_client().await;
    for number in 0..101 {
        cloud.ecr.region("us-east-1").push(
            "mirror/node",
            &number.to_string(),
            &Image::docker(number, &[10]),
        );
    }
    let all = || client.describe_images().repository_name("mirror/node");
    let (first, token) = page(all(), None).await;
    assert_eq!(first, 100);
    assert!(token.is_some());
    assert_eq!(page(all(), token).await, (1, None));
    assert_eq!(page(all().max_results(1_000), None).await, (101, None));
    assert_eq!(
        code(all().max_results(1_001).send().await),
        "InvalidParameterException"
    );
}

#[tokio::test]
async fn put_image_has_a_typed_error_for_each_rule() {
    let (cloud, client) = cloud_and_client().await;
    let registry = cloud.ecr.region("us-east-1");
    let put = |image: &Image, tag: &str| {
        let manifest = String::from_utf8(image.manifest().to_vec()).expect("JSON is UTF-8");
        client
            .put_image()
            .repository_name("mirror/node")
            .image_manifest(manifest)
            .image_tag(tag)
            .send()
    };
    let (old, new) = (Image::docker(1, &[3_000]), Image::docker(2, &[3_000]));
    assert_eq!(code(put(&old, "22").await), "LayersNotFoundException");
    let index = Image::index(1, &["linux/amd64"], &[3_000], false);
    assert_eq!(
        code(put(&index, "22").await),
        "ReferencedImagesNotFoundException"
    );
    registry.create_repository("mirror/node", true);
    registry.push("mirror/node", "22", &old);
    registry.push("mirror/node", "23", &new);
    assert_eq!(code(put(&old, "22").await), "ImageAlreadyExistsException");
    assert_eq!(
        code(put(&new, "22").await),
        "ImageTagAlreadyExistsException"
    );
    put(&new, "24").await.unwrap();
    assert_eq!(registry.image("mirror/node", "24"), Some(new.digest()));
}

#[tokio::test]
async fn a_lost_layer_is_unavailable_although_its_manifest_exists() {
    let (cloud, client) = cloud_and_client().await;
    let image = Image::docker(1, &[3_000]);
    let registry = cloud.ecr.region("us-east-1");
    registry.push("mirror/node", "22", &image);
    let check = || {
        client
            .batch_check_layer_availability()
            .repository_name("mirror/node")
            .layer_digests(&image.layers()[0])
    };
    let available = |response: BatchCheckLayerAvailabilityOutput| {
        response.layers()[0].layer_availability().cloned()
    };
    assert_eq!(
        available(check().send().await.unwrap()),
        Some(LayerAvailability::Available)
    );
    registry.delete_blob("mirror/node", &image.layers()[0]);
    assert_eq!(
        available(check().send().await.unwrap()),
        Some(LayerAvailability::Unavailable)
    );
    assert_eq!(registry.image("mirror/node", "22"), Some(image.digest()));
}

#[tokio::test]
async fn deleting_a_tag_keeps_an_image_that_has_another_tag() {
    let (cloud, client) = cloud_and_client().await;
    let registry = cloud.ecr.region("us-east-1");
    let image = Image::docker(1, &[3_000]);
    for tag in ["22", "latest"] {
        registry.push("mirror/node", tag, &image);
    }
    let delete = |tag: &str| {
        client
            .batch_delete_image()
            .repository_name("mirror/node")
            .image_ids(by_tag(tag))
            .send()
    };
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
    cloud
        .ecr
        .region("us-east-1")
        .push("mirror/node", "22", &image);
    let listed = client
        .list_images()
        .repository_name("mirror/node")
        .send()
        .await
        .unwrap();
    assert_eq!(listed.image_ids()[0].image_tag(), Some("22"));
    let ids = vec![by_tag("22"), by_tag("23")];
    let read = client
        .batch_get_image()
        .repository_name("mirror/node")
        .set_image_ids(Some(ids))
        .send()
        .await
        .unwrap();
    assert_eq!(
        read.images()[0].image_manifest().unwrap().as_bytes(),
        image.manifest()
    );
    assert_eq!(
        read.failures()[0].image_id().unwrap().image_tag(),
        Some("23")
    );
}
