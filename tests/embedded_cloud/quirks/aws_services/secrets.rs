//! Secrets Manager.

use aws_sdk_secretsmanager::Client;
use embedded_cloud::Cloud;

use crate::{config, refusal};

#[tokio::test]
async fn a_secret_is_read_by_name_and_by_arn() {
    let cloud = Cloud::start().await;
    let arn = cloud.secrets.put("docker-hub", r#"{"username":"me"}"#);
    assert_eq!(
        arn,
        "arn:aws:secretsmanager:us-east-1:111122223333:secret:docker-hub-AbCdEf"
    );
    let client = Client::new(&config(&cloud).await);
    for id in [
        "docker-hub",
        &arn,
        "arn:aws:secretsmanager:us-east-1:111122223333:secret:docker-hub",
    ] {
        let secret = client
            .get_secret_value()
            .secret_id(id)
            .send()
            .await
            .expect("the secret exists");
        assert_eq!(secret.secret_string(), Some(r#"{"username":"me"}"#));
        assert_eq!(secret.arn(), Some(arn.as_str()));
        assert_eq!(secret.name(), Some("docker-hub"));
        assert_eq!(secret.version_stages(), ["AWSCURRENT"]);
    }
}

#[tokio::test]
async fn a_rotated_secret_gives_the_new_value_and_keeps_the_previous_one() {
    let cloud = Cloud::start().await;
    cloud.secrets.put("docker-hub", "old");
    cloud.secrets.put("docker-hub", "new");
    let read = Client::new(&config(&cloud).await)
        .get_secret_value()
        .secret_id("docker-hub");
    let current = read.clone().send().await.expect("the secret exists");
    let previous = read
        .clone()
        .version_stage("AWSPREVIOUS")
        .send()
        .await
        .expect("there was a version before");
    assert_eq!(current.secret_string(), Some("new"));
    assert_eq!(previous.secret_string(), Some("old"));
    let pending = refusal(read.version_stage("AWSPENDING").send().await);
    let message =
        "Secrets Manager can't find the specified secret value for staging label: AWSPENDING";
    assert_eq!(
        pending,
        ("ResourceNotFoundException".to_owned(), message.to_owned())
    );
}

#[tokio::test]
async fn a_missing_and_a_forbidden_secret_have_different_errors() {
    let cloud = Cloud::start().await;
    cloud.secrets.put("docker-hub", "value");
    cloud.secrets.deny("docker-hub");
    let client = Client::new(&config(&cloud).await);
    let missing = client.get_secret_value().secret_id("other").send().await;
    assert_eq!(refusal(missing).0, "ResourceNotFoundException");
    let denied = client
        .get_secret_value()
        .secret_id("docker-hub")
        .send()
        .await;
    assert_eq!(refusal(denied).0, "AccessDeniedException");
}

#[tokio::test]
async fn another_region_has_no_secret_of_that_name() {
    let cloud = Cloud::start().await;
    cloud.secrets.put("docker-hub", "value");
    let elsewhere = aws_config::Region::from_static("eu-west-1");
    let config = config(&cloud)
        .await
        .into_builder()
        .region(elsewhere)
        .build();
    let response = Client::new(&config)
        .get_secret_value()
        .secret_id("docker-hub")
        .send()
        .await;
    assert_eq!(refusal(response).0, "ResourceNotFoundException");
}
