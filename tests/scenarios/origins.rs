//! Origins: registries that serve the same bytes without counting pulls. Whatever an origin does wrong, the right bytes arrive.

use embedded_cloud::{ALIAS, Faults, Image};
use tests::world::{World, assert_statuses};

const ALL: [&str; 2] = ["linux/amd64", "linux/arm64"];

fn image(seed: u64) -> Image {
    Image::index(seed, &ALL, &[4000, 900], true)
}

/// A world with node:21 upstream, which is an official image.
async fn world() -> (World, Image) {
    let mut world = World::start().await;
    let image = image(1);
    world.publish("library/node", "21", &image);
    world.set_catalogue("images: [{ image: node, tags: ['21'] }]");
    (world, image)
}

/// The same world, with an up-to-date image in the ECR Public Gallery.
async fn world_with_gallery() -> (World, Image) {
    let (world, image) = world().await;
    world
        .cloud
        .ecr_public
        .publish_to_gallery("docker/library/node", "21", &image);
    (world, image)
}

async fn assert_copied(world: &World, image: &Image) {
    let report = world.refresh().await;
    assert_statuses(&report, &["copied docker.io/library/node:21"]);
    assert_arrived(world, image);
}

fn assert_arrived(world: &World, image: &Image) {
    let ecr = world.ecr();
    assert_eq!(
        ecr.image("docker-hub/library/node", "21"),
        Some(image.digest())
    );
    let arrived = ecr.blobs("docker-hub/library/node");
    assert!(
        image
            .blobs()
            .iter()
            .all(|(digest, _)| arrived.contains(digest)),
        "{arrived:?}"
    );
}

#[tokio::test]
async fn an_up_to_date_gallery_saves_every_pull() {
    let (world, image) = world_with_gallery().await;
    assert_copied(&world, &image).await;
    let counts = world.cloud.counts.all();
    assert_eq!(world.pulls(), 0, "{counts:?}");
    assert_eq!(world.cloud.counts.sum("cdn."), 0, "{counts:?}");
    assert_eq!(world.cloud.hub.remaining(), 100);
    let asked = (
        world.count("public.manifest.head"),
        world.count("public.manifest.get"),
    );
    assert_eq!(
        asked,
        (1, 6),
        "a HEAD there returns no digest, so the index is read"
    );
}

#[tokio::test]
async fn the_gallery_is_read_with_our_token_and_anonymously_where_the_role_is_denied_one() {
    let (world, image) = world_with_gallery().await;
    assert_copied(&world, &image).await;
    assert_eq!(
        world.count("public.token"),
        0,
        "{:?}",
        world.cloud.counts.all()
    );

    let (world, image) = world_with_gallery().await;
    world.cloud.failures.fail_next(
        "ecr_public.api.GetAuthorizationToken",
        "AccessDeniedException",
        100,
    );
    assert_copied(&world, &image).await;
    assert_eq!(
        world.count("public.token"),
        1,
        "{:?}",
        world.cloud.counts.all()
    );
    assert_eq!(world.pulls(), 0);
}

#[tokio::test]
async fn an_origin_of_the_catalogue_saves_every_pull() {
    let mut world = World::start().await;
    let image = image(1);
    world.publish("grafana/grafana", "11", &image);
    world.cloud.hub_cache.push("grafana/grafana", "11", &image);
    world.set_catalogue("origins: [mirror.gcr.io]\nimages: [{ image: 'grafana/grafana:11' }]");
    assert_statuses(
        &world.refresh().await,
        &["copied docker.io/grafana/grafana:11"],
    );
    assert_eq!(world.pulls(), 0);
    assert_eq!(world.cloud.counts.sum("cdn."), 0);
}

#[tokio::test]
async fn a_destination_in_another_region_can_be_an_origin() {
    let mut world = World::start().await;
    let image = image(1);
    world.publish("grafana/grafana", "11", &image);
    let destinations = "destinations:\n  here: { ecr: { repository: 'hub/{repository}' } }\n  europe: { ecr: { repository: 'hub/{repository}', region: eu-west-1 } }\norigins: [europe]\n";
    world.set_catalogue(&format!(
        "{destinations}images: [{{ image: 'grafana/grafana:11', to: [europe] }}]"
    ));
    world.refresh().await;
    world.cloud.counts.reset();
    world.set_catalogue(&format!(
        "{destinations}images: [{{ image: 'grafana/grafana:11', to: [here] }}]"
    ));
    assert_statuses(
        &world.refresh().await,
        &["copied docker.io/grafana/grafana:11"],
    );
    assert_eq!(world.pulls(), 0);
    assert_eq!(world.cloud.counts.sum("cdn."), 0);
    assert_eq!(
        world.ecr().image("hub/grafana/grafana", "11"),
        Some(image.digest())
    );
}

