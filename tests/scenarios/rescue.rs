//! Pull failures and scans repair single images, and many wishes make one copy.

use std::time::{Duration, SystemTime};

use embedded_cloud::{ALIAS, Image};
use image_replicator::engine::Replicator;
use serde_json::{Value, json};
use tests::world::{PRIVATE, World, statuses};

const CATALOGUE: &str = "\
rescue: { allow: ['library/*'] }
rescan: { severity: HIGH }
images: [{ image: 'node:21' }]
";

fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_mins(2)
}

async fn rescue(world: &World, event: &Value) -> Value {
    json!(
        rescue::handle(event, "request", soon(), &world.replicator())
            .await
            .expect("rescue answers")
    )
}

async fn rescan(world: &World, event: &Value) -> Value {
    json!(
        rescan::handle(event, "request", soon(), &world.replicator())
            .await
            .expect("rescan answers")
    )
}

/// An ECS task that could not pull `image`.
fn stopped_task(image: &str, said: &str) -> Value {
    json!({"version": "0", "id": "e1", "detail-type": "ECS Task State Change", "source": "aws.ecs", "account": "111122223333",
           "time": "2026-10-01T02:00:00Z", "region": "us-east-1", "resources": [],
           "detail": {"stopCode": "TaskFailedToStart", "taskArn": "arn:aws:ecs:us-east-1:111122223333:task/t/1", "version": 3,
                      "stoppedReason": format!("CannotPullContainerError: {said}"), "containers": [{"image": image, "reason": said}]}})
}

fn scan(digest: &str, severities: &Value) -> Value {
    json!({"version": "0", "id": "s1", "detail-type": "ECR Image Scan", "source": "aws.ecr", "account": "111122223333",
           "time": "2026-10-01T02:00:00Z", "region": "us-east-1", "resources": [],
           "detail": {"scan-status": "COMPLETE", "repository-name": "docker-hub/library/node", "image-digest": digest,
                      "image-tags": ["21"], "finding-severity-counts": severities}})
}

const LIMIT: &str = "toomanyrequests: You have reached your unauthenticated pull rate limit.";

async fn world() -> World {
    let mut world = World::start().await;
    world.catalogue(CATALOGUE);
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::docker(1, &[1000]));
    world
        .cloud
        .hub
        .push("library/redis", "7", &Image::docker(2, &[1000]));
    world
}

#[tokio::test]
async fn a_task_that_met_the_pull_limit_gets_its_image_into_the_mirror() {
    let world = world().await;
    let answer = rescue(&world, &stopped_task("redis:7", LIMIT)).await;
    assert_eq!(
        statuses(&answer),
        ["copied docker.io/library/redis:7"],
        "{answer:#}"
    );
    assert!(
        world
            .cloud
            .ecr
            .region("us-east-1")
            .image("docker-hub/library/redis", "7")
            .is_some()
    );
}

#[tokio::test]
async fn an_image_that_the_mirror_lacks_is_traced_back_to_upstream() {
    let world = world().await;
    let uri = format!("{PRIVATE}/docker-hub/library/redis:7");
    let said = format!("manifest for {uri} not found: manifest unknown: Requested image not found");
    let answer = rescue(&world, &stopped_task(&uri, &said)).await;
    assert_eq!(
        statuses(&answer),
        ["copied docker.io/library/redis:7"],
        "{answer:#}"
    );
}

#[tokio::test]
async fn what_nobody_allowed_is_refused_with_the_reason() {
    let world = world().await;
    let answer = rescue(&world, &stopped_task("evil/miner:1", LIMIT)).await;
    assert_eq!(statuses(&answer), Vec::<String>::new());
    let why = answer["refused"][0]["why"].as_str().unwrap();
    assert!(why.contains("rescue.allow"), "{answer:#}");
    assert_eq!(world.cloud.counts.sum("hub."), 0);
}

