//! Amazon ECR: failed pulls through its cache, and pulls of images that it does not have.
//!
//! An ordinary repository sends no event for a failed pull. The pull-through cache does ("Amazon
//! ECR events and EventBridge" in the Amazon ECR guide), and AWS CloudTrail records the API call
//! that a pull makes.

use serde_json::Value;

use super::classify::classify;
use super::envelope::{Event, account, region};
use super::json::{array, string};
use super::{FailureKind, FailureSource, PullFailure, Reading, Signal, text};
use crate::image::host::ecr_host;
use crate::image::reference::is_tag;

/// The signals of an `ECR Pull Through Cache Action`.
///
/// AWS does not publish the values of `sync-status` on failure: every value but `SUCCESS` is one.
pub(super) fn read_pull_through_cache(event: &Event) -> Reading {
    if matches!(event.string("sync-status"), "SUCCESS" | "") {
        return Err("the pull through the cache did not fail".to_owned());
    }
    let tag = event.string("image-tag");
    if !is_tag(tag) {
        return Err(no_tag());
    }
    let code = event.string("failure-code");
    let reason = event.string("failure-reason");
    let kind = classify(reason)
        .or_else(|| classify(code))
        .unwrap_or(FailureKind::Network);
    let repository = cached_repository(event)?;
    let failure = PullFailure {
        image: parse_image(&format!("{repository}:{tag}"))?,
        kind,
        message: error_message(code, reason),
        source: FailureSource::PullThroughCache,
        id: text::to_line(&event.id, 300),
    };
    Ok(vec![Signal::PullFailure(failure)])
}

/// The repository that the cache pulls from: the rule's registry, and the path without the rule's
/// prefix. Without a registry in the event, the repository of the cache itself.
fn cached_repository(event: &Event) -> Result<String, String> {
    let repository = event.string("repository-name");
    let prefix = event.string("ecr-repository-prefix");
    let registry = event.string("upstream-registry-url");
    if registry.is_empty() {
        return repository_uri(
            event.account.as_deref(),
            event.region.as_deref(),
            repository,
        );
    }
    // `ROOT` is the prefix of a rule that has none.
    if matches!(prefix, "ROOT" | "") {
        return Ok(format!("{registry}/{repository}"));
    }
    let path = repository
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('/'));
    match path {
        Some(path) => Ok(format!("{registry}/{path}")),
        None => Err(format!(
            "repository {repository} does not start with {prefix}, the prefix of the cache rule"
        )),
    }
}

/// The signals of an API call that CloudTrail recorded. A client pulls a manifest by
/// `BatchGetImage`.
pub(super) fn read_api_call(event: &Event) -> Reading {
    let call = &event.detail;
    let name = event.string("eventName");
    if name != "BatchGetImage" {
        return Err(format!("the API call {name} does not pull an image"));
    }
    let kind = call_failure(call)?;
    let repository = requested_repository(event)?;
    let message = error_message(event.string("errorCode"), event.string("errorMessage"));
    let id = match event.string("eventID") {
        "" => &event.id,
        id => id,
    };
    let mut signals = Vec::new();
    for tag in requested_tags(call) {
        signals.push(Signal::PullFailure(PullFailure {
            image: parse_image(&format!("{repository}:{tag}"))?,
            kind,
            message: message.clone(),
            source: FailureSource::CloudTrail,
            id: text::to_line(id, 300),
        }));
    }
    if signals.is_empty() {
        return Err(no_tag());
    }
    Ok(signals)
}

/// Why the call failed, or why it is ignored.
fn call_failure(call: &Value) -> Result<FailureKind, String> {
    match string(call, "errorCode") {
        "" if is_image_missing(call) => Ok(FailureKind::NotFound),
        "" => Err("the API call succeeded".to_owned()),
        "RepositoryNotFoundException" | "ImageNotFoundException" => Ok(FailureKind::NotFound),
        "AccessDenied" | "AccessDeniedException" => Ok(FailureKind::Denied),
        "ThrottlingException" | "ServerException" | "LimitExceededException" => {
            Ok(FailureKind::Network)
        }
        code => Err(format!("a copy of the image does not resolve {code}")),
    }
}

/// Whether a call without an error code lists a missing image in its response.
fn is_image_missing(call: &Value) -> bool {
    let response = call.get("responseElements").unwrap_or(&Value::Null);
    array(response, "failures")
        .iter()
        .any(|failure| string(failure, "failureCode") == "ImageNotFound")
}

fn requested_repository(event: &Event) -> Result<String, String> {
    let call = &event.detail;
    let request = call.get("requestParameters").unwrap_or(&Value::Null);
    let account = account(string(request, "registryId")).or_else(|| event.account.clone());
    let region = region(string(call, "awsRegion")).or_else(|| event.region.clone());
    repository_uri(
        account.as_deref(),
        region.as_deref(),
        string(request, "repositoryName"),
    )
}

fn requested_tags(call: &Value) -> Vec<&str> {
    let request = call.get("requestParameters").unwrap_or(&Value::Null);
    array(request, "imageIds")
        .iter()
        .map(|image| string(image, "imageTag"))
        .filter(|tag| is_tag(tag))
        .collect()
}

/// The name of a repository for `docker pull`.
fn repository_uri(
    account: Option<&str>,
    region: Option<&str>,
    repository: &str,
) -> Result<String, String> {
    let (Some(account), Some(region)) = (account, region) else {
        return Err("the event does not name the account and Region of the registry".to_owned());
    };
    if repository.is_empty() {
        return Err("the event does not name the repository".to_owned());
    }
    Ok(format!("{}/{repository}", ecr_host(account, region)))
}

fn parse_image(image: &str) -> Result<String, String> {
    text::image(image)
        .ok_or_else(|| "the image name is too long or has characters that no image has".to_owned())
}

fn error_message(code: &str, reason: &str) -> String {
    let message = format!("{code}: {reason}");
    text::excerpt(message.trim_matches([':', ' ']))
}

fn no_tag() -> String {
    "the pull was by digest: there is no tag to copy".to_owned()
}
