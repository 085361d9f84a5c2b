//! Containers that did not start: Amazon ECS tasks and AWS Batch jobs.
//!
//! The image and the error are in different parts of the event. See "Amazon ECS task state change
//! events" and "AWS Batch job state change events" in the guides of the services.

use serde_json::Value;

use super::envelope::Event;
use super::json::{array, string};
use super::workload::{Container, Workload};
use super::{FailureSource, Reading};

/// The signals of an `ECS Task State Change`.
pub(super) fn read_ecs(event: &Event) -> Reading {
    let stopped_reason = event.string("stoppedReason");
    let workload = Workload {
        containers: array(&event.detail, "containers")
            .iter()
            .map(Container::new)
            .collect(),
        messages: vec![stopped_reason],
        never_started: event.string("stopCode") == "TaskFailedToStart",
    };
    let failed = workload.failed_images();
    if failed.is_empty() {
        let status = event.string("lastStatus");
        return Err(workload.reason_to_ignore("task", status, stopped_reason));
    }
    let id = task_id(event);
    Ok(failed
        .into_iter()
        .map(|image| image.into_signal(FailureSource::EcsTask, &id))
        .collect())
}

/// The task and the version of its state. Amazon ECS may send the event of one state more than
/// once.
fn task_id(event: &Event) -> String {
    let task = event.string("taskArn");
    if task.is_empty() {
        return event.id.clone();
    }
    match event.detail.get("version").and_then(Value::as_f64) {
        Some(version) => format!("{task}#{version}"),
        None => task.to_owned(),
    }
}

/// The signals of a `Batch Job State Change`.
pub(super) fn read_batch(event: &Event) -> Reading {
    let job = &event.detail;
    let status = event.string("status");
    if status != "FAILED" {
        return Err(format!("the job is {status}, it did not fail"));
    }
    let status_reason = event.string("statusReason");
    let workload = Workload {
        containers: job_containers(job),
        messages: job_messages(job, status_reason),
        never_started: true,
    };
    let failed = workload.failed_images();
    if failed.is_empty() {
        return Err(workload.reason_to_ignore("job", status, status_reason));
    }
    let id = match event.string("jobArn") {
        "" => &event.id,
        arn => arn,
    };
    Ok(failed
        .into_iter()
        .map(|image| image.into_signal(FailureSource::BatchJob, id))
        .collect())
}

/// The containers of a job: a single one, those of its Amazon ECS tasks, and those of its pod.
fn job_containers(job: &Value) -> Vec<Container<'_>> {
    let mut containers: Vec<_> = job.get("container").into_iter().collect();
    if let Some(properties) = job.get("ecsProperties") {
        for task in array(properties, "taskProperties") {
            containers.extend(array(task, "containers"));
        }
    }
    if let Some(pod) = job.pointer("/eksProperties/podProperties") {
        containers.extend(array(pod, "containers"));
    }
    containers.into_iter().map(Container::new).collect()
}

/// The messages of all attempts, the last attempt first, and then `status_reason`.
fn job_messages<'a>(job: &'a Value, status_reason: &'a str) -> Vec<&'a str> {
    let mut messages = Vec::new();
    for attempt in array(job, "attempts").iter().rev() {
        messages.extend(attempt_messages(attempt));
    }
    messages.push(status_reason);
    messages
}

/// The messages of one attempt, those of its containers first.
fn attempt_messages(attempt: &Value) -> Vec<&str> {
    let mut containers: Vec<_> = attempt.get("container").into_iter().collect();
    for task in array(attempt, "taskProperties") {
        containers.extend(array(task, "containers"));
    }
    containers.extend(array(attempt, "containers"));
    let mut messages: Vec<_> = containers
        .into_iter()
        .map(|container| string(container, "reason"))
        .collect();
    messages.push(string(attempt, "statusReason"));
    messages
}
