//! The limits of Docker Hub: the pull rate limit and the abuse rate limit.

use std::time::Duration;

use crate::hub::{NODE, cloud_with_node};
use crate::{get, head, header, http, hub_token, json, refusal, send};

#[tokio::test]
async fn a_head_is_free_and_a_get_costs_a_pull() {
    let (cloud, image) = cloud_with_node().await;
    cloud.hub.set_quota(10, 21_600);
    let token = hub_token(&cloud, "library/node", None).await;
    let response = send(head(cloud.hub.registry(), NODE, &token)).await;
    assert_eq!(
        header(&response, "docker-content-digest"),
        Some(image.digest().as_str())
    );
    assert_eq!(
        header(&response, "content-length"),
        Some(image.manifest().len().to_string().as_str())
    );
    assert_eq!(header(&response, "ratelimit-limit"), Some("10;w=21600"));
    assert_eq!(header(&response, "ratelimit-remaining"), Some("10;w=21600"));
    let response = send(get(cloud.hub.registry(), NODE, &token)).await;
    assert_eq!(header(&response, "ratelimit-remaining"), Some("9;w=21600"));
    assert_eq!(
        header(&response, "docker-ratelimit-source"),
        Some("127.0.0.1")
    );
    assert_eq!(response.bytes().await.unwrap(), image.manifest());
    assert_eq!(cloud.hub.remaining(), 9);
    assert_eq!(cloud.counts.get("hub.manifest.get"), 1);
}

#[tokio::test]
async fn a_spent_quota_refuses_get_but_not_head_until_the_window_has_passed() {
    let (cloud, _) = cloud_with_node().await;
    cloud.hub.set_quota(1, 21_600);
    let token = hub_token(&cloud, "library/node", None).await;
    assert_eq!(
        send(get(cloud.hub.registry(), NODE, &token)).await.status(),
        200
    );
    let refused = send(get(cloud.hub.registry(), NODE, &token)).await;
    assert_eq!(header(&refused, "retry-after"), None);
    let body = json(refused).await;
    assert_eq!(body["errors"][0]["code"], "TOOMANYREQUESTS");
    let message = body["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("You have reached your pull rate limit."),
        "{message}"
    );
    let free = send(head(cloud.hub.registry(), NODE, &token)).await;
    assert_eq!(free.status().as_u16(), 200);
    assert_eq!(header(&free, "ratelimit-remaining"), Some("0;w=21600"));
    cloud.clock.advance(Duration::from_secs(21_601));
    let token = hub_token(&cloud, "library/node", None).await;
    assert_eq!(
        send(get(cloud.hub.registry(), NODE, &token)).await.status(),
        200
    );
}

#[tokio::test]
async fn each_user_has_its_own_quota_and_some_have_no_limit() {
    let (cloud, _) = cloud_with_node().await;
    cloud.hub.add_user("free", "secret");
    cloud.hub.add_user("paid", "secret");
    cloud.hub.remove_quota("paid");
    let free = hub_token(&cloud, "library/node", Some(("free", "secret"))).await;
    let paid = hub_token(&cloud, "library/node", Some(("paid", "secret"))).await;
    let response = send(get(cloud.hub.registry(), NODE, &free)).await;
    assert_eq!(header(&response, "docker-ratelimit-source"), Some("free"));
    let response = send(get(cloud.hub.registry(), NODE, &paid)).await;
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(header(&response, "ratelimit-remaining"), None);
}

#[tokio::test]
async fn pulls_by_another_client_spend_the_quota_of_the_account() {
    let (cloud, _) = cloud_with_node().await;
    cloud.hub.set_quota(10, 21_600);
    cloud.hub.add_user("free", "secret");
    let free = hub_token(&cloud, "library/node", Some(("free", "secret"))).await;
    cloud.hub.spend_pulls("free", 4);
    let response = send(head(cloud.hub.registry(), NODE, &free)).await;
    assert_eq!(header(&response, "ratelimit-remaining"), Some("6;w=21600"));
    assert_eq!(cloud.counts.get("hub.manifest.get"), 0);
    cloud.hub.spend_pulls("free", 100);
    assert_eq!(
        refusal(send(get(cloud.hub.registry(), NODE, &free)).await).await,
        (429, "TOOMANYREQUESTS".into())
    );
    cloud.clock.advance(Duration::from_secs(21_601));
    assert_eq!(cloud.hub.remaining(), 10);
}

#[tokio::test]
async fn anonymous_clients_share_the_quota_of_their_ip_address() {
    let (cloud, _) = cloud_with_node().await;
    cloud.hub.set_quota(1, 21_600);
    cloud.hub.spend_pulls("127.0.0.1", 1);
    assert_eq!(cloud.hub.refused_pulls(), 0);
    let token = hub_token(&cloud, "library/node", None).await;
    for refused in [1, 2] {
        assert_eq!(
            send(get(cloud.hub.registry(), NODE, &token)).await.status(),
            429
        );
        assert_eq!(cloud.hub.refused_pulls(), refused);
    }
    cloud.hub.limit_requests(1, 60);
    assert_eq!(
        send(get(cloud.hub.registry(), NODE, &token)).await.status(),
        429
    );
    assert_eq!(
        cloud.hub.refused_pulls(),
        2,
        "the limit for abusers is another one"
    );
}

#[tokio::test]
async fn pulls_of_a_sponsored_repository_cost_nothing() {
    let (cloud, image) = cloud_with_node().await;
    cloud.hub.set_quota(1, 21_600);
    cloud.hub.push("grafana/grafana", "12", &image);
    cloud.hub.sponsor("grafana/grafana");
    let token = hub_token(&cloud, "grafana/grafana", None).await;
    for _ in 0..2 {
        let response = send(get(
            cloud.hub.registry(),
            "grafana/grafana/manifests/12",
            &token,
        ))
        .await;
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(header(&response, "ratelimit-remaining"), None);
    }
    let response = send(head(
        cloud.hub.registry(),
        "grafana/grafana/manifests/12",
        &token,
    ))
    .await;
    assert_eq!(header(&response, "ratelimit-limit"), None);
    assert_eq!(cloud.hub.remaining(), 1);
    assert_eq!(cloud.counts.get("hub.manifest.get"), 2);
}

#[tokio::test]
async fn the_abuse_limit_responds_in_plain_text_with_retry_after() {
    let (cloud, _) = cloud_with_node().await;
    cloud.hub.limit_requests(1, 60);
    let response = send(http().get(format!("{}/v2/", cloud.hub.endpoint()))).await;
    assert_eq!(response.status().as_u16(), 429);
    assert_eq!(header(&response, "retry-after"), Some("60"));
    assert_eq!(response.text().await.unwrap(), "Too Many Requests");
    let response = send(http().get(format!("{}/v2/", cloud.hub.endpoint()))).await;
    assert_eq!(response.status(), 401);
}