#[tokio::test]
async fn an_unknown_event_is_ignored_once_and_clearly() {
    let world = world().await;
    for event in [
        json!({"detail-type": "Something New", "source": "aws.x", "detail": {}}),
        json!([1, 2]),
        json!("text"),
    ] {
        let answer = rescue(&world, &event).await;
        assert_eq!(answer["ignored"].as_array().unwrap().len(), 1, "{answer:#}");
        assert_eq!(
            rescan(&world, &event).await["ignored"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
}

#[tokio::test]
async fn a_hundred_failures_delivered_twice_cost_one_copy() {
    let mut world = world().await;
    let queue = world.queue();
    let replicator = world.replicator();
    for n in 0..200 {
        let mut event = stopped_task("node:21", LIMIT);
        event["id"] = json!(format!("e{}", n * 37 % 100));
        rescue::handle(&event, "request", soon(), &replicator)
            .await
            .unwrap();
        if n == 50 {
            world.work_off(&queue).await;
        }
    }
    world.work_off(&queue).await;
    assert_eq!(world.cloud.counts.get("hub.manifest.get"), 1);
    assert_eq!(world.cloud.counts.get("ecr.manifest.put"), 1);
}

#[tokio::test]
async fn fifty_builds_that_want_one_absent_image_cause_one_copy_and_get_one_answer() {
    let mut world = world().await;
    let queue = world.queue();
    let replicator: &'static Replicator = Box::leak(Box::new(world.replicator()));
    let wanted =
        ensure::Wanted::parse(&json!({"images": ["redis:7"], "wait_seconds": 60})).unwrap();
    let wanted: &'static ensure::Wanted = Box::leak(Box::new(wanted));
    let builds: Vec<_> = (0..50)
        .map(|n| {
            tokio::spawn(async move {
                json!(
                    ensure::handle(wanted, &format!("b{n}"), soon(), replicator)
                        .await
                        .unwrap()
                )
            })
        })
        .collect();
    while world.cloud.counts.get("sqs.SendMessageBatch") < 50 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.work_off(&queue).await;
    let mut answers = Vec::new();
    for build in builds {
        answers.push(build.await.unwrap());
    }
    for answer in &answers {
        assert_eq!(answer["ok"], true, "{answer:#}");
        assert_eq!(statuses(answer), ["copied docker.io/library/redis:7"]);
        assert_eq!(answer["images"], answers[0]["images"]);
    }
    assert_eq!(world.cloud.counts.get("hub.manifest.get"), 1);
    assert_eq!(world.cloud.counts.get("ecr.manifest.put"), 1);
}

#[tokio::test]
async fn our_own_push_and_its_scan_lead_to_no_head_and_no_copy() {
    let world = world().await;
    world.refresh().await;
    let digest = world
        .cloud
        .ecr
        .region("us-east-1")
        .image("docker-hub/library/node", "21")
        .unwrap();
    world.cloud.counts.reset();
    let found = scan(&digest, &json!({"CRITICAL": 1.0, "HIGH": 3}));
    for n in 0..3 {
        let answer = rescan(&world, &found).await;
        assert_eq!(statuses(&answer), Vec::<String>::new(), "{n}: {answer:#}");
    }
    assert_eq!(world.cloud.counts.sum("hub."), 0);
    let tags = world
        .cloud
        .ecr
        .region("us-east-1")
        .resource_tags("docker-hub/library/node");
    assert!(
        tags["replicator:tag:21"].contains(" waiting-for-upstream "),
        "{tags:?}"
    );
    assert!(
        tags["replicator:tag:21"].contains("critical=1 high=3"),
        "{tags:?}"
    );
    rescan(&world, &scan(&digest, &json!({}))).await;
    let tags = world
        .cloud
        .ecr
        .region("us-east-1")
        .resource_tags("docker-hub/library/node");
    assert!(
        tags["replicator:tag:21"].contains(" ok "),
        "a later scan has the last word: {tags:?}"
    );
}

#[tokio::test]
async fn findings_bring_what_upstream_has_mended() {
    let world = world().await;
    world.refresh().await;
    let old = world
        .cloud
        .ecr
        .region("us-east-1")
        .image("docker-hub/library/node", "21")
        .unwrap();
    let mended = Image::docker(9, &[1000]);
    world.cloud.hub.push("library/node", "21", &mended);
    world
        .cloud
        .ecr
        .region("us-east-1")
        .set_resource_tags("docker-hub/library/node", &[("replicator:tag:21", "gone")]);
    let answer = rescan(&world, &scan(&old, &json!({"HIGH": 1}))).await;
    assert_eq!(
        statuses(&answer),
        ["copied docker.io/library/node:21"],
        "{answer:#}"
    );
    assert_eq!(
        world
            .cloud
            .ecr
            .region("us-east-1")
            .image("docker-hub/library/node", "21"),
        Some(mended.digest())
    );
}

#[tokio::test]
async fn a_build_that_failed_inside_is_understood_from_its_log() {
    let world = world().await;
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../events/codebuild-state-change-docker-build-failed.json"
    );
    let text = std::fs::read_to_string(path).expect("the sample is there");
    let event: Value = serde_json::from_str(&text).expect("the sample is JSON");
    let logs = &event["detail"]["additional-information"]["logs"];
    let (group, stream) = (
        logs["group-name"].as_str().unwrap(),
        logs["stream-name"].as_str().unwrap(),
    );
    let lines = [
        "Step 1/5 : FROM redis:7",
        "toomanyrequests: You have reached your pull rate limit. https://www.docker.com/increase-rate-limit",
    ];
    world.cloud.logs.put(group, stream, lines);
    let answer = rescue(&world, &event).await;
    assert_eq!(
        statuses(&answer),
        ["copied docker.io/library/redis:7"],
        "{answer:#}"
    );
}

#[tokio::test]
async fn a_finding_in_one_platform_of_an_index_is_a_finding_in_its_tag() {
    let world = world().await;
    let index = Image::index(5, &["linux/amd64", "linux/arm64/v8"], &[700], false);
    world.cloud.hub.push("library/node", "21", &index);
    world.refresh().await;
    world.cloud.counts.reset();
    let mut found = scan(&index.children()[1].digest(), &json!({"CRITICAL": 2}));
    found["detail"]["image-tags"] = json!([]);
    let answer = rescan(&world, &found).await;
    assert_eq!(
        answer["waiting"],
        json!([format!("{PRIVATE}/docker-hub/library/node:21")]),
        "{answer:#}"
    );
    assert_eq!(world.cloud.counts.sum("hub."), 0);
    let tags = world
        .cloud
        .ecr
        .region("us-east-1")
        .resource_tags("docker-hub/library/node");
    assert!(
        tags["replicator:tag:21"].starts_with(&format!("{} waiting-for-upstream ", index.digest())),
        "{tags:?}"
    );
}

/// A world whose public copies wait for a clean scan of the private ones.
async fn publishing() -> World {
    let mut world = world().await;
    world.catalogue(&format!(
        "destinations:\n  private: {{ ecr: {{ repository: 'docker-hub/{{repository}}' }} }}\n  public: {{ ecr-public: {{ alias: {ALIAS}, repository: '{{name}}', publish: after-clean-scan }} }}\nimages: [{{ image: 'node:21', to: [private, public] }}]"
    ));
    world
}

#[tokio::test]
async fn a_public_copy_waits_for_a_clean_scan_of_the_private_one() {
    let world = publishing().await;
    let report = world.refresh().await;
    assert!(
        report["images"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("clean scan"),
        "{report:#}"
    );
    let digest = world
        .cloud
        .ecr
        .region("us-east-1")
        .image("docker-hub/library/node", "21")
        .unwrap();
    assert_eq!(world.cloud.ecr_public.registry().image("node", "21"), None);

    rescan(&world, &scan(&digest, &json!({"CRITICAL": 1}))).await;
    assert_eq!(world.cloud.ecr_public.registry().image("node", "21"), None);
    let answer = rescan(&world, &scan(&digest, &json!({"LOW": 7}))).await;
    assert_eq!(
        statuses(&answer),
        ["copied docker.io/library/node:21"],
        "{answer:#}"
    );
    assert_eq!(
        world.cloud.ecr_public.registry().image("node", "21"),
        Some(digest)
    );
}

#[tokio::test]
async fn a_publication_is_read_from_the_copy_that_was_scanned_and_costs_no_pull() {
    for is_queued in [false, true] {
        let mut world = publishing().await;
        world.refresh().await;
        let digest = world
            .cloud
            .ecr
            .region("us-east-1")
            .image("docker-hub/library/node", "21")
            .unwrap();
        let queue = is_queued.then(|| world.queue());
        // What was scanned is published, though upstream has moved, and nobody may pull.
        world
            .cloud
            .hub
            .push("library/node", "21", &Image::docker(77, &[1000]));
        world.cloud.hub.set_quota(0, 21_600);
        world.cloud.counts.reset();
        rescan(&world, &scan(&digest, &json!({}))).await;
        if let Some(queue) = queue {
            world.work_off(&queue).await;
        }
        assert_eq!(
            world.cloud.ecr_public.registry().image("node", "21"),
            Some(digest)
        );
        let counts = &world.cloud.counts;
        assert_eq!(
            (counts.get("hub.manifest.get"), counts.sum("cdn.")),
            (0, 0),
            "{:?}",
            counts.all()
        );
    }
}

#[tokio::test]
async fn a_publication_that_cannot_be_made_for_now_is_an_error_and_made_by_the_next_try() {
    let world = publishing().await;
    world.refresh().await;
    let digest = world
        .cloud
        .ecr
        .region("us-east-1")
        .image("docker-hub/library/node", "21")
        .unwrap();
    let clean = scan(&digest, &json!({}));
    let act = || async { rescan::handle(&clean, "request", soon(), &world.replicator()).await };

    let fail = |action, times| {
        world
            .cloud
            .failures
            .fail_next(action, "ThrottlingException", times)
    };
    fail("ecr.api.DescribeImages", 10);
    assert!(
        act().await.unwrap_err().is_transient(),
        "whether the tag still stands for it is not known"
    );
    fail("ecr.api.DescribeImages", 0);
    fail("ecr_public.api.DescribeImages", 10);
    assert!(
        act().await.unwrap_err().is_transient(),
        "what is public is not known"
    );
    assert_eq!(world.cloud.ecr_public.registry().image("node", "21"), None);

    fail("ecr_public.api.DescribeImages", 0);
    assert_eq!(
        statuses(&json!(act().await.unwrap())),
        ["copied docker.io/library/node:21"]
    );
    assert_eq!(
        world.cloud.ecr_public.registry().image("node", "21"),
        Some(digest)
    );
}

#[tokio::test]
async fn a_publication_that_waits_for_pulls_comes_back_to_the_worker() {
    let mut world = publishing().await;
    world.wake_up();
    world.refresh().await;
    let digest = world
        .cloud
        .ecr
        .region("us-east-1")
        .image("docker-hub/library/node", "21")
        .unwrap();
    let queue = world.queue();
    rescan(&world, &scan(&digest, &json!({}))).await;
    // What could be read without a pull is gone.
    world
        .cloud
        .ecr
        .region("us-east-1")
        .delete_tag("docker-hub/library/node", "21");
    world.cloud.hub.set_quota(0, 21_600);
    let answer = world.replicate(&queue).await.expect("a message");
    assert_eq!(
        answer["batchItemFailures"].as_array().unwrap().len(),
        1,
        "a refresh would wait for a scan that has been"
    );
    assert_eq!(world.cloud.scheduler.schedules(), []);
}

#[tokio::test]
async fn a_scan_in_a_registry_that_is_not_ours_is_left_alone() {
    let world = world().await;
    let mut event = scan(&Image::docker(1, &[1000]).digest(), &json!({"CRITICAL": 1}));
    event["account"] = json!("999988887777");
    event["detail"]["image-tags"] = json!([]);
    let answer = rescan(&world, &event).await;
    assert!(
        answer["ignored"][0]["why"]
            .as_str()
            .unwrap()
            .contains("no destination"),
        "{answer:#}"
    );
    assert_eq!(world.cloud.counts.get("ecr.api.DescribeImages"), 0);
}

#[tokio::test]
async fn what_is_published_is_what_was_scanned_even_when_upstream_moves_meanwhile() {
    let mut world = publishing().await;
    world.refresh().await;
    let digest = world
        .cloud
        .ecr
        .region("us-east-1")
        .image("docker-hub/library/node", "21")
        .unwrap();
    let queue = world.queue();
    rescan(&world, &scan(&digest, &json!({}))).await;
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::docker(77, &[1000]));
    world.work_off(&queue).await;
    assert_eq!(
        world.cloud.ecr_public.registry().image("node", "21"),
        Some(digest)
    );
}

#[tokio::test]
async fn a_pin_of_the_catalogue_is_rescued_as_what_it_is() {
    let mut world = world().await;
    let digest = Image::docker(2, &[1000]).digest();
    world.catalogue(&format!("images: [{{ image: 'redis@{digest}' }}]"));
    let answer = rescue(&world, &stopped_task(&format!("redis@{digest}"), LIMIT)).await;
    assert_eq!(
        statuses(&answer),
        [format!("copied docker.io/library/redis@{digest}")],
        "{answer:#}"
    );
}

#[tokio::test]
async fn a_build_that_does_not_wait_hears_at_once_of_what_is_level() {
    let mut world = world().await;
    world.refresh().await;
    let queue = world.queue();
    let report = world
        .ensure(json!({"images": ["node:21", "redis:7"], "wait_seconds": 0}))
        .await;
    assert_eq!(
        statuses(&report),
        [
            "unchanged docker.io/library/node:21",
            "deferred docker.io/library/redis:7"
        ],
        "{report:#}"
    );
    assert!(
        report["images"][1]["reason"]
            .as_str()
            .unwrap()
            .contains("it is queued"),
        "{report:#}"
    );
    assert_eq!(world.work_off(&queue).await, 1);
}

#[test]
fn a_build_has_to_ask_for_something() {
    assert!(
        ensure::Wanted::parse(&json!({"images": []}))
            .unwrap_err()
            .chain()
            .contains("names no images")
    );
}

#[tokio::test]
async fn a_build_does_not_wait_for_what_a_worker_has_put_off() {
    let mut world = world().await;
    let queue = world.queue();
    world
        .cloud
        .ecr
        .region("us-east-1")
        .create_repository("docker-hub/library/redis", false);
    world.cloud.hub.set_quota(0, 21_600);
    let build = world.ensure(json!({"images": ["redis:7"], "wait_seconds": 60}));
    let work = async {
        loop {
            world.work_off(&queue).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let report = tokio::select! { report = build => report, () = work => unreachable!("work goes on for ever") };
    assert_eq!(
        statuses(&report),
        ["deferred docker.io/library/redis:7"],
        "{report:#}"
    );
    assert!(
        report["images"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("put off"),
        "{report:#}"
    );
}

#[tokio::test]
async fn outcomes_are_told_on_the_bus_and_failures_on_the_topic() {
    let mut world = world().await;
    world.cloud.events.create_bus("mirror");
    let topic = world.cloud.sns.create_topic("failures");
    world.set("REPLICATOR_EVENT_BUS", "mirror");
    world.set("REPLICATOR_FAILURE_TOPIC", &topic);
    world.refresh_images(&["node:21", "node:99"]).await;
    let told: Vec<String> = world
        .cloud
        .events
        .published()
        .into_iter()
        .map(|event| event.detail_type)
        .collect();
    assert_eq!(told, ["Image Replicated", "Image Replication Failed"]);
    let detail = &world.cloud.events.published()[0].detail;
    assert_eq!(detail["image"], "docker.io/library/node:21");
    assert_eq!(detail["cause"]["kind"], "on-demand");
    let failures = world.cloud.sns.published();
    assert_eq!(failures.len(), 1);
    assert!(failures[0].message.contains("docker.io/library/node:99"));
    world.refresh_images(&["node:21"]).await;
    assert_eq!(
        world.cloud.events.published().len(),
        2,
        "what changed nothing is no news"
    );
}
