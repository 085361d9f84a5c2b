//! ECR Public: its control plane and its data plane.

use aws_sdk_ecrpublic::Client;
use aws_sdk_ecrpublic::error::ProvideErrorMetadata as _;
use aws_sdk_ecrpublic::types::{RepositoryCatalogDataInput, Tag};
use embedded_cloud::{Cloud, Image};
use reqwest::header::AUTHORIZATION;

use crate::{get, header, http, json, put, refusal, sdk, send, upload_blobs};

const TAG: &str = "my-alias/node/manifests/22";

/// A client of the control plane, and the `Authorization` header for the data plane.
async fn login(cloud: &Cloud) -> (Client, String) {
    let client = Client::new(&sdk(cloud, "us-east-1").await);
    let response = client
        .get_authorization_token()
        .send()
        .await
        .expect("a token");
    let data = response.authorization_data().expect("one object");
    let bearer = format!("Bearer {}", data.authorization_token().expect("a token"));
    (client, bearer)
}

#[tokio::test]
async fn the_authorization_token_is_a_bearer_token_and_not_a_basic_one() {
    let cloud = Cloud::start().await;
    let (_, bearer) = login(&cloud).await;
    let registry = cloud.ecr_public.registry();
    assert_eq!(send(get(registry, "", &bearer)).await.status(), 200);
    let body = json(send(get(registry, "", &bearer.replace("Bearer", "Basic"))).await).await;
    assert_eq!(body["errors"][0]["code"], "DENIED");
    assert_eq!(
        body["errors"][0]["message"],
        "Your Authorization Token is invalid."
    );
    let response = send(http().get(format!("{}/v2/", registry.endpoint()))).await;
    assert_eq!(response.status(), 401);
    assert!(
        header(&response, "www-authenticate")
            .unwrap()
            .contains("service=\"public.ecr.aws\"")
    );
}

#[tokio::test]
async fn a_token_of_private_ecr_is_refused_by_ecr_public() {
    let cloud = Cloud::start().await;
    let private = crate::ecr_login(&cloud, "us-east-1")
        .await
        .replace("Basic", "Bearer");
    let response = send(get(cloud.ecr_public.registry(), "", &private)).await;
    assert_eq!(refusal(response).await, (403, "DENIED".into()));
}

#[tokio::test]
async fn images_are_pushed_to_repositories_below_the_alias() {
    let cloud = Cloud::start().await;
    let (client, bearer) = login(&cloud).await;
    let catalog = RepositoryCatalogDataInput::builder()
        .description("a mirror")
        .build();
    let tag = Tag::builder().key("team").value("base images").build();
    let created = client
        .create_repository()
        .repository_name("node")
        .catalog_data(catalog)
        .tags(tag)
        .send()
        .await
        .unwrap();
    assert_eq!(
        created.catalog_data().unwrap().description(),
        Some("a mirror")
    );
    let repository = created.repository().unwrap();
    assert_eq!(
        repository.repository_uri(),
        Some("public.ecr.aws/my-alias/node")
    );
    assert_eq!(
        repository.repository_arn(),
        Some("arn:aws:ecr-public::111122223333:repository/node")
    );
    let registry = cloud.ecr_public.registry();
    let image = Image::docker(1, &[3_000]);
    upload_blobs(registry, "my-alias/node", &bearer, &image).await;
    assert_eq!(put(registry, TAG, &bearer, &image).await.status(), 201);
    assert_eq!(registry.image("node", "22"), Some(image.digest()));
    assert_eq!(
        send(get(registry, "node/manifests/22", &bearer))
            .await
            .status(),
        404
    );
    let response = client
        .describe_image_tags()
        .repository_name("node")
        .send()
        .await
        .unwrap();
    let details = response.image_tag_details();
    assert_eq!(details[0].image_tag(), Some("22"));
    assert_eq!(
        details[0].image_detail().unwrap().image_digest(),
        Some(image.digest().as_str())
    );
}

#[tokio::test]
async fn the_data_plane_has_no_tag_list() {
    let cloud = Cloud::start().await;
    let (_, bearer) = login(&cloud).await;
    let registry = cloud.ecr_public.registry();
    registry.push("node", "22", &Image::docker(1, &[3_000]));
    assert_eq!(
        send(get(registry, "my-alias/node/tags/list", &bearer))
            .await
            .status(),
        404
    );
}

#[tokio::test]
async fn the_registry_has_an_alias() {
    let cloud = Cloud::start().await;
    let (client, _) = login(&cloud).await;
    let response = client.describe_registries().send().await.unwrap();
    let registry = &response.registries()[0];
    assert_eq!(registry.registry_id(), "111122223333");
    assert_eq!(registry.aliases()[0].name(), "my-alias");
}

#[tokio::test]
async fn tags_follow_the_same_rules_as_in_private_ecr() {
    let cloud = Cloud::start().await;
    let (client, _) = login(&cloud).await;
    cloud.ecr_public.registry().create_repository("node", false);
    let arn = "arn:aws:ecr-public::111122223333:repository/node";
    let tags = (0..51).map(|number| {
        Tag::builder()
            .key(format!("key-{number}"))
            .value("value")
            .build()
    });
    let refused = client
        .tag_resource()
        .resource_arn(arn)
        .set_tags(Some(tags.collect()))
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        refused.into_service_error().code(),
        Some("TooManyTagsException")
    );
}

#[tokio::test]
async fn an_upload_to_a_missing_repository_closes_the_connection() {
    let cloud = Cloud::start().await;
    let (_, bearer) = login(&cloud).await;
    let url = format!(
        "{}/v2/my-alias/none/blobs/uploads/",
        cloud.ecr_public.registry().endpoint()
    );
    http()
        .post(url)
        .header(AUTHORIZATION, bearer)
        .send()
        .await
        .expect_err("the connection is cut");
}
