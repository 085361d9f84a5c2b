//! Docker Hub: tokens, manifests, blobs and tag lists. Its limits are in `hub_limits`.

use std::time::Duration;

use embedded_cloud::{Cloud, Image};
use reqwest::header::{ACCEPT, AUTHORIZATION};

use crate::{get, head, header, http, hub_token, json, refusal, send};

pub(crate) const NODE: &str = "library/node/manifests/22";

pub(crate) async fn cloud_with_node() -> (Cloud, Image) {
    let cloud = Cloud::start().await;
    let image = Image::index(1, &["linux/amd64", "linux/arm64/v8"], &[3_000], false);
    cloud.hub.push("library/node", "22", &image);
    (cloud, image)
}

#[tokio::test]
async fn a_ping_names_the_token_service() {
    let cloud = Cloud::start().await;
    let response = send(http().get(format!("{}/v2/", cloud.hub.endpoint()))).await;
    assert_eq!(response.status(), 401);
    let challenge = header(&response, "www-authenticate").unwrap();
    assert!(
        challenge.starts_with("Bearer realm=\"http://127.0.0.1:"),
        "{challenge}"
    );
    assert!(
        challenge.ends_with("/token\",service=\"registry.docker.io\""),
        "{challenge}"
    );
}

#[tokio::test]
async fn a_token_expires_after_five_minutes() {
    let (cloud, _) = cloud_with_node().await;
    let token = hub_token(&cloud, "library/node", None).await;
    cloud.clock.advance(Duration::from_secs(299));
    assert_eq!(
        send(head(cloud.hub.registry(), NODE, &token))
            .await
            .status(),
        200
    );
    cloud.clock.advance(Duration::from_secs(2));
    let response = send(head(cloud.hub.registry(), NODE, &token)).await;
    assert_eq!(response.status(), 401);
    assert!(
        header(&response, "www-authenticate")
            .unwrap()
            .ends_with("error=\"invalid_token\"")
    );
}

