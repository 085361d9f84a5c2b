//! The gallery of ECR Public: images that other accounts publish.

use std::time::Duration;

use aws_sdk_ecrpublic::Client;
use embedded_cloud::{Cloud, Image};
use reqwest::header::AUTHORIZATION;

use crate::{get, head, header, http, json, put, refusal, sdk, send};

const NODE: &str = "docker/library/node/manifests/21";

async fn cloud_with_node() -> (Cloud, Image) {
    let cloud = Cloud::start().await;
    let image = Image::index(1, &["linux/amd64", "linux/arm64/v8"], &[3_000], true);
    cloud
        .ecr_public
        .publish_to_gallery("docker/library/node", "21", &image);
    (cloud, image)
}

/// The `Authorization` header of an anonymous client.
async fn anonymous(cloud: &Cloud) -> String {
    let ping = send(http().get(format!("{}/v2/", cloud.ecr_public.registry().endpoint()))).await;
    let realm = header(&ping, "www-authenticate")
        .expect("a challenge")
        .split('"')
        .nth(1)
        .expect("a realm")
        .to_owned();
    let url = format!("{realm}?service=public.ecr.aws&scope=repository:docker/library/node:pull");
    format!(
        "Bearer {}",
        json(send(http().get(url)).await).await["token"]
            .as_str()
            .expect("a token")
    )
}

/// The `Authorization` header of the account.
async fn account_login(cloud: &Cloud) -> String {
    let response = Client::new(&sdk(cloud, "us-east-1").await)
        .get_authorization_token()
        .send()
        .await
        .expect("a token");
    format!(
        "Bearer {}",
        response
            .authorization_data()
            .expect("data")
            .authorization_token()
            .expect("a token")
    )
}

#[tokio::test]
async fn anyone_can_read_the_gallery() {
    let (cloud, image) = cloud_with_node().await;
    let gallery = cloud.ecr_public.gallery();
    assert_eq!(gallery.host(), "public.ecr.aws");
    assert_eq!(gallery.endpoint(), cloud.ecr_public.registry().endpoint());
    let token = anonymous(&cloud).await;
    let found = send(head(gallery, NODE, &token)).await;
    assert_eq!(found.status().as_u16(), 200);
    assert_eq!(header(&found, "docker-content-digest"), None);
    assert_eq!(
        send(get(gallery, NODE, &token))
            .await
            .bytes()
            .await
            .unwrap(),
        image.manifest()
    );
    let layer = &image.child("linux/amd64").layers()[0];
    let redirect = send(get(
        gallery,
        &format!("docker/library/node/blobs/{layer}"),
        &token,
    ))
    .await;
    assert_eq!(redirect.status(), 307);
    let blob = send(http().get(header(&redirect, "location").unwrap())).await;
    assert_eq!(blob.bytes().await.unwrap().len(), 3_000);
}

#[tokio::test]
async fn reads_with_the_account_token_are_not_counted_as_anonymous() {
    let (cloud, _) = cloud_with_node().await;
    let gallery = cloud.ecr_public.gallery();
    let (anonymous, ours) = (anonymous(&cloud).await, account_login(&cloud).await);
    cloud.counts.reset();
    for token in [&anonymous, &ours, &ours] {
        assert_eq!(send(get(gallery, NODE, token)).await.status(), 200);
    }
    assert_eq!(cloud.counts.get("public.manifest.get"), 3);
    assert_eq!(cloud.counts.get("public.anonymous"), 1);
    assert_eq!(cloud.counts.get("public.token"), 0);
    assert_eq!(cloud.counts.sum("ecr_public."), 0);
}

#[tokio::test]
async fn the_account_cannot_write_the_gallery() {
    let (cloud, image) = cloud_with_node().await;
    let gallery = cloud.ecr_public.gallery();
    for token in [anonymous(&cloud).await, account_login(&cloud).await] {
        assert_eq!(
            refusal(put(gallery, NODE, &token, &image).await).await,
            (403, "DENIED".into())
        );
        let url = format!(
            "{}/v2/docker/library/node/blobs/uploads/",
            gallery.endpoint()
        );
        assert_eq!(
            send(http().post(url).header(AUTHORIZATION, &token))
                .await
                .status(),
            403
        );
    }
    let repositories = Client::new(&sdk(&cloud, "us-east-1").await)
        .describe_repositories()
        .send()
        .await
        .unwrap();
    assert_eq!(repositories.repositories().len(), 0);
}

