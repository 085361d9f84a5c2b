//! The data plane of private ECR: manifests and access.

use std::time::Duration;

use embedded_cloud::{Cloud, Image};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};

use crate::{ecr, ecr_login, get, head, header, http, json, put, refusal, send, upload_blobs};

const TAG: &str = "mirror/node/manifests/22";

#[tokio::test]
async fn every_request_needs_the_basic_token_of_the_region() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let response = send(http().get(format!("{}/v2/", registry.endpoint()))).await;
    assert_eq!(
        header(&response, "www-authenticate"),
        Some(
            r#"Basic realm="https://111122223333.dkr.ecr.us-east-1.amazonaws.com/",service="ecr.amazonaws.com""#
        )
    );
    assert_eq!(send(get(registry, "", &login)).await.status(), 200);
    let elsewhere = ecr_login(&cloud, "eu-west-1").await;
    assert_eq!(
        refusal(send(get(registry, "", &elsewhere)).await).await,
        (403, "DENIED".into())
    );
    assert_eq!(
        send(get(registry, "", "Basic QVdTOnJpZ2h0")).await.status(),
        401
    );
}

#[tokio::test]
async fn a_token_expires_after_twelve_hours() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    cloud.clock.advance(Duration::from_hours(12));
    let response = send(get(registry, "", &login)).await;
    assert_eq!(response.status(), 403);
    let message = "Your authorization token has expired. Reauthenticate and try again.";
    assert_eq!(json(response).await["errors"][0]["message"], message);
}

#[tokio::test]
async fn manifest_responses_have_no_digest_and_no_location() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let image = Image::docker(1, &[3_000]);
    upload_blobs(registry, "mirror/node", &login, &image).await;
    let created = put(registry, TAG, &login, &image).await;
    assert_eq!(created.status(), 201);
    assert_eq!(header(&created, "location"), None);
    assert_eq!(header(&created, "docker-content-digest"), None);
    let found = send(head(registry, TAG, &login)).await;
    assert_eq!(found.status(), 200);
    assert_eq!(header(&found, "docker-content-digest"), None);
    assert_eq!(header(&found, "content-type"), Some(image.media_type()));
    assert_eq!(registry.image("mirror/node", "22"), Some(image.digest()));
}

#[tokio::test]
async fn an_index_is_refused_until_its_children_exist() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let index = Image::index(1, &["linux/amd64"], &[3_000], true);
    upload_blobs(registry, "mirror/node", &login, &index).await;
    let body = json(put(registry, TAG, &login, &index).await).await;
    assert_eq!(body["errors"][0]["code"], "MANIFEST_BLOB_UNKNOWN");
    let message = body["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("Images with digests '[sha256:"),
        "{message}"
    );
    for child in index.children() {
        let path = format!("mirror/node/manifests/{}", child.digest());
        assert_eq!(put(registry, &path, &login, child).await.status(), 201);
    }
    assert_eq!(put(registry, TAG, &login, &index).await.status(), 201);
}

#[tokio::test]
async fn a_manifest_is_refused_until_its_blobs_exist() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let body = json(put(registry, TAG, &login, &Image::oci(1, &[3_000])).await).await;
    assert_eq!(body["errors"][0]["code"], "MANIFEST_BLOB_UNKNOWN");
    assert!(
        body["errors"][0]["message"]
            .as_str()
            .unwrap()
            .starts_with("Layers with digests '[sha256:")
    );
    assert_eq!(registry.images("mirror/node").len(), 0);
}

#[tokio::test]
async fn a_manifest_pushed_by_digest_must_match_the_digest() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let image = Image::oci(1, &[3_000]);
    upload_blobs(registry, "mirror/node", &login, &image).await;
    let path = format!("mirror/node/manifests/{}", Image::oci(2, &[3_000]).digest());
    assert_eq!(
        refusal(put(registry, &path, &login, &image).await).await,
        (400, "MANIFEST_INVALID".into())
    );
}