#[tokio::test]
async fn a_token_is_valid_for_its_repository_only() {
    let (cloud, image) = cloud_with_node().await;
    cloud.hub.push("library/python", "3", &image);
    let token = hub_token(&cloud, "library/node", None).await;
    let response = send(get(
        cloud.hub.registry(),
        "library/python/manifests/3",
        &token,
    ))
    .await;
    let challenge = header(&response, "www-authenticate").unwrap().to_owned();
    assert!(
        challenge.ends_with(r#"scope="repository:library/python:pull",error="insufficient_scope""#),
        "{challenge}"
    );
    assert_eq!(refusal(response).await, (401, "UNAUTHORIZED".into()));
}

#[tokio::test]
async fn a_missing_repository_looks_like_a_private_one() {
    let (cloud, image) = cloud_with_node().await;
    cloud.hub.push("acme/secret", "1", &image);
    cloud.hub.make_private("acme/secret");
    cloud.hub.add_user("acme", "secret");
    for repository in ["acme/secret", "acme/missing"] {
        let token = hub_token(&cloud, repository, None).await;
        let response = send(get(
            cloud.hub.registry(),
            &format!("{repository}/manifests/1"),
            &token,
        ))
        .await;
        assert_eq!(
            refusal(response).await,
            (401, "UNAUTHORIZED".into()),
            "{repository}"
        );
    }
    let token = hub_token(&cloud, "acme/secret", Some(("acme", "secret"))).await;
    assert_eq!(
        send(get(cloud.hub.registry(), "acme/secret/manifests/1", &token))
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn a_wrong_login_is_refused_and_not_treated_as_anonymous() {
    let cloud = Cloud::start().await;
    cloud.hub.add_user("acme", "secret");
    let ping = send(http().get(format!("{}/v2/", cloud.hub.endpoint()))).await;
    let realm = header(&ping, "www-authenticate")
        .unwrap()
        .split('"')
        .nth(1)
        .unwrap()
        .to_owned();
    for (user, password) in [
        ("acme", "wrong"),
        ("somebody", "secret"),
        ("acme@example.com", "secret"),
    ] {
        let response = send(http().get(&realm).basic_auth(user, Some(password))).await;
        assert_eq!(response.status(), 401, "{user}");
        assert_eq!(
            json(response).await["details"],
            "incorrect username or password"
        );
    }
}

#[tokio::test]
async fn a_deleted_tag_is_an_unknown_manifest() {
    let (cloud, _) = cloud_with_node().await;
    cloud.hub.delete_tag("library/node", "22");
    let token = hub_token(&cloud, "library/node", None).await;
    assert_eq!(
        refusal(send(get(cloud.hub.registry(), NODE, &token)).await).await,
        (404, "MANIFEST_UNKNOWN".into())
    );
}

#[tokio::test]
async fn an_index_is_sent_only_to_a_client_that_accepts_indexes() {
    let (cloud, _) = cloud_with_node().await;
    let token = hub_token(&cloud, "library/node", None).await;
    let request = http()
        .get(format!("{}/v2/{NODE}", cloud.hub.endpoint()))
        .header(AUTHORIZATION, token);
    let request = request.header(
        ACCEPT,
        "application/vnd.docker.distribution.manifest.v2+json",
    );
    let body = json(send(request).await).await;
    assert_eq!(
        body["errors"][0]["message"],
        "OCI index found, but Accept header does not support OCI indexes"
    );
}

#[tokio::test]
async fn blobs_are_served_by_a_cdn_that_refuses_credentials_and_supports_ranges() {
    let (cloud, image) = cloud_with_node().await;
    let layer = image.children()[0].layers()[0].clone();
    let token = hub_token(&cloud, "library/node", None).await;
    let redirect = send(get(
        cloud.hub.registry(),
        &format!("library/node/blobs/{layer}"),
        &token,
    ))
    .await;
    assert_eq!(redirect.status(), 307);
    let location = header(&redirect, "location").unwrap();
    assert_eq!(
        send(http().get(location).header(AUTHORIZATION, token))
            .await
            .status(),
        400
    );
    let whole = send(http().get(location)).await.bytes().await.unwrap();
    assert_eq!(whole.len(), 3_000);
    let part = send(http().get(location).header("range", "bytes=1000-1999")).await;
    assert_eq!(part.status().as_u16(), 206);
    assert_eq!(header(&part, "content-range"), Some("bytes 1000-1999/3000"));
    assert_eq!(part.bytes().await.unwrap(), whole[1_000..2_000]);
    assert_eq!(cloud.counts.get("cdn.bytes"), 4_000);
}

#[tokio::test]
async fn a_cdn_url_expires() {
    let (cloud, image) = cloud_with_node().await;
    let layer = image.children()[0].layers()[0].clone();
    let token = hub_token(&cloud, "library/node", None).await;
    let redirect = send(get(
        cloud.hub.registry(),
        &format!("library/node/blobs/{layer}"),
        &token,
    ))
    .await;
    cloud.clock.advance(Duration::from_hours(2));
    assert_eq!(
        send(http().get(header(&redirect, "location").unwrap()))
            .await
            .status(),
        403
    );
}

#[tokio::test]
async fn a_tag_list_has_pages() {
    let (cloud, image) = cloud_with_node().await;
    for tag in ["18", "20"] {
        cloud.hub.push("library/node", tag, &image);
    }
    let token = hub_token(&cloud, "library/node", None).await;
    let first = send(get(
        cloud.hub.registry(),
        "library/node/tags/list?n=2",
        &token,
    ))
    .await;
    let link = header(&first, "link").unwrap().to_owned();
    assert_eq!(
        link,
        "</v2/library/node/tags/list?last=20&n=2>; rel=\"next\""
    );
    assert_eq!(json(first).await["tags"], serde_json::json!(["18", "20"]));
    let last = send(get(
        cloud.hub.registry(),
        "library/node/tags/list?last=20&n=2",
        &token,
    ))
    .await;
    assert_eq!(header(&last, "link"), None);
    assert_eq!(json(last).await["tags"], serde_json::json!(["22"]));
}

#[tokio::test]
async fn nothing_can_be_pushed_to_docker_hub() {
    let (cloud, _) = cloud_with_node().await;
    let token = hub_token(&cloud, "library/node", None).await;
    let url = format!("{}/v2/library/node/blobs/uploads/", cloud.hub.endpoint());
    assert_eq!(
        send(http().post(url).header(AUTHORIZATION, token))
            .await
            .status(),
        401
    );
}