#[tokio::test]
async fn anyone_can_read_the_account_repositories_and_only_the_account_writes_them() {
    let (cloud, image) = cloud_with_node().await;
    let registry = cloud.ecr_public.registry();
    registry.push("node", "22", &image);
    let token = anonymous(&cloud).await;
    assert_eq!(
        send(get(registry, "my-alias/node/manifests/22", &token))
            .await
            .status(),
        200
    );
    let refused = put(registry, "my-alias/node/manifests/23", &token, &image).await;
    assert_eq!(refusal(refused).await, (403, "DENIED".into()));
    assert_eq!(cloud.counts.get("ecr_public.anonymous"), 1);
}

#[tokio::test]
async fn an_anonymous_token_expires_after_a_minute_without_stating_its_lifetime() {
    let (cloud, _) = cloud_with_node().await;
    let token = anonymous(&cloud).await;
    cloud.clock.advance(Duration::from_secs(61));
    let response = send(get(cloud.ecr_public.gallery(), NODE, &token)).await;
    assert_eq!(response.status(), 403);
    let message = "Your authorization token has expired. Reauthenticate and try again.";
    assert_eq!(json(response).await["errors"][0]["message"], message);
}

#[tokio::test]
async fn the_token_service_checks_the_service_and_the_password() {
    let (cloud, _) = cloud_with_node().await;
    let url = format!("{}/token/", cloud.ecr_public.registry().endpoint());
    assert_eq!(
        send(http().get(format!("{url}?service=registry.docker.io")))
            .await
            .status(),
        400
    );
    let url = format!("{url}?service=public.ecr.aws&scope=aws");
    let wrong = send(http().get(&url).basic_auth("AWS", Some("wrong"))).await;
    assert_eq!(refusal(wrong).await, (400, "DENIED".into()));
    let login = account_login(&cloud).await.replace("Bearer", "Basic");
    let response = json(send(http().get(&url).header(AUTHORIZATION, login)).await).await;
    let token = format!("Bearer {}", response["token"].as_str().unwrap());
    assert_eq!(
        send(get(cloud.ecr_public.gallery(), NODE, &token))
            .await
            .status(),
        200
    );
    assert_eq!(cloud.counts.get("public.anonymous"), 0);
    assert_eq!(&response["expires_in"], &serde_json::Value::Null);
}

#[tokio::test]
async fn a_missing_tag_and_a_missing_repository_have_different_errors() {
    let (cloud, _) = cloud_with_node().await;
    let (gallery, token) = (cloud.ecr_public.gallery(), anonymous(&cloud).await);
    let tag = send(get(gallery, "docker/library/node/manifests/none", &token)).await;
    assert_eq!(refusal(tag).await, (404, "MANIFEST_UNKNOWN".into()));
    let repository = send(get(gallery, "docker/library/none/manifests/21", &token)).await;
    assert_eq!(refusal(repository).await, (404, "NAME_UNKNOWN".into()));
    assert_eq!(
        send(get(gallery, "docker/library/node/tags/list", &token))
            .await
            .status(),
        404
    );
}

#[tokio::test]
async fn a_registry_can_send_or_omit_the_content_digest() {
    let (cloud, image) = cloud_with_node().await;
    let (gallery, token) = (cloud.ecr_public.gallery(), anonymous(&cloud).await);
    gallery.send_content_digest();
    let found = send(head(gallery, NODE, &token)).await;
    assert_eq!(
        header(&found, "docker-content-digest"),
        Some(image.digest().as_str())
    );
    cloud.open.push("a", "1", &image);
    cloud.open.omit_content_digest();
    assert_eq!(
        header(
            &send(head(&cloud.open, "a/manifests/1", "none")).await,
            "docker-content-digest"
        ),
        None
    );
}
