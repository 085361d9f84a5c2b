//! Containers that did not start: Amazon ECS tasks and AWS Batch jobs.
//!
//! The image is in one place of the event, the error in one of several others, and often only the first container that failed
//! has one. See "Amazon ECS task state change events" and "AWS Batch job state change events" in the services' guides.

use serde_json::Value;

use super::classify::{classify, is_about_a_pull};
use super::envelope::{Event, array, string};
use super::{FailureKind, Origin, PullFailure, Reading, Signal, images, text};
use crate::image::reference;

/// One container and what was said of it.
struct Container<'a> {
    image: &'a str,
    reason: &'a str,
}

impl<'a> Container<'a> {
    fn new(value: &'a Value) -> Self {
        Self {
            image: string(value, "image"),
            reason: string(value, "reason"),
        }
    }

    /// Whether `text` names this container's repository.
    fn is_named_in(&self, text: &str) -> bool {
        reference::parse(self.image).is_ok_and(|name| text.contains(&name.repository.path))
    }
}

/// What an `ECS Task State Change` tells.
pub(super) fn ecs(event: &Event) -> Reading {
    let task = &event.detail;
    let containers: Vec<_> = array(task, "containers")
        .iter()
        .map(Container::new)
        .collect();
    let stopped = string(task, "stoppedReason");
    let never_started = string(task, "stopCode") == "TaskFailedToStart";
    let blamed = blamed(&containers, &[stopped], never_started);
    if blamed.is_empty() {
        let status = string(task, "lastStatus");
        return Err(no_failure("task", status, &containers, stopped));
    }
    Ok(signals(blamed, Origin::EcsTask, &task_id(event)))
}

/// What a `Batch Job State Change` tells.
pub(super) fn batch(event: &Event) -> Reading {
    let job = &event.detail;
    let status = string(job, "status");
    if status != "FAILED" {
        return Err(format!("the job is {status}, it did not fail"));
    }
    let containers = job_containers(job);
    // The last attempt is the truest.
    let mut said: Vec<_> = array(job, "attempts")
        .iter()
        .rev()
        .flat_map(attempt_reasons)
        .collect();
    said.push(string(job, "statusReason"));
    let blamed = blamed(&containers, &said, true);
    if blamed.is_empty() {
        return Err(no_failure(
            "job",
            status,
            &containers,
            string(job, "statusReason"),
        ));
    }
    let id = string(job, "jobArn");
    Ok(signals(
        blamed,
        Origin::BatchJob,
        if id.is_empty() { &event.id } else { id },
    ))
}

/// The containers of a job: one, several on Amazon ECS, or those of a pod.
fn job_containers(job: &Value) -> Vec<Container<'_>> {
    let tasks = job
        .pointer("/ecsProperties/taskProperties")
        .and_then(Value::as_array);
    let of_tasks = tasks
        .into_iter()
        .flatten()
        .flat_map(|task| array(task, "containers"));
    let of_pod = job
        .pointer("/eksProperties/podProperties")
        .map_or(&[][..], |pod| array(pod, "containers"));
    job.get("container")
        .into_iter()
        .chain(of_tasks)
        .chain(of_pod)
        .map(Container::new)
        .collect()
}

/// What was said of one attempt, of its containers first.
fn attempt_reasons(attempt: &Value) -> Vec<&str> {
    let tasks = array(attempt, "taskProperties")
        .iter()
        .flat_map(|task| array(task, "containers"));
    let containers = attempt
        .get("container")
        .into_iter()
        .chain(tasks)
        .chain(array(attempt, "containers"));
    containers
        .map(|container| string(container, "reason"))
        .chain([string(attempt, "statusReason")])
        .collect()
}

/// The images that could not be pulled, by their own containers' reasons or else by what was `said` of them all.
fn blamed<'a>(
    containers: &[Container<'a>],
    said: &[&'a str],
    never_started: bool,
) -> Vec<(String, FailureKind, &'a str)> {
    let kind = |text: &str| {
        if never_started || is_about_a_pull(text) {
            classify(text)
        } else {
            None
        }
    };
    let own: Vec<_> = containers
        .iter()
        .filter_map(|container| Some((container, kind(container.reason)?)))
        .flat_map(|(container, kind)| images_of(&[container], container.reason, kind))
        .collect();
    if !own.is_empty() {
        return own;
    }
    let reasons = containers
        .iter()
        .map(|container| container.reason)
        .chain(said.iter().copied());
    let Some((text, kind)) = reasons
        .into_iter()
        .find_map(|text| Some((text, kind(text)?)))
    else {
        return Vec::new();
    };
    let named: Vec<_> = containers
        .iter()
        .filter(|container| container.is_named_in(text))
        .collect();
    let suspects = if named.is_empty() {
        containers.iter().collect()
    } else {
        named
    };
    images_of(&suspects, text, kind)
}

/// The images of `containers`, each once; those in `text` where an event leaves them out.
fn images_of<'a>(
    containers: &[&Container<'_>],
    text: &'a str,
    kind: FailureKind,
) -> Vec<(String, FailureKind, &'a str)> {
    let mut images: Vec<_> = containers
        .iter()
        .filter_map(|container| text::image(container.image))
        .collect();
    images.sort_unstable();
    images.dedup();
    if images.is_empty() {
        return images::failures(text)
            .into_iter()
            .map(|(image, kind)| (image, kind, text))
            .collect();
    }
    images
        .into_iter()
        .map(|image| (image, kind, text))
        .collect()
}

fn signals(blamed: Vec<(String, FailureKind, &str)>, origin: Origin, id: &str) -> Vec<Signal> {
    let signal = |(image, kind, said)| {
        Signal::PullFailure(PullFailure {
            image,
            kind,
            said: text::excerpt(said),
            origin,
            id: text::line(id, 300),
        })
    };
    blamed.into_iter().map(signal).collect()
}

/// Amazon ECS sends a task's event more than once; the version tells one state from the next.
fn task_id(event: &Event) -> String {
    let version = event.detail.get("version").and_then(Value::as_f64);
    match (string(&event.detail, "taskArn"), version) {
        ("", _) => event.id.clone(),
        (task, Some(version)) => format!("{task}#{version}"),
        (task, None) => task.to_owned(),
    }
}

fn no_failure(what: &str, status: &str, containers: &[Container<'_>], said: &str) -> String {
    let reasons = containers
        .iter()
        .map(|container| container.reason)
        .chain([said]);
    match reasons.into_iter().find(|reason| is_about_a_pull(reason)) {
        Some(reason) => {
            format!("its image was not pulled for a reason that no copy can mend: {reason}")
        }
        None if said.is_empty() => format!("the {what} is {status}, and no pull failed"),
        None => format!("the {what} is {status}, and no pull failed: {said}"),
    }
}
