//! A public pull-through cache of Docker Hub.

use embedded_cloud::{Cloud, Image};

use crate::{get, head, header, http, put, refusal, send};

const NODE: &str = "library/node/manifests/22";

#[tokio::test]
async fn the_hub_cache_is_read_without_a_token() {
    let cloud = Cloud::start().await;
    let image = Image::index(1, &["linux/amd64"], &[3_000], false);
    cloud.hub_cache.push("library/node", "22", &image);
    let url = format!("{}/v2/{NODE}", cloud.hub_cache.endpoint());
    let found = send(http().head(&url)).await;
    assert_eq!(
        header(&found, "docker-content-digest"),
        Some(image.digest().as_str())
    );
    assert_eq!(header(&found, "ratelimit-limit"), None);
    let layer = &image.child("linux/amd64").layers()[0];
    let blob = send(get(
        &cloud.hub_cache,
        &format!("library/node/blobs/{layer}"),
        "none",
    ))
    .await;
    assert_eq!(blob.status().as_u16(), 200);
    assert_eq!(blob.bytes().await.unwrap().len(), 3_000);
    assert_eq!(cloud.counts.get("hub_cache.manifest.head"), 1);
    assert_eq!(cloud.counts.get("hub_cache.bytes"), 3_000);
}

#[tokio::test]
async fn nothing_can_be_pushed_to_the_hub_cache() {
    let cloud = Cloud::start().await;
    let refused = put(&cloud.hub_cache, NODE, "none", &Image::oci(1, &[3_000])).await;
    assert_eq!(refusal(refused).await, (403, "DENIED".into()));
    assert_eq!(cloud.hub_cache.repositories().len(), 0);
}

#[tokio::test]
async fn images_missing_in_the_hub_cache_are_not_found() {
    let cloud = Cloud::start().await;
    assert_eq!(
        send(head(&cloud.hub_cache, NODE, "none")).await.status(),
        404
    );
    assert_eq!(
        refusal(send(get(&cloud.hub_cache, NODE, "none")).await).await,
        (404, "NAME_UNKNOWN".into())
    );
}

#[tokio::test]
async fn the_environment_lists_every_registry_with_a_public_host_name() {
    let cloud = Cloud::start().await;
    let environment = cloud.environment();
    let (_, endpoints) = environment
        .iter()
        .find(|(name, _)| name == "REPLICATOR_REGISTRY_ENDPOINTS")
        .expect("it is set");
    let hosts: Vec<&str> = endpoints
        .split(',')
        .filter_map(|pair| Some(pair.split_once('=')?.0))
        .collect();
    let expected = [
        "111122223333.dkr.ecr.us-east-1.amazonaws.com",
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
        "docker.io",
        "public.ecr.aws",
        "quay.io",
        "mirror.gcr.io",
    ];
    assert_eq!(hosts, expected);
    assert!(endpoints.ends_with(&format!("mirror.gcr.io={}", cloud.hub_cache.endpoint())));
}
