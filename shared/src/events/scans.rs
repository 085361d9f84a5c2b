//! Image scans: basic scanning of Amazon ECR, and Amazon Inspector.
//!
//! Amazon Inspector also sends an event for each single finding. See "Amazon ECR events and
//! EventBridge" and "EventBridge events sent for enhanced scanning" in the Amazon ECR guide. This
//! module never parses dates: Inspector writes them in two formats.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::envelope::{Event, account, region};
use super::json::{array, string};
use super::{Reading, Scan, Severities, Signal};
use crate::arn::Arn;
use crate::image::digest::{Digest, InvalidDigest};
use crate::image::reference::is_tag;

/// Whether `event` is a single finding of Amazon Inspector.
pub(super) fn is_finding(event: &Event) -> bool {
    event.source == "aws.inspector2" && event.kind == "Inspector2 Finding"
}

/// The signals of an `ECR Image Scan` or an `Inspector2 Scan`.
pub(super) fn read_scan(event: &Event) -> Reading {
    let detail = &event.detail;
    let repository = Repository::parse(event.string("repository-name"))?;
    let is_finished = matches!(
        event.string("scan-status"),
        "COMPLETE" | "INITIAL_SCAN_COMPLETE"
    );
    let (severities, all_parsed) = match detail.get("finding-severity-counts") {
        Some(Value::Object(counts)) => Severities::from_counts(counts),
        None | Some(Value::Null) => (Severities::default(), true),
        Some(_) => (Severities::default(), false),
    };
    Ok(vec![Signal::Scan(Scan {
        repository: repository.name,
        account: repository.account.or_else(|| event.account.clone()),
        region: repository.region.or_else(|| event.region.clone()),
        digest: parse_digest(event.string("image-digest"))?,
        tags: valid_tags(array(detail, "image-tags")),
        severities,
        is_complete: is_finished && all_parsed,
        id: event.id.clone(),
    })])
}

/// The signals of all `Inspector2 Finding`s of one batch: one scan for each image.
pub(super) fn read_findings(events: &[Event]) -> Vec<Signal> {
    let mut merged = MergedFindings::default();
    let mut ignored = Vec::new();
    for event in events {
        match read_finding(event) {
            Ok(found) => {
                for scan in found {
                    merged.add(finding_id(event), scan);
                }
            }
            Err(why) => ignored.push(event.ignored(&why)),
        }
    }
    let mut signals: Vec<_> = merged.scans.into_iter().map(Signal::Scan).collect();
    signals.extend(ignored);
    signals
}

/// The scans that findings are merged into: one for each image, in the order of the findings.
#[derive(Default)]
struct MergedFindings {
    scans: Vec<Scan>,
    /// The index in `scans` by repository name, account, Region and digest.
    index: HashMap<(String, Option<String>, Option<String>, Digest), usize>,
    /// The findings that were added, by identifier and digest. A finding may be delivered twice.
    added: HashSet<(String, Digest)>,
}

impl MergedFindings {
    fn add(&mut self, finding_id: &str, scan: Scan) {
        let finding = (finding_id.to_owned(), scan.digest.clone());
        if !self.added.insert(finding) {
            return;
        }
        let image = (
            scan.repository.clone(),
            scan.account.clone(),
            scan.region.clone(),
            scan.digest.clone(),
        );
        let index = *self.index.entry(image).or_insert(self.scans.len());
        match self.scans.get_mut(index) {
            Some(known) => known.severities += scan.severities,
            None => self.scans.push(scan),
        }
    }
}

/// The ARN of the finding, or the identifier of its event where it has none.
fn finding_id(event: &Event) -> &str {
    match event.string("findingArn") {
        "" => &event.id,
        arn => arn,
    }
}

/// The images that one finding is about, with this finding as their only one.
fn read_finding(event: &Event) -> Result<Vec<Scan>, String> {
    let status = event.string("status");
    if !matches!(status, "ACTIVE" | "") {
        return Err(format!("the finding is {status}"));
    }
    let mut severities = Severities::default();
    severities.add(event.string("severity"), 1);
    let mut scans = Vec::new();
    for resource in array(&event.detail, "resources") {
        if string(resource, "type") == "AWS_ECR_CONTAINER_IMAGE" {
            scans.push(read_resource(event, resource, severities)?);
        }
    }
    if scans.is_empty() {
        return Err("the finding is not about an image in Amazon ECR".to_owned());
    }
    Ok(scans)
}

/// The image that `resource` describes. Its identifier repeats the details and completes them:
/// `arn:aws:ecr:REGION:ACCOUNT:repository/NAME/sha256:…`.
fn read_resource(event: &Event, resource: &Value, severities: Severities) -> Result<Scan, String> {
    let details = resource
        .pointer("/details/awsEcrContainerImage")
        .unwrap_or(&Value::Null);
    let (repository_arn, arn_digest) = string(resource, "id").rsplit_once('/').unwrap_or_default();
    let from_details = Repository::parse(string(details, "repositoryName"));
    let from_arn = Repository::parse(repository_arn);
    let (repository, from_arn) = match (from_details, from_arn) {
        (Ok(repository), Ok(from_arn)) => (repository, from_arn),
        (Ok(only), Err(_)) | (Err(_), Ok(only)) => (only.clone(), only),
        (Err(why), Err(_)) => return Err(why),
    };
    Ok(Scan {
        repository: repository.name,
        account: account(string(details, "registry"))
            .or(from_arn.account)
            .or_else(|| event.account.clone()),
        region: region(string(resource, "region"))
            .or(from_arn.region)
            .or_else(|| event.region.clone()),
        digest: parse_digest(string(details, "imageHash")).or_else(|_| parse_digest(arn_digest))?,
        tags: valid_tags(array(details, "imageTags")),
        severities,
        is_complete: false,
        id: event.id.clone(),
    })
}

/// A repository by its name or its ARN.
#[derive(Clone)]
struct Repository {
    name: String,
    account: Option<String>,
    region: Option<String>,
}

impl Repository {
    /// Parses `docker-hub/library/nginx` or
    /// `arn:aws:ecr:REGION:ACCOUNT:repository/docker-hub/library/nginx`.
    fn parse(text: &str) -> Result<Self, String> {
        let repository = match Arn::parse(text).filter(|arn| arn.service == "ecr") {
            Some(arn) => Self {
                name: arn
                    .resource
                    .strip_prefix("repository/")
                    .unwrap_or_default()
                    .to_owned(),
                account: account(arn.account),
                region: region(arn.region),
            },
            None => Self {
                name: text.to_owned(),
                account: None,
                region: None,
            },
        };
        if is_repository_name(&repository.name) {
            Ok(repository)
        } else {
            let name = repository.name;
            Err(format!(
                "{name:?} is not the name of an Amazon ECR repository"
            ))
        }
    }
}

/// Whether Amazon ECR allows `name` for a repository, by its characters and length.
fn is_repository_name(name: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/".contains(&byte);
    (2..=256).contains(&name.len()) && name.bytes().all(is_allowed)
}

fn parse_digest(text: &str) -> Result<Digest, String> {
    text.parse()
        .map_err(|error: InvalidDigest| error.to_string())
}

/// Those of `tags` that are valid tags.
fn valid_tags(tags: &[Value]) -> Vec<String> {
    tags.iter()
        .filter_map(Value::as_str)
        .filter(|tag| is_tag(tag))
        .map(str::to_owned)
        .collect()
}
