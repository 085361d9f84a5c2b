//! Amazon ECR: pulls through its cache that failed, and pulls of what it does not have.
//!
//! Ordinary repositories emit no event for a failed pull. The cache does ("Amazon ECR events and EventBridge"), and AWS
//! CloudTrail records the call that a pull makes.

use serde_json::Value;

use super::classify::classify;
use super::envelope::{Event, account, array, region, string};
use super::{FailureKind, Origin, PullFailure, Reading, Signal, text};
use crate::image::reference::is_tag;

/// What an `ECR Pull Through Cache Action` tells. Its values on failure are not published: whatever is no success failed.
pub(super) fn pull_through_cache(event: &Event) -> Reading {
    let status = string(&event.detail, "sync-status");
    if matches!(status, "SUCCESS" | "") {
        return Err("the pull through the cache did not fail".to_owned());
    }
    let tag = string(&event.detail, "image-tag");
    if !is_tag(tag) {
        return Err("the pull was by digest: there is no tag to copy".to_owned());
    }
    let [code, reason] = ["failure-code", "failure-reason"].map(|key| string(&event.detail, key));
    let said = format!("{code}: {reason}");
    let kind = classify(reason)
        .or_else(|| classify(code))
        .unwrap_or(FailureKind::Network);
    let image = format!("{}:{tag}", upstream(event)?);
    Ok(vec![failure(
        &image,
        kind,
        &said,
        Origin::PullThroughCache,
        &event.id,
    )?])
}

/// What the cache stands for: the rule's registry, and the repository without the rule's prefix.
fn upstream(event: &Event) -> Result<String, String> {
    let [repository, prefix, registry] = [
        "repository-name",
        "ecr-repository-prefix",
        "upstream-registry-url",
    ]
    .map(|key| string(&event.detail, key));
    let within = repository
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('/'));
    match (registry, prefix, within) {
        ("", ..) => uri(event.account.clone(), event.region.clone(), repository),
        // A rule without prefix is called so.
        (_, "ROOT" | "", _) => Ok(format!("{registry}/{repository}")),
        (_, _, Some(path)) => Ok(format!("{registry}/{path}")),
        (_, _, None) => Err(format!(
            "{repository} is not below the rule's prefix {prefix}"
        )),
    }
}

/// What a recorded call tells: `BatchGetImage` is how a client pulls a manifest.
pub(super) fn api_call(event: &Event) -> Reading {
    let call = &event.detail;
    let name = string(call, "eventName");
    if name != "BatchGetImage" {
        return Err(format!("{name} pulls no image"));
    }
    let kind = call_failure(call)?;
    let request = call.get("requestParameters").unwrap_or(&Value::Null);
    let registry = account(string(request, "registryId")).or_else(|| event.account.clone());
    let region = region(string(call, "awsRegion")).or_else(|| event.region.clone());
    let repository = uri(registry, region, string(request, "repositoryName"))?;
    let said = [string(call, "errorCode"), string(call, "errorMessage")].join(": ");
    let id = if string(call, "eventID").is_empty() {
        &event.id
    } else {
        string(call, "eventID")
    };
    let mut tags: Vec<_> = array(request, "imageIds")
        .iter()
        .map(|image| string(image, "imageTag"))
        .collect();
    tags.retain(|tag| is_tag(tag));
    if tags.is_empty() {
        return Err("the pull was by digest: there is no tag to copy".to_owned());
    }
    let signal = |tag| {
        failure(
            &format!("{repository}:{tag}"),
            kind,
            &said,
            Origin::CloudTrail,
            id,
        )
    };
    tags.into_iter().map(signal).collect()
}

fn call_failure(call: &Value) -> Result<FailureKind, String> {
    let of_images = || {
        let failures = call.pointer("/responseElements/failures")?.as_array()?;
        failures
            .iter()
            .map(|failure| string(failure, "failureCode"))
            .find(|code| *code == "ImageNotFound")
    };
    match string(call, "errorCode") {
        "" if of_images().is_some() => Ok(FailureKind::NotFound),
        "" => Err("the call succeeded".to_owned()),
        "RepositoryNotFoundException" | "ImageNotFoundException" => Ok(FailureKind::NotFound),
        "AccessDenied" | "AccessDeniedException" => Ok(FailureKind::Denied),
        "ThrottlingException" | "ServerException" | "LimitExceededException" => {
            Ok(FailureKind::Network)
        }
        code => Err(format!("{code} is no failure that a copy can mend")),
    }
}

/// A repository's name for `docker pull`.
fn uri(
    account: Option<String>,
    region: Option<String>,
    repository: &str,
) -> Result<String, String> {
    let (account, region) = account
        .zip(region)
        .ok_or("it does not say whose registry it is of")?;
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    if repository.is_empty() {
        return Err("it does not say which repository".to_owned());
    }
    Ok(format!("{account}.dkr.ecr.{region}.{domain}/{repository}"))
}

fn failure(
    image: &str,
    kind: FailureKind,
    said: &str,
    origin: Origin,
    id: &str,
) -> Result<Signal, String> {
    let image = text::image(image).ok_or("the name of its image is no name")?;
    let said = text::excerpt(said.trim_matches([':', ' ']));
    Ok(Signal::PullFailure(PullFailure {
        image,
        kind,
        said,
        origin,
        id: text::line(id, 300),
    }))
}
