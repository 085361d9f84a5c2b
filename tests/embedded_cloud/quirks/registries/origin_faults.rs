//! Faults of an origin other than broken response bodies: forged content, outages and throttling.

use embedded_cloud::{Cloud, Image, Registry};
use reqwest::header::AUTHORIZATION;

use crate::{ecr, get, head, header, http, hub_token, json, put, refusal, send};

/// A Docker Hub cache with one image.
async fn cloud_with_hub_cache() -> (Cloud, Image) {
    let cloud = Cloud::start().await;
    let image = Image::oci(1, &[3_000]);
    cloud.hub_cache.push("library/node", "22", &image);
    (cloud, image)
}

const NODE: &str = "library/node/manifests/22";

#[tokio::test]
async fn a_replaced_manifest_is_sent_under_the_claimed_digest() {
    let (cloud, image) = cloud_with_hub_cache().await;
    let other = Image::oci(2, &[3_000, 4_000]);
    cloud
        .hub_cache
        .faults()
        .replace_manifest(&image.digest(), &other, 1);
    let named = send(head(&cloud.hub_cache, NODE, "none")).await;
    assert_eq!(
        header(&named, "docker-content-digest"),
        Some(image.digest().as_str())
    );
    let path = format!("library/node/manifests/{}", image.digest());
    let sent = send(get(&cloud.hub_cache, &path, "none")).await;
    assert_eq!(
        header(&sent, "docker-content-digest"),
        Some(image.digest().as_str())
    );
    assert_eq!(sent.bytes().await.unwrap(), other.manifest());
    assert_eq!(
        send(get(&cloud.hub_cache, &path, "none"))
            .await
            .bytes()
            .await
            .unwrap(),
        image.manifest()
    );
}

/// Whether the registry responds to a GET and to a HEAD.
async fn responds(registry: &Registry) -> [bool; 2] {
    let url = format!("{}/v2/{NODE}", registry.endpoint());
    [
        http().get(&url).send().await.is_ok(),
        http().head(&url).send().await.is_ok(),
    ]
}

#[tokio::test]
async fn a_stopped_registry_closes_every_connection_until_it_restarts() {
    let (cloud, _) = cloud_with_hub_cache().await;
    cloud.hub_cache.faults().stop_after(3);
    assert_eq!(responds(&cloud.hub_cache).await, [true, true]);
    assert_eq!(responds(&cloud.hub_cache).await, [true, false]);
    assert_eq!(responds(&cloud.hub_cache).await, [false, false]);
    cloud.hub_cache.faults().restart();
    assert_eq!(responds(&cloud.hub_cache).await, [true, true]);
}

