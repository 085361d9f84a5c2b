//! Credentials and tokens: refused, unreadable, rotated or expired.

use std::time::Duration;

use embedded_cloud::Image;
use serde_json::json;
use tests::world::{
    PASSWORD, PRIVATE, World, assert_reason, assert_statuses, deadline, reason, reason_of, statuses,
};

use crate::faults::world;

#[tokio::test]
async fn a_refused_credential_is_reported_and_never_replaced_by_anonymous_access() {
    let (world, _) = world().await;
    world.cloud.secrets.put(
        "docker-hub",
        r#"{"username":"ci","password":"wrong-and-secret"}"#,
    );
    world.publish("library/redis", "7", &Image::oci(2, &[100]));
    let report = world.refresh_images(&["node:21", "redis:7"]).await;
    assert_statuses(
        &report,
        &[
            "failed docker.io/library/node:21",
            "failed docker.io/library/redis:7",
        ],
    );
    assert_reason(&report, "the credential is refused");
    assert!(!report.to_string().contains("wrong-and-secret"));
    assert_eq!(world.cloud.counts.sum("hub.manifest."), 0);
    assert_eq!(
        world.count("secretsmanager.GetSecretValue"),
        2,
        "the secret is read again once"
    );
    assert_eq!(
        world.count("hub.token"),
        2,
        "a refused login is not tried for each image"
    );

    world.cloud.secrets.put(
        "docker-hub",
        &json!({"username": "ci", "password": PASSWORD}).to_string(),
    );
    assert_eq!(world.refresh_status("node:21").await, "copied");
}

#[tokio::test]
async fn an_unreadable_secret_is_an_error_and_never_replaced_by_anonymous_access() {
    let (mut world, _) = world().await;
    world.set("REPLICATOR_DOCKER_HUB_SECRET", "no-such-secret");
    let report = world.refresh_images(&["node:21"]).await;
    assert_statuses(&report, &["failed docker.io/library/node:21"]);
    assert!(
        reason(&report).starts_with("credentials: cannot read secret no-such-secret: not found"),
        "{}",
        reason(&report)
    );
    assert_eq!(world.count("hub.token"), 0);
}

#[tokio::test]
async fn a_secret_that_is_temporarily_unreadable_is_retried_for_all_images_together() {
    let (world, _) = world().await;
    let images: Vec<String> = (0..8).map(|number| format!("app{number}:1")).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    world.cloud.failures.fail_next(
        "secretsmanager.GetSecretValue",
        "InternalServiceError",
        10_000,
    );
    let report = world.refresh_images(&images).await;
    assert!(
        reason(&report).starts_with("credentials: cannot read secret docker-hub: "),
        "{}",
        reason(&report)
    );
    // Six attempts of three calls, as for one image, and not for each image.
    let calls = world.count("secretsmanager.GetSecretValue");
    assert!((3..=2 * 6 * 3).contains(&calls), "{calls}");
    for index in 0..8 {
        assert_eq!(reason_of(&report, index), reason(&report), "{report:#}");
    }
}

#[tokio::test]
async fn a_secret_that_is_rotated_between_two_requests_is_read_again() {
    let (world, _) = world().await;
    let replicator = world.replicator();
    let request = |tag: &str| {
        ::ensure::EnsureRequest::parse(&json!({"images": [format!("node:{tag}")]})).unwrap()
    };
    assert!(
        ::ensure::handle(&request("21"), "1", deadline(), &replicator)
            .await
            .unwrap()
            .ok
    );

    world.cloud.hub.add_user("ci", "rotated");
    world
        .cloud
        .secrets
        .put("docker-hub", r#"{"username":"ci","password":"rotated"}"#);
    world.advance(Duration::from_secs(301));
    world.publish("library/node", "21", &Image::oci(2, &[100]));
    let report = json!(
        ::ensure::handle(&request("21"), "2", deadline(), &replicator)
            .await
            .unwrap()
    );
    assert_statuses(&report, &["copied docker.io/library/node:21"]);
}

#[tokio::test]
async fn an_expired_token_is_renewed() {
    let (world, _) = world().await;
    let replicator = world.replicator();
    let request = ::ensure::EnsureRequest::parse(&json!({"images": ["node:21"]})).unwrap();
    assert!(
        ::ensure::handle(&request, "1", deadline(), &replicator)
            .await
            .unwrap()
            .ok
    );
    world.advance(Duration::from_hours(13));
    world.publish("library/node", "21", &Image::oci(2, &[100]));
    let report = ::ensure::handle(&request, "2", deadline(), &replicator)
        .await
        .unwrap();
    assert_statuses(&json!(report), &["copied docker.io/library/node:21"]);
}

#[tokio::test]
async fn an_ecr_source_without_a_token_is_reported_as_an_error_of_the_source() {
    let mut world = World::start().await;
    let open = world.cloud.open.address().to_owned();
    world.set_catalogue(&format!(
        "destinations: {{ lab: {{ registry: {{ host: '{open}', repository: '{{repository}}' }} }} }}\nimages: [{{ image: '{PRIVATE}/team/tool:1' }}]"
    ));
    world
        .ecr()
        .push("team/tool", "1", &Image::docker(1, &[100]));
    world
        .cloud
        .failures
        .fail_next("ecr.api.GetAuthorizationToken", "AccessDeniedException", 10);
    let report = world.refresh().await;
    let why = reason(&report);
    assert!(
        why.starts_with("source: cannot get the ECR token for us-east-1: access denied"),
        "{why}"
    );
    world
        .cloud
        .failures
        .fail_next("ecr.api.GetAuthorizationToken", "AccessDeniedException", 0);
    assert_eq!(
        statuses(&world.refresh().await),
        [format!("copied {PRIVATE}/team/tool:1")]
    );
}
