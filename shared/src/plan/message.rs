//! The queue's message: one image, for all of its targets that are due.

use serde::{Deserialize, Serialize};

use crate::catalogue::Options;
use crate::image::digest::Digest;
use crate::image::reference::{ImageRef, RepositoryRef};
use crate::plan::Planned;
use crate::request::{Request, Target, Trigger};

/// The longest group identifier that SQS takes, in characters.
const MAX_GROUP_CHARACTERS: usize = 128;

/// What `refresh`, `ensure`, `rescue` and `rescan` ask `replicate` to copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    version: Version,
    /// The upstream tag, for the record.
    pub image: ImageRef,
    /// The digest that the tag had in the survey.
    pub digest: Digest,
    /// The targets, of one destination repository or of several: Docker Hub is read once for all.
    pub targets: Vec<Target>,
    /// How the image is mirrored. Options with their default value are left out.
    #[serde(flatten)]
    pub options: Options,
    /// Names under which origins may have the same bytes, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<ImageRef>,
    /// What triggered the copy.
    pub cause: Trigger,
}

/// The version of the message's shape: 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
struct Version;

impl TryFrom<u8> for Version {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self),
            _ => Err(format!(
                "message version {number} is unknown: deploy all functions from one release"
            )),
        }
    }
}

impl From<Version> for u8 {
    fn from(_: Version) -> Self {
        1
    }
}

impl Message {
    /// The message for the targets of `planned` that are due; `None` where none is.
    pub fn from_planned(planned: &Planned) -> Option<Self> {
        let due = planned.steps.iter().filter(|step| step.is_due());
        let targets: Vec<Target> = due.map(|step| step.target.clone()).collect();
        if targets.is_empty() {
            return None;
        }
        let request = &planned.request;
        Some(Self {
            version: Version,
            image: request.image.clone(),
            digest: planned.upstream.clone()?,
            targets,
            options: request.options.for_message(),
            origins: request.origins.clone(),
            cause: request.trigger.clone(),
        })
    }

    /// The request that a worker runs, and the digest that the message names.
    pub fn into_request(self) -> (Request, Digest) {
        let request = Request {
            image: self.image,
            options: self.options,
            targets: self.targets,
            origins: self.origins,
            unresolved: Vec::new(),
            trigger: self.cause,
        };
        (request, self.digest)
    }

    /// The first destination repository: copies into one repository go one after another.
    pub fn group(&self) -> String {
        let repository = self.targets.first().map(|target| target.uri.repository());
        group(repository)
    }

    /// The same request has the same identifier, so that fifty failing builds cause one copy.
    pub fn deduplication(&self) -> String {
        let mut content = self.digest.to_string();
        for target in &self.targets {
            content.push(' ');
            content.push_str(&target.uri.to_string());
        }
        let platforms = self.options.platforms();
        if !platforms.is_all() {
            content.push(' ');
            content.push_str(&platforms.to_string());
        }
        let digest = Digest::from_content(content.as_bytes());
        digest.as_str().trim_start_matches("sha256:").to_owned()
    }
}

/// The name of the repository, or its digest where the name is too long for SQS.
fn group(repository: Option<&RepositoryRef>) -> String {
    let name = repository.map(ToString::to_string).unwrap_or_default();
    if name.len() <= MAX_GROUP_CHARACTERS {
        return name;
    }
    Digest::from_content(name.as_bytes()).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"version":1,"image":"docker.io/library/node:21-alpine","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","targets":[{"destination":"private","uri":"111122223333.dkr.ecr.us-east-1.amazonaws.com/docker-hub/library/node:21-alpine"}],"cause":{"kind":"schedule","id":"e1"}}"#;

    #[test]
    fn a_message_is_written_as_the_contract_says_and_read_back() {
        let message: Message = serde_json::from_str(TEXT).unwrap();
        assert_eq!(serde_json::to_string(&message).unwrap(), TEXT);
        let more = TEXT.replace(
            "\"cause\"",
            "\"platforms\":[\"linux/amd64\"],\"origins\":[\"public.ecr.aws/docker/library/node:21-alpine\"],\"cause\"",
        );
        let message: Message = serde_json::from_str(&more).unwrap();
        assert_eq!(serde_json::to_string(&message).unwrap(), more);
    }

    #[test]
    fn the_copy_decides_about_duplicates_and_its_trigger_does_not() {
        let read = |text: &str| {
            serde_json::from_str::<Message>(text)
                .unwrap()
                .deduplication()
        };
        assert_eq!(read(TEXT), read(&TEXT.replace("e1", "e2")));
        assert_ne!(read(TEXT), read(&TEXT.replace("sha256:00", "sha256:01")));
        assert_ne!(read(TEXT), read(&TEXT.replace("us-east-1", "eu-west-1")));
        assert_ne!(
            read(TEXT),
            read(&TEXT.replace("\"cause\"", "\"platforms\":[\"linux/amd64\"],\"cause\""))
        );
    }

    #[test]
    fn another_version_is_refused() {
        let error = serde_json::from_str::<Message>(&TEXT.replace(":1,", ":2,"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("version 2"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = TEXT.replace("\"cause\"", "\"color\":\"red\",\"cause\"");
        let error = serde_json::from_str::<Message>(&text)
            .unwrap_err()
            .to_string();
        assert!(error.contains("color"), "{error}");
    }

    #[test]
    fn a_group_fits_into_128_characters() {
        let repository = RepositoryRef {
            registry: "r.example".to_owned(),
            path: "p".repeat(200),
        };
        assert!(group(Some(&repository)).len() <= 128);
    }
}