#[tokio::test]
async fn a_stopped_registry_also_closes_reused_connections() {
    let (cloud, _) = cloud_with_hub_cache().await;
    let client = http();
    let request = || {
        client
            .head(format!("{}/v2/{NODE}", cloud.hub_cache.endpoint()))
            .send()
    };
    assert_eq!(request().await.unwrap().status(), 200);
    cloud.hub_cache.faults().stop_after(0);
    request().await.expect_err("the connection is closed");
    cloud.hub_cache.faults().restart();
    assert_eq!(request().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_token_service_and_the_cdn_stop_with_their_registry() {
    let cloud = Cloud::start().await;
    let image = Image::oci(1, &[3_000]);
    cloud.hub.push("library/node", "22", &image);
    let token = hub_token(&cloud, "library/node", None).await;
    let blob = format!("library/node/blobs/{}", image.layers()[0]);
    let redirect = send(get(cloud.hub.registry(), &blob, &token)).await;
    let ping = send(http().get(format!("{}/v2/", cloud.hub.endpoint()))).await;
    let realm = header(&ping, "www-authenticate")
        .unwrap()
        .split('"')
        .nth(1)
        .unwrap()
        .to_owned();
    cloud.hub.faults().stop_after(0);
    for address in [realm.as_str(), header(&redirect, "location").unwrap()] {
        http()
            .get(address)
            .send()
            .await
            .expect_err("the connection is closed");
    }
    assert_eq!(
        send(get(&cloud.open, "", "none")).await.status(),
        200,
        "other registries live"
    );
}

#[tokio::test]
async fn blobs_can_be_redirected_to_a_server_that_forges_them() {
    let (cloud, image) = cloud_with_hub_cache().await;
    let blob = format!("library/node/blobs/{}", image.layers()[0]);
    cloud
        .hub_cache
        .faults()
        .redirect_blobs(&format!("{}/deep", cloud.untrusted_server.url()));
    let redirect = send(get(&cloud.hub_cache, &blob, "Bearer secret")).await;
    let location = header(&redirect, "location").unwrap();
    assert_eq!(redirect.status().as_u16(), 307);
    assert_eq!(
        location,
        &*format!(
            "{}/deep/{}",
            cloud.untrusted_server.url(),
            image.layers()[0]
        )
    );
    let forged = send(http().get(location)).await.bytes().await.unwrap();
    cloud.hub_cache.faults().stop_redirecting_blobs();
    let real = send(get(&cloud.hub_cache, &blob, "none"))
        .await
        .bytes()
        .await
        .unwrap();
    assert_eq!(forged.len(), 3_000);
    assert_eq!(real.len(), 3_000);
    assert!(forged != real);
}

#[tokio::test]
async fn the_untrusted_server_records_requests_and_headers() {
    let cloud = Cloud::start().await;
    cloud.untrusted_server.answer_not_found();
    let url = format!("{}/a?b=c", cloud.untrusted_server.url());
    assert_eq!(
        send(http().get(&url).header(AUTHORIZATION, "Bearer secret"))
            .await
            .status(),
        404
    );
    assert_eq!(send(http().head(&url)).await.status(), 404);
    let requests = cloud.untrusted_server.requests();
    assert_eq!(requests[0].method.as_str(), "GET");
    assert_eq!(requests[0].path.as_str(), "/a?b=c");
    assert_eq!(requests[0].header("authorization"), Some("Bearer secret"));
    assert_eq!(requests[1].method.as_str(), "HEAD");
    assert_eq!(requests[1].header("authorization"), None);
}

#[tokio::test]
async fn the_untrusted_server_forges_blobs_or_answers_not_found() {
    let (cloud, image) = cloud_with_hub_cache().await;
    let url = format!("{}/{}", cloud.untrusted_server.url(), image.layers()[0]);
    assert_eq!(send(http().get(&url)).await.status(), 200);
    cloud.untrusted_server.answer_not_found();
    assert_eq!(send(http().get(&url)).await.status(), 404);
    cloud.untrusted_server.answer_forged_bytes();
    assert_eq!(send(http().get(&url)).await.status(), 200);
    let unknown = format!(
        "{}/{}",
        cloud.untrusted_server.url(),
        Image::oci(2, &[3_000]).layers()[0]
    );
    assert_eq!(send(http().get(&unknown)).await.status(), 404);
}

#[tokio::test]
async fn a_limit_on_tag_lists_does_not_affect_other_requests() {
    let cloud = Cloud::start().await;
    cloud
        .hub
        .push("library/node", "22", &Image::oci(1, &[3_000]));
    let token = hub_token(&cloud, "library/node", None).await;
    cloud.hub.limit_tag_lists(1, 30);
    assert_eq!(
        send(get(cloud.hub.registry(), NODE, &token)).await.status(),
        200
    );
    let list = || send(get(cloud.hub.registry(), "library/node/tags/list", &token));
    let limited = list().await;
    assert_eq!(limited.status().as_u16(), 429);
    assert_eq!(header(&limited, "retry-after"), Some("30"));
    assert_eq!(limited.text().await.unwrap(), "Too Many Requests");
    assert_eq!(list().await.status(), 200);
    assert_eq!(cloud.hub.refused_pulls(), 0);
}

#[tokio::test]
async fn ecr_throttles_requests_of_any_kind() {
    let cloud = Cloud::start().await;
    let (registry, login) = ecr(&cloud).await;
    let image = Image::docker(1, &[3_000]);
    registry.push("mirror/node", "22", &image);
    cloud.ecr.throttle("manifest.get", 1);
    let throttled = json(send(get(registry, "mirror/node/manifests/22", &login)).await).await;
    let error = &throttled["errors"][0];
    assert_eq!(error["code"], "TOOMANYREQUESTS");
    assert_eq!(error["message"], "Rate exceeded");
    assert_eq!(
        send(get(registry, "mirror/node/manifests/22", &login))
            .await
            .status(),
        200
    );
    cloud.ecr.throttle("manifest.head", 1);
    assert_eq!(
        send(head(registry, "mirror/node/manifests/22", &login))
            .await
            .status(),
        429
    );
    cloud.ecr.throttle("manifest.put", 1);
    let put = put(registry, "mirror/node/manifests/22", &login, &image).await;
    assert_eq!(refusal(put).await, (429, "TOOMANYREQUESTS".into()));
}

#[tokio::test]
async fn ecr_public_throttles_tokens_and_reads_of_the_gallery() {
    let cloud = Cloud::start().await;
    let token = || {
        http().get(format!(
            "{}/token/?service=public.ecr.aws",
            cloud.ecr_public.registry().endpoint()
        ))
    };
    cloud.ecr_public.throttle("token", 1);
    assert_eq!(
        refusal(send(token()).await).await,
        (429, "TOOMANYREQUESTS".into())
    );
    let bearer = format!(
        "Bearer {}",
        json(send(token()).await).await["token"].as_str().unwrap()
    );
    cloud
        .ecr_public
        .publish_to_gallery("docker/library/node", "21", &Image::oci(1, &[3_000]));
    cloud.ecr_public.throttle("manifest.get", 1);
    let read = || {
        send(get(
            cloud.ecr_public.gallery(),
            "docker/library/node/manifests/21",
            &bearer,
        ))
    };
    assert_eq!(refusal(read().await).await, (429, "TOOMANYREQUESTS".into()));
    assert_eq!(read().await.status(), 200);
}
