//! Blob uploads to ECR, which differ from the OCI distribution spec in many details.

use embedded_cloud::{Cloud, Image, Registry};
use reqwest::Response;
use reqwest::header::AUTHORIZATION;

use crate::{bytes, ecr, header, http, json, refusal, send, start_upload, upload_blobs};

const PART: usize = 5 * 1024 * 1024;
const ZEROS: [u8; 3] = [0; 3];
const ZEROS_DIGEST: &str =
    "sha256:709e80c88487a2411e1ee4dfb9f22a861492d20c4765150c0c794abd70f8147c";

async fn patch(location: &str, login: &str, part: Vec<u8>) -> Response {
    send(
        http()
            .patch(location)
            .header(AUTHORIZATION, login)
            .body(part),
    )
    .await
}

async fn finish(location: &str, login: &str, digest: &str, rest: Vec<u8>) -> Response {
    send(
        http()
            .put(format!("{location}?digest={digest}"))
            .header(AUTHORIZATION, login)
            .body(rest),
    )
    .await
}

async fn mount(registry: &Registry, login: &str, digest: &str) -> Response {
    let url = format!(
        "{}/v2/mirror/node/blobs/uploads/?mount={digest}&from=base",
        registry.endpoint()
    );
    send(http().post(url).header(AUTHORIZATION, login)).await
}

#[tokio::test]
async fn a_blob_is_uploaded_with_a_post_and_one_put() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let location = start_upload(registry, "mirror/node", &login).await;
    assert!(
        location.starts_with(registry.endpoint()),
        "the location is absolute: {location}"
    );
    let head = || {
        http().head(format!(
            "{}/v2/mirror/node/blobs/{ZEROS_DIGEST}",
            registry.endpoint()
        ))
    };
    assert_eq!(
        send(head().header(AUTHORIZATION, &login)).await.status(),
        404
    );
    assert_eq!(
        finish(&location, &login, ZEROS_DIGEST, ZEROS.into())
            .await
            .status(),
        201
    );
    let found = send(head().header(AUTHORIZATION, &login)).await;
    assert_eq!(found.status().as_u16(), 200);
    assert_eq!(header(&found, "content-length"), Some("3"));
    assert_eq!(cloud.counts.get("ecr.bytes"), 3);
}

#[tokio::test]
async fn a_part_is_answered_with_201_and_a_range_that_stays_that_of_the_first() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let location = start_upload(registry, "mirror/node", &login).await;
    for _ in 0..2 {
        let response = patch(&location, &login, vec![0; PART]).await;
        assert_eq!(response.status(), 201);
        assert_eq!(header(&response, "range"), Some("0-5242879"));
    }
    assert_eq!(
        send(http().get(&location).header(AUTHORIZATION, &login))
            .await
            .status(),
        404
    );
}

#[tokio::test]
async fn every_part_but_the_last_has_at_least_five_mebibytes() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let location = start_upload(registry, "mirror/node", &login).await;
    assert_eq!(patch(&location, &login, vec![0]).await.status(), 201);
    let response = finish(&location, &login, ZEROS_DIGEST, vec![0; 2]).await;
    assert_eq!(refusal(response).await, (400, "BLOB_UPLOAD_INVALID".into()));
}

#[tokio::test]
async fn an_upload_of_one_part_and_an_empty_put_is_accepted() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let location = start_upload(registry, "mirror/node", &login).await;
    assert_eq!(patch(&location, &login, ZEROS.into()).await.status(), 201);
    assert_eq!(
        finish(&location, &login, ZEROS_DIGEST, Vec::new())
            .await
            .status(),
        201
    );
}

#[tokio::test]
async fn a_wrong_digest_fails_the_upload() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let location = start_upload(registry, "mirror/node", &login).await;
    let body = json(finish(&location, &login, ZEROS_DIGEST, vec![1; 3]).await).await;
    assert_eq!(body["errors"][0]["code"], "BLOB_UPLOAD_INVALID");
    let message = "None of the provided layer digests match the calculated layer digest";
    assert_eq!(body["errors"][0]["message"], message);
}

#[tokio::test]
async fn an_upload_session_with_a_truncated_part_is_lost() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let image = Image::oci(1, &[1_000_000]);
    let layer = &image.layers()[0];
    let content = image
        .blobs()
        .into_iter()
        .find(|(digest, _)| digest == layer)
        .map(|(_, blob)| bytes(&blob))
        .unwrap();
    let location = start_upload(registry, "mirror/node", &login).await;
    cloud.ecr.faults().cut_upload(900_000, 1);
    let request = http()
        .put(format!("{location}?digest={layer}"))
        .header(AUTHORIZATION, &login);
    request
        .body(content.clone())
        .send()
        .await
        .expect_err("the connection is cut");
    let again = finish(&location, &login, layer, content.to_vec()).await;
    assert_eq!(refusal(again).await, (416, "BLOB_UPLOAD_INVALID".into()));
    let location = start_upload(registry, "mirror/node", &login).await;
    assert_eq!(
        finish(&location, &login, layer, content.to_vec())
            .await
            .status(),
        201
    );
}

#[tokio::test]
async fn an_upload_to_a_missing_repository_closes_the_connection() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let url = format!("{}/v2/mirror/none/blobs/uploads/", registry.endpoint());
    http()
        .post(url)
        .header(AUTHORIZATION, login)
        .send()
        .await
        .expect_err("the connection is cut");
    assert_eq!(registry.repositories(), ["mirror/node"]);
}

#[tokio::test]
async fn a_blob_is_mounted_if_the_account_allows_it_and_a_manifest_refers_to_it() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let image = Image::oci(1, &[3_000]);
    registry.push("base", "1", &image);
    let layer = &image.layers()[0];
    assert_eq!(mount(registry, &login, layer).await.status(), 202);
    let client = aws_sdk_ecr::Client::new(&crate::sdk(&cloud, "us-east-1").await);
    client
        .put_account_setting()
        .name("BLOB_MOUNTING")
        .value("ENABLED")
        .send()
        .await
        .expect("the setting is known");
    assert_eq!(mount(registry, &login, layer).await.status(), 201);
    assert_eq!(registry.blobs("mirror/node").len(), 1);
    upload_blobs(registry, "base", &login, &Image::oci(2, &[3_000])).await;
    let unreferenced = &Image::oci(2, &[3_000]).layers()[0];
    assert_eq!(mount(registry, &login, unreferenced).await.status(), 202);
}
