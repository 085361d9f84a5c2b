//! Planned faults of HTTP responses.

use std::time::Duration;

use embedded_cloud::{Cloud, Image};
use reqwest::Response;

use crate::{get, head, header, http, hub_token, send};

const SIZE: u64 = 5_000_000;

/// A Docker Hub with one large layer, and its digest.
async fn cloud_with_layer() -> (Cloud, String) {
    let cloud = Cloud::start().await;
    let image = Image::oci(1, &[SIZE]);
    cloud.hub.push("library/big", "1", &image);
    let layer = image.layers()[0].clone();
    (cloud, layer)
}

async fn download(cloud: &Cloud, layer: &str, from: usize) -> Response {
    let token = hub_token(cloud, "library/big", None).await;
    let redirect = send(get(
        cloud.hub.registry(),
        &format!("library/big/blobs/{layer}"),
        &token,
    ))
    .await;
    let location = header(&redirect, "location").expect("a redirect");
    send(
        http()
            .get(location)
            .header("range", format!("bytes={from}-")),
    )
    .await
}

/// The bytes of the body that arrived, and whether the body was complete.
async fn read_body(mut response: Response) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend(chunk),
            end => return (bytes, end.is_ok()),
        }
    }
}

#[tokio::test]
async fn a_truncated_body_is_completed_by_a_range_request() {
    let (cloud, layer) = cloud_with_layer().await;
    let (whole, _) = read_body(download(&cloud, &layer, 0).await).await;
    cloud.hub.faults().cut_blob(&layer, 1_000_000, 1);
    let (mut start, complete) = read_body(download(&cloud, &layer, 0).await).await;
    assert_eq!(start.len(), 1_000_000);
    assert!(!complete);
    let (rest, complete) = read_body(download(&cloud, &layer, start.len()).await).await;
    assert!(complete);
    start.extend(rest);
    assert!(start == whole, "both halves are the whole");
}

#[tokio::test]
async fn a_corrupt_body_has_the_right_length() {
    let (cloud, layer) = cloud_with_layer().await;
    cloud.hub.faults().corrupt_blob(&layer, 1);
    let (wrong, complete) = read_body(download(&cloud, &layer, 0).await).await;
    let (right, _) = read_body(download(&cloud, &layer, 0).await).await;
    assert_eq!(wrong.len() as u64, SIZE);
    assert!(complete);
    assert!(wrong != right);
}

#[tokio::test]
async fn a_stalled_body_never_ends() {
    let (cloud, layer) = cloud_with_layer().await;
    cloud.hub.faults().stall_blob(&layer, 1_000, 1);
    let response = download(&cloud, &layer, 0).await;
    assert_eq!(cloud.counts.peak("cdn.download"), 1);
    let body = tokio::time::timeout(Duration::from_millis(100), response.bytes());
    body.await.expect_err("the body does not end");
}

#[tokio::test]
async fn a_planned_status_affects_one_kind_of_request() {
    let (cloud, layer) = cloud_with_layer().await;
    cloud.hub.faults().status("manifest.head", 503, 2);
    cloud.hub.faults().status("cdn.blob.get", 500, 1);
    let token = hub_token(&cloud, "library/big", None).await;
    let path = "library/big/manifests/1";
    assert_eq!(
        send(get(cloud.hub.registry(), path, &token)).await.status(),
        200
    );
    for expected in [503, 503, 200] {
        assert_eq!(
            send(head(cloud.hub.registry(), path, &token))
                .await
                .status(),
            expected
        );
    }
    assert_eq!(download(&cloud, &layer, 0).await.status(), 500);
}

#[tokio::test]
async fn a_corrupt_manifest_has_the_headers_of_the_intact_one() {
    let cloud = Cloud::start().await;
    let image = Image::oci(1, &[3_000]);
    cloud.open.push("a", "1", &image);
    cloud.open.faults().corrupt_manifest(&image.digest(), 1);
    let response = send(get(&cloud.open, "a/manifests/1", "none")).await;
    assert_eq!(
        header(&response, "docker-content-digest"),
        Some(image.digest().as_str())
    );
    let body = response.bytes().await.unwrap();
    assert_eq!(body.len(), image.manifest().len());
    assert!(body != image.manifest());
}
