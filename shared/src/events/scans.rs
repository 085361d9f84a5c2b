//! Image scans: Amazon ECR's basic scanning, and Amazon Inspector's, which sends an event for each finding as well.
//!
//! See "Amazon ECR events and EventBridge" and "EventBridge events sent for enhanced scanning" in the Amazon ECR guide. Dates
//! are never read: Inspector writes them in two forms.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::envelope::{Event, account, array, region, string};
use super::{Reading, Scan, Severities, Signal};
use crate::image::digest::Digest;
use crate::image::reference::is_tag;

/// The source and detail-type of a single finding.
pub(super) const FINDING: (&str, &str) = ("aws.inspector2", "Inspector2 Finding");

/// What an `ECR Image Scan` or an `Inspector2 Scan` tells.
pub(super) fn scan(event: &Event) -> Reading {
    let detail = &event.detail;
    let repository = Repository::parse(string(detail, "repository-name"))?;
    let is_complete = matches!(
        string(detail, "scan-status"),
        "COMPLETE" | "INITIAL_SCAN_COMPLETE"
    );
    let (severities, is_whole) = match detail.get("finding-severity-counts") {
        Some(Value::Object(counts)) => Severities::read(counts),
        None | Some(Value::Null) => (Severities::default(), true),
        Some(_) => (Severities::default(), false),
    };
    Ok(vec![Signal::Scan(Scan {
        repository: repository.name,
        account: repository.account.or_else(|| event.account.clone()),
        region: repository.region.or_else(|| event.region.clone()),
        digest: digest(string(detail, "image-digest"))?,
        tags: tags(array(detail, "image-tags")),
        severities,
        is_complete: is_complete && is_whole,
        id: event.id.clone(),
    })])
}

/// What the `Inspector2 Finding`s of one batch tell: one scan for each image, however many findings it has.
pub(super) fn findings(events: &[Event]) -> Vec<Signal> {
    let mut scans = Vec::new();
    let mut places = HashMap::new();
    let mut counted = HashSet::new();
    let mut ignored = Vec::new();
    for event in events {
        let found = finding(event).unwrap_or_else(|why| {
            ignored.push(event.ignored(&why));
            Vec::new()
        });
        for found in found {
            // A finding that is delivered twice counts once.
            if counted.insert((name(event).to_owned(), found.digest.clone())) {
                merge(found, &mut scans, &mut places);
            }
        }
    }
    scans.into_iter().map(Signal::Scan).chain(ignored).collect()
}

/// A repository and what was scanned in it.
type Scanned = (String, Option<String>, Option<String>, Digest);

/// Adds `found` to the scan of the same image. `places` tells where that is among `scans`.
fn merge(found: Scan, scans: &mut Vec<Scan>, places: &mut HashMap<Scanned, usize>) {
    let image = (
        found.repository.clone(),
        found.account.clone(),
        found.region.clone(),
        found.digest.clone(),
    );
    let place = *places.entry(image).or_insert(scans.len());
    match scans.get_mut(place) {
        Some(scan) => scan.severities += found.severities,
        None => scans.push(found),
    }
}

fn name(event: &Event) -> &str {
    let finding = string(&event.detail, "findingArn");
    if finding.is_empty() {
        &event.id
    } else {
        finding
    }
}

/// The images that one finding is about.
fn finding(event: &Event) -> Result<Vec<Scan>, String> {
    let detail = &event.detail;
    match string(detail, "status") {
        "ACTIVE" | "" => {}
        status => return Err(format!("the finding is {status}")),
    }
    let mut severities = Severities::default();
    severities.add(string(detail, "severity"), 1);
    let resources = array(detail, "resources").iter();
    let images = resources.filter(|resource| string(resource, "type") == "AWS_ECR_CONTAINER_IMAGE");
    let scans = images
        .map(|image| scanned(event, image, severities))
        .collect::<Result<Vec<_>, _>>()?;
    if scans.is_empty() {
        Err("the finding is about no image in Amazon ECR".to_owned())
    } else {
        Ok(scans)
    }
}

fn scanned(event: &Event, resource: &Value, severities: Severities) -> Result<Scan, String> {
    let details = resource
        .pointer("/details/awsEcrContainerImage")
        .unwrap_or(&Value::Null);
    // `arn:…:repository/NAME/sha256:…`: what the details say, said once more.
    let (arn, hash) = string(resource, "id").rsplit_once('/').unwrap_or_default();
    let of_arn = Repository::parse(arn).ok();
    let repository = Repository::parse(string(details, "repositoryName"))
        .or_else(|why| of_arn.clone().ok_or(why))?;
    let of_arn = of_arn.unwrap_or(repository.clone());
    Ok(Scan {
        repository: repository.name,
        account: account(string(details, "registry"))
            .or(of_arn.account)
            .or_else(|| event.account.clone()),
        region: region(string(resource, "region"))
            .or(of_arn.region)
            .or_else(|| event.region.clone()),
        digest: digest(string(details, "imageHash")).or_else(|_| digest(hash))?,
        tags: tags(array(details, "imageTags")),
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
    /// Reads `docker-hub/library/nginx` or `arn:aws:ecr:REGION:ACCOUNT:repository/docker-hub/library/nginx`.
    fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let (name, account, region) = match parts[..] {
            ["arn", _, "ecr", place, owner, resource] => (
                resource.strip_prefix("repository/").unwrap_or_default(),
                account(owner),
                region(place),
            ),
            _ => (text, None, None),
        };
        if is_repository(name) {
            Ok(Self {
                name: name.to_owned(),
                account,
                region,
            })
        } else {
            Err(format!("{name:?} is no repository of Amazon ECR"))
        }
    }
}

/// Whether Amazon ECR could have a repository of that name, by its alphabet and length.
fn is_repository(name: &str) -> bool {
    let is_letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/".contains(&byte);
    (2..=256).contains(&name.len()) && name.bytes().all(is_letter)
}

fn digest(text: &str) -> Result<Digest, String> {
    text.parse()
        .map_err(|error: crate::image::digest::InvalidDigest| error.to_string())
}

/// What of `tags` could be tags.
fn tags(tags: &[Value]) -> Vec<String> {
    tags.iter()
        .filter_map(Value::as_str)
        .filter(|tag| is_tag(tag))
        .map(str::to_owned)
        .collect()
}