#[tokio::test]
async fn an_outdated_gallery_is_not_used() {
    let (world, new) = world().await;
    world
        .cloud
        .ecr_public
        .publish_to_gallery("docker/library/node", "21", &image(2));
    assert_copied(&world, &new).await;
    assert_eq!(world.pulls(), 5);
    assert_eq!(
        world.count("public.manifest.get"),
        1,
        "the outdated index alone"
    );
}

#[tokio::test]
async fn wrong_manifests_of_the_gallery_are_detected_and_docker_hub_serves_the_right_ones() {
    for digest in [image(1).digest(), image(1).children()[0].digest()] {
        let (world, right) = world_with_gallery().await;
        world
            .cloud
            .ecr_public
            .faults()
            .replace_manifest(&digest, &image(3), 100);
        assert_copied(&world, &right).await;
        assert!(world.pulls() > 0);
    }
}

#[tokio::test]
async fn wrong_layers_of_the_gallery_are_detected_and_docker_hub_serves_the_right_ones() {
    let (world, right) = world_with_gallery().await;
    for layer in right.children().iter().flat_map(Image::layers) {
        world.cloud.ecr_public.faults().corrupt_blob(&layer, 100);
    }
    assert_copied(&world, &right).await;
    assert!(
        world.count("hub.blob.get") > 0,
        "{:?}",
        world.cloud.counts.all()
    );
}

#[tokio::test]
async fn a_gallery_that_stops_answering_does_not_fail_the_image() {
    for requests in 1..16 {
        let (world, right) = world_with_gallery().await;
        world.cloud.ecr_public.faults().stop_after(requests);
        assert_copied(&world, &right).await;
        let pulls = world.pulls();
        assert!(pulls <= 5, "after {requests} requests: {pulls} pulls");
        assert_eq!(world.cloud.hub.refused_pulls(), 0);
    }
}

#[tokio::test]
async fn a_gallery_that_stops_answering_when_no_pull_is_left_defers_the_image() {
    let (world, _) = world_with_gallery().await;
    world.cloud.hub.set_quota(10, 21_600);
    world.cloud.hub.spend_pulls("ci", 9);
    world.cloud.ecr_public.faults().stop_after(2);
    let report = world.refresh().await;
    assert_statuses(&report, &["deferred docker.io/library/node:21"]);
    assert_eq!(world.pulls(), 0);
    assert_eq!(world.cloud.hub.remaining(), 1);
    assert_eq!(world.mirrored("library/node", "21"), None);
}

#[tokio::test]
async fn a_redirect_of_an_origin_gets_no_credential_and_no_wrong_bytes_arrive() {
    let gallery = |world: &World| -> Faults { world.cloud.ecr_public.faults().clone() };
    let (world, right) = world_with_gallery().await;
    gallery(&world).redirect_blobs(&format!("{}/forged", world.cloud.untrusted_server.url()));
    assert_copied(&world, &right).await;
    let visits = world.cloud.untrusted_server.requests();
    assert!(!visits.is_empty());
    for visit in visits {
        assert!(
            !visit
                .headers
                .iter()
                .any(|(name, _)| name == "authorization"),
            "{visit:?}"
        );
    }
}

#[tokio::test]
async fn several_destinations_read_docker_hub_once() {
    let mut world = World::start().await;
    let image = image(1);
    world.publish("grafana/grafana", "11", &image);
    world.set_catalogue(&format!("destinations:\n  a: {{ ecr: {{ repository: 'a/{{name}}' }} }}\n  b: {{ ecr: {{ repository: 'b/{{name}}', region: eu-west-1 }} }}\n  c: {{ ecr-public: {{ alias: {ALIAS}, repository: 'c/{{name}}' }} }}\nimages: [{{ image: 'grafana/grafana:11', to: [a, b, c] }}]"));
    let report = world.refresh().await;
    assert_statuses(&report, &["copied docker.io/grafana/grafana:11"]);
    assert_eq!(world.pulls(), 5);
    assert_eq!(
        world.count("cdn.blob.get"),
        image.blobs().len() as u64,
        "every layer leaves Docker Hub once"
    );
}
