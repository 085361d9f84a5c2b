//! EventBridge Scheduler: creating, updating and deleting schedules.

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::operation::create_schedule::builders::CreateScheduleFluentBuilder;
use aws_sdk_scheduler::types::builders::TargetBuilder;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode,
    RetryPolicy, ScheduleState, Target,
};
use embedded_cloud::{Cloud, ScheduleView};

use crate::{config, refusal};

pub(crate) const FUNCTION: &str = "arn:aws:lambda:us-east-1:111122223333:function:refresh";
const ROLE: &str = "arn:aws:iam::111122223333:role/wake-up";
const ARN: &str = "arn:aws:scheduler:us-east-1:111122223333:schedule/default/wake-up";
pub(crate) const AT: &str = "at(2099-01-31T02:00:00)";

pub(crate) async fn client(cloud: &Cloud) -> Client {
    Client::new(&config(cloud).await)
}

pub(crate) fn off() -> FlexibleTimeWindow {
    window(FlexibleTimeWindowMode::Off, None)
}

fn window(mode: FlexibleTimeWindowMode, minutes: Option<i32>) -> FlexibleTimeWindow {
    FlexibleTimeWindow::builder()
        .mode(mode)
        .set_maximum_window_in_minutes(minutes)
        .build()
        .expect("it has a mode")
}

pub(crate) fn target() -> TargetBuilder {
    Target::builder().arn(FUNCTION).role_arn(ROLE)
}

pub(crate) fn build(target: TargetBuilder) -> Target {
    target.build().expect("it has both ARNs")
}

