//! Registries that follow the OCI distribution spec.

use std::time::Duration;

use embedded_cloud::{Cloud, Image};

use crate::{bytes, get, header, http, json, put, refusal, send};

#[tokio::test]
async fn a_push_to_an_open_registry_creates_the_repository() {
    let cloud = Cloud::start().await;
    let image = Image::index(1, &["linux/amd64"], &[3_000], false);
    for (digest, blob) in image.blobs() {
        let started =
            send(http().post(format!("{}/v2/a/b/blobs/uploads/", cloud.open.endpoint()))).await;
        let location = header(&started, "location").unwrap();
        assert!(
            location.starts_with("/v2/a/b/blobs/uploads/"),
            "the location is relative: {location}"
        );
        assert!(
            location.contains('?'),
            "the location has a query of its own: {location}"
        );
        let url = format!("{}{location}&digest={digest}", cloud.open.endpoint());
        assert_eq!(send(http().put(url).body(bytes(&blob))).await.status(), 201);
    }
    for (path, manifest) in [
        (image.children()[0].digest(), &image.children()[0]),
        ("1".into(), &image),
    ] {
        let created = put(
            &cloud.open,
            &format!("a/b/manifests/{path}"),
            "none",
            manifest,
        )
        .await;
        assert_eq!(created.status(), 201);
        assert_eq!(
            header(&created, "docker-content-digest"),
            Some(manifest.digest().as_str())
        );
        assert_eq!(
            header(&created, "location"),
            Some(format!("/v2/a/b/manifests/{path}").as_str())
        );
    }
    assert_eq!(cloud.open.image("a/b", "1"), Some(image.digest()));
}

#[tokio::test]
async fn blobs_are_sent_without_a_redirect() {
    let cloud = Cloud::start().await;
    let image = Image::oci(1, &[3_000]);
    cloud.open.push("a/b", "1", &image);
    let response = send(get(
        &cloud.open,
        &format!("a/b/blobs/{}", image.layers()[0]),
        "none",
    ))
    .await;
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.bytes().await.unwrap().len(), 3_000);
}

#[tokio::test]
async fn a_blob_of_another_repository_is_mounted() {
    let cloud = Cloud::start().await;
    let image = Image::oci(1, &[3_000]);
    cloud.open.push("base", "1", &image);
    let layer = &image.layers()[0];
    let mount = |from: &str| {
        http().post(format!(
            "{}/v2/b/blobs/uploads/?mount={layer}&from={from}",
            cloud.open.endpoint()
        ))
    };
    assert_eq!(send(mount("base")).await.status(), 201);
    assert_eq!(send(mount("none")).await.status(), 202);
}

#[tokio::test]
async fn each_part_must_start_where_the_previous_one_ended() {
    let cloud = Cloud::start().await;
    let started = send(http().post(format!("{}/v2/a/blobs/uploads/", cloud.open.endpoint()))).await;
    let url = format!(
        "{}{}",
        cloud.open.endpoint(),
        header(&started, "location").unwrap()
    );
    let part = send(http().patch(&url).header("content-range", "0-1").body("ab")).await;
    assert_eq!(part.status().as_u16(), 202);
    assert_eq!(header(&part, "range"), Some("0-1"));
    let gap = send(http().patch(&url).header("content-range", "3-4").body("de")).await;
    assert_eq!(refusal(gap).await, (416, "BLOB_UPLOAD_INVALID".into()));
    let status = send(http().get(&url)).await;
    assert_eq!(status.status().as_u16(), 204);
    assert_eq!(header(&status, "range"), Some("0-1"));
}

#[tokio::test]
async fn a_manifest_is_refused_until_its_blobs_exist() {
    let cloud = Cloud::start().await;
    cloud.open.create_repository("a", false);
    let response = put(
        &cloud.open,
        "a/manifests/1",
        "none",
        &Image::oci(1, &[3_000]),
    )
    .await;
    assert_eq!(
        refusal(response).await,
        (400, "MANIFEST_BLOB_UNKNOWN".into())
    );
}

#[tokio::test]
async fn quay_tokens_expire_after_a_minute_without_stating_their_lifetime() {
    let cloud = Cloud::start().await;
    cloud.quay.push("a/b", "1", &Image::oci(1, &[3_000]));
    assert_eq!(
        send(get(&cloud.quay, "a/b/manifests/1", "none"))
            .await
            .status(),
        401
    );
    let url = format!(
        "{}/token?service=quay.io&scope=repository:a/b:pull",
        cloud.quay.endpoint()
    );
    let response = json(send(http().get(url)).await).await;
    assert_eq!(response["expires_in"], serde_json::Value::Null);
    let token = format!("Bearer {}", response["token"].as_str().unwrap());
    assert_eq!(
        send(get(&cloud.quay, "a/b/manifests/1", &token))
            .await
            .status(),
        200
    );
    cloud.clock.advance(Duration::from_secs(61));
    assert_eq!(
        send(get(&cloud.quay, "a/b/manifests/1", &token))
            .await
            .status(),
        401
    );
}
