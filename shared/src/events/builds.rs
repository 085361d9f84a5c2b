//! AWS CodeBuild: images of build environments that could not be pulled, and failed build commands.
//!
//! For a build environment the event holds the registry's error. For a failed command it holds only
//! `exit status 1`, and the error is in the log of the build. See "Build notifications input format
//! reference" in the AWS CodeBuild guide.

use serde_json::Value;

use super::classify::{classify, is_pull_error};
use super::envelope::Event;
use super::json::{array, string};
use super::{BuildLog, FailureKind, FailureSource, PullFailure, Reading, Signal, text};

/// The phases that run the commands of a buildspec.
const COMMAND_PHASES: [&str; 4] = ["INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"];

/// The signals of a `CodeBuild Build State Change`.
pub(super) fn read_state_change(event: &Event) -> Reading {
    let status = event.string("build-status");
    if matches!(status, "SUCCEEDED" | "IN_PROGRESS" | "STOPPED") {
        return Err(format!("the build is {status}, it did not fail"));
    }
    let phases = array(information(event), "phases");
    let mut contexts = Vec::new();
    for phase in phases {
        let texts = array(phase, "phase-context");
        contexts.extend(texts.iter().filter_map(Value::as_str));
    }
    contexts.push(event.string("current-phase-context"));
    let failed_phase = phases
        .iter()
        .find(|phase| is_failure(string(phase, "phase-status")))
        .map_or("", |phase| string(phase, "phase-type"));
    read_failure(event, &contexts, failed_phase)
}

/// The signals of a `CodeBuild Build Phase Change`.
pub(super) fn read_phase_change(event: &Event) -> Reading {
    let phase = event.string("completed-phase");
    let status = event.string("completed-phase-status");
    if !is_failure(status) {
        return Err(format!("phase {phase} is {status}, it did not fail"));
    }
    let context = event.string("completed-phase-context");
    read_failure(event, &[context], phase)
}

fn is_failure(status: &str) -> bool {
    !matches!(
        status,
        "" | "SUCCEEDED" | "IN_PROGRESS" | "QUEUED" | "STOPPED"
    )
}

/// The image of the build environment if a context reports that it could not be pulled. Otherwise
/// the build's log, if the failed phase runs commands.
fn read_failure(event: &Event, contexts: &[&str], failed_phase: &str) -> Reading {
    if let Some(context) = contexts.iter().find(|context| is_pull_error(context)) {
        return read_environment(event, context);
    }
    if COMMAND_PHASES.contains(&failed_phase) {
        return read_log(event);
    }
    if failed_phase.is_empty() {
        return Err("the event does not name the phase that failed".to_owned());
    }
    Err(format!(
        "phase {failed_phase} failed, and its log does not report pulls"
    ))
}

fn read_environment(event: &Event, context: &str) -> Reading {
    let environment = information(event)
        .get("environment")
        .unwrap_or(&Value::Null);
    let image = text::image(string(environment, "image"))
        .ok_or("the event does not name the image of the build environment")?;
    if image.starts_with("aws/codebuild/") {
        return Err(format!("{image} is an image that AWS CodeBuild provides"));
    }
    let message = context.trim_start_matches('[').trim_end_matches(']');
    let failure = PullFailure {
        image,
        kind: classify(context).unwrap_or(FailureKind::Network),
        message: text::excerpt(message),
        source: FailureSource::CodeBuild,
        id: build_id(event),
    };
    Ok(vec![Signal::PullFailure(failure)])
}

fn read_log(event: &Event) -> Reading {
    let logs = information(event).get("logs").unwrap_or(&Value::Null);
    let group = text::to_line(string(logs, "group-name"), 512);
    let stream = text::to_line(string(logs, "stream-name"), 512);
    if group.is_empty() || stream.is_empty() {
        let why = "a build command failed, but the build's log is not in CloudWatch Logs";
        return Err(why.to_owned());
    }
    let build = build_id(event);
    Ok(vec![Signal::BuildLog(BuildLog {
        group,
        stream,
        id: build.clone(),
        build,
    })])
}

fn information(event: &Event) -> &Value {
    event
        .detail
        .get("additional-information")
        .unwrap_or(&Value::Null)
}

/// The ARN of the build. Its state change and its phase changes report the same failure.
fn build_id(event: &Event) -> String {
    match event.string("build-id") {
        "" => event.id.clone(),
        build => text::to_line(build, 300),
    }
}