/// A valid request that creates a schedule.
pub(crate) fn create(client: &Client, name: &str) -> CreateScheduleFluentBuilder {
    let request = client
        .create_schedule()
        .name(name)
        .schedule_expression(AT)
        .flexible_time_window(off());
    request.target(build(target().input(r#"{"command":"resume"}"#)))
}

#[tokio::test]
async fn a_schedule_is_created_and_described_with_its_defaults() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    let created = create(&client, "wake-up")
        .send()
        .await
        .expect("nothing is wrong with it");
    assert_eq!(created.schedule_arn(), ARN);
    let view = ScheduleView {
        name: "wake-up".to_owned(),
        group: "default".to_owned(),
        at: "2099-01-31T02:00:00Z".parse().unwrap(),
        input: r#"{"command":"resume"}"#.to_owned(),
        target_arn: FUNCTION.to_owned(),
        role_arn: ROLE.to_owned(),
        action_after_completion: "NONE",
    };
    assert_eq!(cloud.scheduler.schedules(), [view]);
    let schedule = client
        .get_schedule()
        .name("wake-up")
        .send()
        .await
        .expect("it exists");
    assert_eq!(schedule.arn(), Some(ARN));
    assert_eq!(schedule.schedule_expression(), Some(AT));
    assert_eq!(schedule.group_name(), Some("default"));
    assert_eq!(schedule.schedule_expression_timezone(), Some("UTC"));
    assert_eq!(schedule.state(), Some(&ScheduleState::Enabled));
    assert_eq!(
        schedule.action_after_completion(),
        Some(&ActionAfterCompletion::None)
    );
    assert_eq!(
        schedule.target(),
        Some(&build(target().input(r#"{"command":"resume"}"#)))
    );
    assert_eq!(schedule.creation_date(), schedule.last_modification_date());
    assert_eq!(cloud.counts.get("scheduler.CreateSchedule"), 1);
    assert_eq!(cloud.counts.get("scheduler.GetSchedule"), 1);
}

#[tokio::test]
async fn a_name_is_unique_in_its_group() {
    let cloud = Cloud::start().await;
    cloud.scheduler.create_group("replicator");
    let client = client(&cloud).await;
    create(&client, "wake-up")
        .send()
        .await
        .expect("the name is free");
    let again = create(&client, "wake-up").send().await;
    assert_eq!(
        again
            .as_ref()
            .unwrap_err()
            .raw_response()
            .unwrap()
            .status()
            .as_u16(),
        409
    );
    assert_eq!(
        refusal(again),
        (
            "ConflictException".to_owned(),
            "Schedule wake-up already exists.".to_owned()
        )
    );
    create(&client, "wake-up")
        .group_name("replicator")
        .send()
        .await
        .expect("the name is free in that group");
    let group = create(&client, "wake-up").group_name("nobody").send().await;
    let message = "Schedule group nobody does not exist.";
    assert_eq!(
        refusal(group),
        ("ResourceNotFoundException".to_owned(), message.to_owned())
    );
}

#[tokio::test]
async fn a_repeated_request_with_the_same_client_token_changes_nothing() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    for _ in 0..2 {
        let created = create(&client, "wake-up")
            .client_token("token-1")
            .send()
            .await
            .expect("the same request");
        assert_eq!(created.schedule_arn(), ARN);
    }
    assert_eq!(cloud.scheduler.schedules().len(), 1);
    let other = create(&client, "another")
        .client_token("token-1")
        .send()
        .await;
    assert_eq!(refusal(other).0, "ConflictException");
    for _ in 0..2 {
        client
            .delete_schedule()
            .name("wake-up")
            .client_token("token-2")
            .send()
            .await
            .expect("the same request");
    }
}

#[tokio::test]
async fn an_update_resets_fields_that_it_omits() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    let request = create(&client, "wake-up").description("a wake-up");
    request
        .action_after_completion(ActionAfterCompletion::Delete)
        .send()
        .await
        .expect("nothing is wrong with it");
    let later = "at(2099-02-01T00:00:00)";
    let update = client
        .update_schedule()
        .name("wake-up")
        .schedule_expression(later)
        .flexible_time_window(off());
    update
        .target(build(target()))
        .send()
        .await
        .expect("it exists");
    let schedule = client
        .get_schedule()
        .name("wake-up")
        .send()
        .await
        .expect("it exists");
    assert_eq!(schedule.description(), None);
    assert_eq!(schedule.schedule_expression(), Some(later));
    assert_eq!(
        schedule.action_after_completion(),
        Some(&ActionAfterCompletion::None)
    );
    assert_eq!(schedule.target().and_then(|target| target.input()), None);
}

#[tokio::test]
async fn a_missing_schedule_is_not_found() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    let expected = (
        "ResourceNotFoundException".to_owned(),
        "Schedule wake-up does not exist.".to_owned(),
    );
    assert_eq!(
        refusal(client.get_schedule().name("wake-up").send().await),
        expected
    );
    assert_eq!(
        refusal(client.delete_schedule().name("wake-up").send().await),
        expected
    );
    let update = client
        .update_schedule()
        .name("wake-up")
        .schedule_expression(AT)
        .flexible_time_window(off());
    let update = update.target(build(target())).send().await;
    assert_eq!(
        update
            .as_ref()
            .unwrap_err()
            .raw_response()
            .unwrap()
            .status()
            .as_u16(),
        404
    );
    assert_eq!(refusal(update), expected);
}

#[tokio::test]
async fn a_schedule_is_deleted_only_from_its_group() {
    let cloud = Cloud::start().await;
    cloud.scheduler.create_group("replicator");
    let client = client(&cloud).await;
    create(&client, "wake-up")
        .send()
        .await
        .expect("the name is free");
    create(&client, "wake-up")
        .group_name("replicator")
        .send()
        .await
        .expect("the name is free");
    client
        .delete_schedule()
        .name("wake-up")
        .group_name("replicator")
        .send()
        .await
        .expect("it exists");
    let groups: Vec<_> = cloud
        .scheduler
        .schedules()
        .into_iter()
        .map(|view| view.group)
        .collect();
    assert_eq!(groups, ["default"]);
}

#[tokio::test]
async fn input_that_the_model_does_not_allow_is_refused() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    let good = || create(&client, "wake-up");
    let role = |arn: &str| Target::builder().arn(FUNCTION).role_arn(arn);
    let fifo = DeadLetterConfig::builder()
        .arn("arn:aws:sqs:us-east-1:111122223333:failed.fifo")
        .build();
    let refused = vec![
        create(&client, "wake up"),
        create(&client, &"x".repeat(65)),
        good().client_token("not a token"),
        good().description("x".repeat(513)),
        good().schedule_expression("at(2099-01-31T02:00:00Z)"),
        good().schedule_expression("at(2001-01-31T02:00:00)"),
        good().schedule_expression("rate(5 minutes)"),
        good().schedule_expression_timezone("Europe/Berlin"),
        good().flexible_time_window(window(FlexibleTimeWindowMode::Off, Some(5))),
        good().flexible_time_window(window(FlexibleTimeWindowMode::Flexible, None)),
        good().flexible_time_window(window(FlexibleTimeWindowMode::Flexible, Some(1441))),
        good().set_flexible_time_window(None),
        good().set_target(None),
        good().state(ScheduleState::from("PAUSED")),
        good().kms_key_arn("arn:aws:kms:us-east-1:111122223333:key/1"),
        good().target(build(Target::builder().arn("refresh").role_arn(ROLE))),
        good().target(build(role("arn:aws:iam::111122223333:user/wake-up"))),
        good().target(build(role("arn:aws:iam::111122223333:role/"))),
        good().target(build(target().input(""))),
        good().target(build(target().input("resume"))),
        good().target(build(
            target().input(format!("\"{}\"", "x".repeat(262_143))),
        )),
        good().target(build(target().dead_letter_config(fifo))),
        good().target(build(target().retry_policy(
            RetryPolicy::builder().maximum_retry_attempts(186).build(),
        ))),
        good().target(build(
            target().retry_policy(
                RetryPolicy::builder()
                    .maximum_event_age_in_seconds(59)
                    .build(),
            ),
        )),
    ];
    for (number, request) in refused.into_iter().enumerate() {
        assert_eq!(
            refusal(request.send().await).0,
            "ValidationException",
            "request {number}"
        );
    }
    assert_eq!(cloud.scheduler.schedules(), []);
    let largest = good().target(build(
        target().input(format!("\"{}\"", "x".repeat(262_142))),
    ));
    let largest =
        largest.flexible_time_window(window(FlexibleTimeWindowMode::Flexible, Some(1440)));
    largest
        .send()
        .await
        .expect("everything is just inside its bounds");
}

#[tokio::test]
async fn an_error_states_the_value_and_the_rule() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    let message = "1 validation error detected: Value 'wake%20up' at 'name' failed to satisfy constraint: Member must \
                   satisfy regular expression pattern: [0-9a-zA-Z-_.]+";
    assert_eq!(refusal(create(&client, "wake up").send().await).1, message);
    let past = create(&client, "wake-up")
        .schedule_expression("at(2001-01-31T02:00:00)")
        .send()
        .await;
    assert_eq!(
        refusal(past).1,
        "Invalid Schedule Expression at(2001-01-31T02:00:00)."
    );
}

#[tokio::test]
async fn other_regions_and_other_actions_are_unsupported() {
    let cloud = Cloud::start().await;
    let elsewhere = config(&cloud)
        .await
        .into_builder()
        .region(aws_config::Region::new("eu-west-1"))
        .build();
    assert_eq!(
        refusal(create(&Client::new(&elsewhere), "wake-up").send().await).0,
        "ValidationException"
    );
    let list = client(&cloud).await.list_schedules().send().await;
    assert_eq!(refusal(list).0, "UnknownOperationException");
}

#[tokio::test]
async fn planned_failures_have_the_status_of_the_model() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    for (code, status) in [
        ("ThrottlingException", 429),
        ("InternalServerException", 500),
        ("ConflictException", 409),
    ] {
        cloud
            .failures
            .fail_next("scheduler.CreateSchedule", code, 1);
        let failed = create(&client, "wake-up").send().await.unwrap_err();
        assert_eq!(
            failed
                .raw_response()
                .map(|response| response.status().as_u16()),
            Some(status)
        );
        assert_eq!(refusal(Err::<(), _>(failed)).0, code);
    }
    create(&client, "wake-up")
        .send()
        .await
        .expect("only three calls were to fail");
}
