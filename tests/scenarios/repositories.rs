//! Repositories that a copy creates, and the resource tags of repositories that exist.

use embedded_cloud::Image;
use serde_json::{Value, json};
use tests::world::World;

#[tokio::test]
async fn a_new_repository_scans_on_push_expires_untagged_images_and_names_its_creator() {
    let world = World::start().await;
    world.publish("library/node", "21", &Image::docker(1, &[100]));
    world.refresh_images(&["node:21"]).await;
    assert_eq!(world.count("ecr.api.CreateRepository"), 1);
    assert_eq!(world.count("ecr.api.PutLifecyclePolicy"), 1);

    let name = "docker-hub/library/node";
    let input = json!({"repositoryNames": [name]});
    let description = world.call_ecr("DescribeRepositories", &input).await;
    let repository = &description["repositories"][0];
    assert_eq!(repository["imageScanningConfiguration"]["scanOnPush"], true);
    assert_eq!(repository["imageTagMutability"], "MUTABLE");

    let input = json!({"repositoryName": name});
    let answer = world.call_ecr("GetLifecyclePolicy", &input).await;
    let text = answer["lifecyclePolicyText"].as_str().expect("a policy");
    let policy: Value = text.parse().expect("the policy is JSON");
    let [rule] = policy["rules"].as_array().expect("rules").as_slice() else {
        panic!("not one rule in {policy}")
    };
    assert_eq!(rule["selection"]["tagStatus"], "untagged");
    assert_eq!(rule["action"]["type"], "expire");
    assert_eq!(
        world.ecr().resource_tags("docker-hub/library/node")["created-by"],
        "image-replicator"
    );
}

#[tokio::test]
async fn the_owners_resource_tags_are_kept_and_the_limit_of_fifty_holds() {
    let mut world = World::start().await;
    let ecr = world.ecr().clone();
    ecr.create_repository("docker-hub/library/node", false);
    let owners: Vec<String> = (0..20).map(|n| format!("team{n}")).collect();
    ecr.set_resource_tags(
        "docker-hub/library/node",
        &owners
            .iter()
            .map(|key| (key.as_str(), "ours"))
            .collect::<Vec<_>>(),
    );
    let tags: Vec<String> = (0..30).map(|n| format!("v{n}")).collect();
    for (seed, tag) in tags.iter().enumerate() {
        world.publish("library/node", tag, &Image::docker(seed as u64, &[50]));
    }
    world.set_catalogue(&json!({"images": [{"image": "node", "tags": tags}]}).to_string());
    assert_eq!(world.refresh().await["ok"], true);
    let kept = ecr.resource_tags("docker-hub/library/node");
    assert!(owners.iter().all(|owner| kept[owner] == "ours"));
    assert_eq!(kept.len(), 45, "{kept:?}");
}
