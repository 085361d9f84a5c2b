//! EventBridge Scheduler: delivery of a schedule once it is due.

use std::time::Duration;

use aws_sdk_scheduler::types::{ActionAfterCompletion, ScheduleState};
use embedded_cloud::{Clock, Cloud};
use serde_json::{Value, json};

use crate::refusal;
use crate::schedules::{FUNCTION, build, client, create, off, target};

/// The expression `at(…)` for the time `minutes` from now.
fn at(clock: &Clock, minutes: i64) -> String {
    let time = clock.now() + jiff::SignedDuration::from_mins(minutes);
    format!("at({})", time.strftime("%Y-%m-%dT%H:%M:%S"))
}

#[tokio::test]
async fn a_due_schedule_is_delivered_once() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    create(&client, "wake-up")
        .schedule_expression(at(&cloud.clock, 10))
        .send()
        .await
        .expect("it is in the future");
    assert_eq!(cloud.scheduler.next_due(), None);
    cloud.clock.advance(Duration::from_mins(9));
    assert_eq!(cloud.scheduler.next_due(), None);
    cloud.clock.advance(Duration::from_mins(1));
    assert_eq!(
        cloud.scheduler.next_due(),
        Some((FUNCTION.to_owned(), json!({ "command": "resume" })))
    );
    assert_eq!(cloud.scheduler.next_due(), None);
    client
        .get_schedule()
        .name("wake-up")
        .send()
        .await
        .expect("it stays");
}

#[tokio::test]
async fn a_schedule_with_action_delete_is_deleted_after_its_delivery() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    let request = create(&client, "wake-up").schedule_expression(at(&cloud.clock, 10));
    request
        .action_after_completion(ActionAfterCompletion::Delete)
        .send()
        .await
        .expect("it is in the future");
    cloud.clock.advance(Duration::from_mins(10));
    assert_eq!(
        cloud.scheduler.schedules()[0].action_after_completion,
        "DELETE"
    );
    assert!(cloud.scheduler.next_due().is_some());
    assert_eq!(cloud.scheduler.schedules(), []);
    assert_eq!(
        refusal(client.get_schedule().name("wake-up").send().await).0,
        "ResourceNotFoundException"
    );
}

#[tokio::test]
async fn the_earliest_schedule_is_delivered_first() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    for (name, minutes) in [("late", 20), ("early", 10), ("never", 30)] {
        let request = create(&client, name).schedule_expression(at(&cloud.clock, minutes));
        let input = json!({ "name": name }).to_string();
        let state = if name == "never" {
            ScheduleState::Disabled
        } else {
            ScheduleState::Enabled
        };
        request
            .state(state)
            .target(build(target().input(input)))
            .send()
            .await
            .expect("it is in the future");
    }
    cloud.clock.advance(Duration::from_mins(30));
    let delivered: Vec<Value> = std::iter::from_fn(|| cloud.scheduler.next_due())
        .map(|(_, event)| event)
        .collect();
    assert_eq!(
        delivered,
        [json!({ "name": "early" }), json!({ "name": "late" })]
    );
}

#[tokio::test]
async fn an_update_makes_a_delivered_schedule_pending_again() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    create(&client, "wake-up")
        .schedule_expression(at(&cloud.clock, 10))
        .send()
        .await
        .expect("it is in the future");
    cloud.clock.advance(Duration::from_mins(10));
    assert!(cloud.scheduler.next_due().is_some());
    let update = client
        .update_schedule()
        .name("wake-up")
        .schedule_expression(at(&cloud.clock, 10));
    update
        .flexible_time_window(off())
        .target(build(target()))
        .send()
        .await
        .expect("it still exists");
    assert_eq!(cloud.scheduler.next_due(), None);
    cloud.clock.advance(Duration::from_mins(10));
    assert!(cloud.scheduler.next_due().is_some());
}

#[tokio::test]
async fn context_keywords_of_the_input_are_replaced() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    let input = json!({
        "arn": "<aws.scheduler.schedule-arn>",
        "id": "<aws.scheduler.execution-id>",
        "text": "attempt <aws.scheduler.attempt-number> for <aws.scheduler.scheduled-time>",
        "other": "<aws.scheduler.something-else>",
    });
    create(&client, "wake-up")
        .target(build(target().input(input.to_string())))
        .send()
        .await
        .expect("it is well formed");
    cloud.clock.advance(Duration::from_hours(24 * 366 * 80));
    let (_, event) = cloud.scheduler.next_due().expect("it is due");
    assert_eq!(
        event["arn"],
        "arn:aws:scheduler:us-east-1:111122223333:schedule/default/wake-up"
    );
    assert_eq!(event["text"], "attempt 1 for 2099-01-31T02:00:00Z");
    assert_eq!(event["other"], "<aws.scheduler.something-else>");
    assert_eq!(event["id"].as_str().map(str::len), Some(36));
}

#[tokio::test]
async fn a_schedule_without_an_input_delivers_an_event_with_a_string_detail() {
    let cloud = Cloud::start().await;
    let client = client(&cloud).await;
    create(&client, "wake-up")
        .target(build(target()))
        .send()
        .await
        .expect("it is valid");
    assert_eq!(cloud.scheduler.schedules()[0].input, "");
    cloud.clock.advance(Duration::from_hours(24 * 366 * 80));
    let (_, event) = cloud.scheduler.next_due().expect("it is due");
    assert_eq!(event["source"], "aws.scheduler");
    assert_eq!(event["detail"], "{}");
    assert_eq!(
        event["resources"],
        json!(["arn:aws:scheduler:us-east-1:111122223333:schedule/default/wake-up"])
    );
}