#[tokio::test]
async fn a_manifest_has_at_most_four_mebibytes() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let request = http()
        .put(format!("{}/v2/{TAG}", registry.endpoint()))
        .header(AUTHORIZATION, login);
    let media_type = "application/vnd.oci.image.index.v1+json";
    let padding = " ".repeat(4_194_304);
    let request = request
        .header(CONTENT_TYPE, media_type)
        .body(format!(r#"{{"schemaVersion":2,"manifests":[]{padding}}}"#));
    assert_eq!(
        refusal(send(request).await).await,
        (400, "MANIFEST_INVALID".into())
    );
}

#[tokio::test]
async fn an_immutable_tag_is_pushed_once() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    registry.create_repository("mirror/node", true);
    let (old, new) = (Image::docker(1, &[3_000]), Image::docker(2, &[3_000]));
    for image in [&old, &new] {
        upload_blobs(registry, "mirror/node", &login, image).await;
    }
    assert_eq!(put(registry, TAG, &login, &old).await.status(), 201);
    assert_eq!(put(registry, TAG, &login, &old).await.status(), 400);
    let body = json(put(registry, TAG, &login, &new).await).await;
    assert_eq!(body["errors"][0]["code"], "TAG_INVALID");
    assert_eq!(
        body["errors"][0]["message"],
        "The image tag '22' already exists in the 'mirror/node' repository and cannot be overwritten because the tag is \
         immutable."
    );
    assert_eq!(registry.image("mirror/node", "22"), Some(old.digest()));
}

#[tokio::test]
async fn planned_throttling_applies_to_pushes() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let image = Image::docker(1, &[3_000]);
    upload_blobs(registry, "mirror/node", &login, &image).await;
    cloud.ecr.throttle_put_image(1);
    let body = json(put(registry, TAG, &login, &image).await).await;
    assert_eq!(body["errors"][0]["code"], "TOOMANYREQUESTS");
    assert_eq!(body["errors"][0]["message"], "Rate exceeded");
    assert_eq!(put(registry, TAG, &login, &image).await.status(), 201);
}

#[tokio::test]
async fn a_pull_by_tag_needs_the_stored_type_and_a_pull_by_digest_does_not() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let image = Image::oci(1, &[3_000]);
    registry.push("mirror/node", "22", &image);
    let request = |reference: &str| {
        let request = http().get(format!(
            "{}/v2/mirror/node/manifests/{reference}",
            registry.endpoint()
        ));
        let request = request.header(AUTHORIZATION, login.clone());
        request.header(
            ACCEPT,
            "application/vnd.docker.distribution.manifest.v2+json",
        )
    };
    assert_eq!(send(request("22")).await.status(), 404);
    assert_eq!(
        send(request(&image.digest())).await.bytes().await.unwrap(),
        image.manifest()
    );
}

#[tokio::test]
async fn blobs_are_redirected_to_a_bucket_that_refuses_credentials() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let image = Image::oci(1, &[3_000]);
    registry.push("mirror/node", "22", &image);
    let redirect = send(get(
        registry,
        &format!("mirror/node/blobs/{}", image.layers()[0]),
        &login,
    ))
    .await;
    assert_eq!(redirect.status(), 307);
    let location = header(&redirect, "location").unwrap();
    let refused = send(http().get(location).header(AUTHORIZATION, login)).await;
    assert_eq!(refused.status(), 400);
    assert!(
        refused
            .text()
            .await
            .unwrap()
            .contains("Only one auth mechanism allowed")
    );
    assert_eq!(
        send(http().get(location))
            .await
            .bytes()
            .await
            .unwrap()
            .len(),
        3_000
    );
}

#[tokio::test]
async fn a_missing_tag_and_a_missing_repository_have_different_errors() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let tag = send(get(registry, "mirror/node/manifests/none", &login)).await;
    assert_eq!(refusal(tag).await, (404, "MANIFEST_UNKNOWN".into()));
    let repository = send(get(registry, "mirror/none/manifests/22", &login)).await;
    assert_eq!(refusal(repository).await, (404, "NAME_UNKNOWN".into()));
    assert_eq!(
        send(head(registry, "mirror/none/manifests/22", &login))
            .await
            .status(),
        404
    );
}

#[tokio::test]
async fn a_denied_repository_refuses_reads_and_writes() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    registry.deny("mirror/node");
    assert_eq!(
        refusal(send(get(registry, TAG, &login)).await).await,
        (403, "DENIED".into())
    );
    let url = format!("{}/v2/mirror/node/blobs/uploads/", registry.endpoint());
    assert_eq!(
        send(http().post(url).header(AUTHORIZATION, login))
            .await
            .status(),
        403
    );
}

#[tokio::test]
async fn each_region_has_its_own_repositories() {
    let cloud = Cloud::start().await;
    let (_, _) = ecr(&cloud).await;
    let elsewhere = cloud.ecr.region("eu-west-1");
    let login = ecr_login(&cloud, "eu-west-1").await;
    assert_eq!(send(get(elsewhere, TAG, &login)).await.status(), 404);
    assert_eq!(
        elsewhere.host(),
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
    );
}
