//! AWS CodeBuild: builds whose environment could not be pulled, and builds that failed in their own commands.
//!
//! Only of the first kind does the event hold the registry's error. Of the second it holds `exit status 1`; the rest is in
//! the build's log. See "Build notifications input format reference" in the AWS CodeBuild guide.

use serde_json::Value;

use super::classify::{classify, is_about_a_pull};
use super::envelope::{Event, array, string};
use super::{BuildLog, FailureKind, Origin, PullFailure, Reading, Signal, text};

/// The phases that run the commands of a buildspec.
const OF_COMMANDS: [&str; 4] = ["INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"];

/// What a `CodeBuild Build State Change` tells.
pub(super) fn state_change(event: &Event) -> Reading {
    let status = string(&event.detail, "build-status");
    if matches!(status, "SUCCEEDED" | "IN_PROGRESS" | "STOPPED") {
        return Err(format!("the build is {status}, it did not fail"));
    }
    let phases = event
        .detail
        .pointer("/additional-information")
        .map_or(&[][..], |build| array(build, "phases"));
    let contexts = phases
        .iter()
        .flat_map(|phase| array(phase, "phase-context"))
        .filter_map(Value::as_str);
    let failed = phases
        .iter()
        .find(|phase| is_failure(string(phase, "phase-status")));
    let failed = failed.map_or("", |phase| string(phase, "phase-type"));
    tell(
        event,
        contexts.chain([string(&event.detail, "current-phase-context")]),
        failed,
    )
}

/// What a `CodeBuild Build Phase Change` tells.
pub(super) fn phase_change(event: &Event) -> Reading {
    let (phase, status) = (
        string(&event.detail, "completed-phase"),
        string(&event.detail, "completed-phase-status"),
    );
    if !is_failure(status) {
        return Err(format!("phase {phase} is {status}, it did not fail"));
    }
    tell(
        event,
        [string(&event.detail, "completed-phase-context")].into_iter(),
        phase,
    )
}

fn is_failure(status: &str) -> bool {
    !matches!(
        status,
        "" | "SUCCEEDED" | "IN_PROGRESS" | "QUEUED" | "STOPPED"
    )
}

/// The environment's image, if one of `contexts` says that it could not be pulled; else the log, if commands `failed`.
fn tell<'a>(event: &Event, contexts: impl Iterator<Item = &'a str>, failed: &str) -> Reading {
    let mut contexts = contexts;
    match contexts.find(|context| is_about_a_pull(context)) {
        Some(context) => environment(event, context),
        None if OF_COMMANDS.contains(&failed) => log(event),
        None if failed.is_empty() => Err("it does not say which phase failed".to_owned()),
        None => Err(format!(
            "phase {failed} failed, which pulls no image that its log would name"
        )),
    }
}

fn environment(event: &Event, context: &str) -> Reading {
    let image = event
        .detail
        .pointer("/additional-information/environment/image")
        .and_then(Value::as_str);
    let image = image
        .and_then(text::image)
        .ok_or("it does not say which image the environment has")?;
    if image.starts_with("aws/codebuild/") {
        return Err(format!("{image} is an image of AWS CodeBuild's own"));
    }
    let kind = classify(context).unwrap_or(FailureKind::Network);
    let context = context.trim_start_matches('[').trim_end_matches(']');
    let said = text::excerpt(context);
    Ok(vec![Signal::PullFailure(PullFailure {
        image,
        kind,
        said,
        origin: Origin::CodeBuild,
        id: build(event),
    })])
}

fn log(event: &Event) -> Reading {
    let logs = event
        .detail
        .pointer("/additional-information/logs")
        .unwrap_or(&Value::Null);
    let [group, stream] =
        ["group-name", "stream-name"].map(|key| text::line(string(logs, key), 512));
    if group.is_empty() || stream.is_empty() {
        return Err("a command failed, and the build's log is not in CloudWatch Logs".to_owned());
    }
    let build = build(event);
    Ok(vec![Signal::BuildLog(BuildLog {
        group,
        stream,
        id: build.clone(),
        build,
    })])
}

/// The build's ARN: its state change and its phase changes tell of the same failure.
fn build(event: &Event) -> String {
    let build = string(&event.detail, "build-id");
    if build.is_empty() {
        event.id.clone()
    } else {
        text::line(build, 300)
    }
}
