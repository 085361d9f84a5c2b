//! The pulls and requests that a refresh or a build costs.

use embedded_cloud::Image;
use serde_json::json;
use tests::world::{PRIVATE, World, assert_statuses, count_status, statuses};

const TWO_REPOSITORIES: &str =
    "images: [{ image: node, tags: ['20', '21', '22'] }, { image: redis, tags: ['7', '8'] }]";

async fn mirror_of_five_tags_in_two_repositories() -> World {
    let mut world = World::start().await;
    world.set_catalogue(TWO_REPOSITORIES);
    for (seed, (repository, tag)) in [
        ("node", "20"),
        ("node", "21"),
        ("node", "22"),
        ("redis", "7"),
        ("redis", "8"),
    ]
    .into_iter()
    .enumerate()
    {
        world.publish(
            &format!("library/{repository}"),
            tag,
            &Image::docker(seed as u64, &[1000, 2000]),
        );
    }
    world.refresh().await;
    world.cloud.counts.reset();
    world
}

#[tokio::test]
async fn a_refresh_without_changes_costs_no_pull() {
    let world = mirror_of_five_tags_in_two_repositories().await;
    let report = world.refresh().await;
    assert_eq!(count_status(&report, "unchanged"), 5, "{report:#}");
    let counts = &world.cloud.counts;
    assert_eq!(counts.get("hub.manifest.head"), 5);
    assert_eq!(world.pulls(), 0);
    assert_eq!(counts.get("hub.token"), 2);
    assert_eq!(
        counts.sum("ecr.api.") - counts.get("ecr.api.GetAuthorizationToken"),
        2 * 2,
        "{:?}",
        counts.all()
    );
    assert_eq!(
        counts.sum("ecr.manifest.") + counts.sum("ecr.blob.") + counts.sum("ecr.upload."),
        0
    );
}

#[tokio::test]
async fn a_changed_single_platform_image_costs_one_pull() {
    let world = mirror_of_five_tags_in_two_repositories().await;
    world.publish("library/node", "21", &Image::docker(99, &[1000]));
    let report = world.refresh().await;
    assert_eq!(world.pulls(), 1);
    assert_eq!(report["images"][1]["pulls"], 1, "{report:#}");
    assert_eq!(report["images"][1]["status"], "copied");
    assert_eq!(
        world.mirrored("library/node", "21"),
        Some(Image::docker(99, &[1000]).digest())
    );
}

#[tokio::test]
async fn an_index_with_six_children_costs_seven_pulls() {
    let world = World::start().await;
    let image = Image::index(
        7,
        &["linux/amd64", "linux/arm64/v8", "linux/arm/v7"],
        &[500],
        true,
    );
    assert_eq!(image.children().len(), 6);
    world.publish("library/node", "21", &image);
    let report = world.refresh_images(&["node:21"]).await;
    assert_eq!(world.pulls(), 7);
    assert_eq!(report["images"][0]["pulls"], 7);
    assert_eq!(world.mirrored("library/node", "21"), Some(image.digest()));
}

#[tokio::test]
async fn a_child_manifest_that_the_mirror_has_is_not_pulled_again() {
    let world = World::start().await;
    let (amd64, arm64) = ("linux/amd64", "linux/arm64/v8");
    world.publish(
        "library/node",
        "21",
        &Image::index_with_shared_base(7, &[amd64], &[500]),
    );
    world.refresh_images(&["node:21"]).await;
    world.cloud.counts.reset();
    world.publish(
        "library/node",
        "21",
        &Image::index_with_shared_base(7, &[amd64, arm64], &[500]),
    );
    world.refresh_images(&["node:21"]).await;
    assert_eq!(world.pulls(), 2, "the index and the new child");
}

#[tokio::test]
async fn a_tag_that_moves_to_known_content_costs_no_pull() {
    let world = mirror_of_five_tags_in_two_repositories().await;
    world.publish("library/node", "21", &Image::docker(2, &[1000, 2000]));
    let report = world.refresh().await;
    assert_eq!(statuses(&report)[1], "copied docker.io/library/node:21");
    assert_eq!(world.pulls(), 0);
    assert_eq!(world.count("cdn.blob.get"), 0);
    assert_eq!(
        world.mirrored("library/node", "21"),
        Some(Image::docker(2, &[1000, 2000]).digest())
    );
}

#[tokio::test]
async fn a_layer_shared_by_two_platforms_and_two_tags_is_sent_once() {
    let mut world = World::start().await;
    let image = Image::index_with_shared_base(3, &["linux/amd64", "linux/arm64/v8"], &[4000, 100]);
    world.publish("library/node", "21", &image);
    world.publish("library/node", "lts", &image);
    world.set_catalogue("images: [{ image: node, tags: ['21', lts] }]");
    world.refresh().await;
    assert_eq!(world.count("ecr.upload.put"), image.blobs().len() as u64);
    assert_eq!(world.count("cdn.blob.get"), image.blobs().len() as u64);
    assert_eq!(world.pulls(), 3, "two tags with one digest pull once");
}

#[tokio::test]
async fn two_destinations_pull_once() {
    let mut world = World::start().await;
    world.publish("library/node", "21", &Image::oci(1, &[1000]));
    world.set_catalogue(
        "destinations: { a: { ecr: { repository: 'a/{name}' } }, b: { ecr: { repository: 'b/{name}', region: eu-west-1 } } }\nimages: [{ image: 'node:21', to: [a, b] }]",
    );
    let report = world.refresh().await;
    assert_statuses(&report, &["copied docker.io/library/node:21"]);
    assert_eq!(world.pulls(), 1);
    let eu = world.cloud.ecr.region("eu-west-1").image("b/node", "21");
    assert_eq!(eu, world.ecr().image("a/node", "21"));
    assert!(eu.is_some());
}

#[tokio::test]
async fn ensure_answers_for_an_up_to_date_image_from_one_head_and_describe_images_alone() {
    let world = mirror_of_five_tags_in_two_repositories().await;
    let report = world.ensure(json!({"images": ["node:21"]})).await;
    assert_statuses(&report, &["unchanged docker.io/library/node:21"]);
    let uri = format!("{PRIVATE}/docker-hub/library/node:21");
    assert_eq!(report["images"][0]["targets"][0]["uri"], uri);
    let counts = world.cloud.counts.all();
    let asked: Vec<&String> = counts
        .keys()
        .filter(|kind| kind.starts_with("hub.m") || kind.starts_with("ecr."))
        .collect();
    assert_eq!(
        asked,
        [
            "ecr.api.DescribeImages",
            "ecr.api.GetAuthorizationToken",
            "hub.manifest.head"
        ],
        "{counts:?}"
    );
}
