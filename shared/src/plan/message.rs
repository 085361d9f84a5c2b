//! The queue's message: one image, for every place in which it is due.

use serde::{Deserialize, Serialize};

use crate::image::digest::Digest;
use crate::image::platform::Platforms;
use crate::image::reference::{ImageRef, RepositoryRef};
use crate::plan::Planned;
use crate::request::{Target, Trigger};

/// What `refresh` asks `replicate` to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    version: Version,
    /// The upstream tag, for the record.
    pub image: ImageRef,
    /// What to copy: the digest that the tag had when it was surveyed, so that a tag that moves cannot mix two images.
    pub digest: Digest,
    /// The places, of one destination repository or of several: Docker Hub is read once for all of them.
    pub targets: Vec<Target>,
    /// Which of its platforms are copied; absent: all.
    #[serde(default, skip_serializing_if = "Platforms::is_all")]
    pub platforms: Platforms,
    /// Names under which other registries may have the same bytes, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<ImageRef>,
    /// What asked for it.
    pub cause: Trigger,
}

/// The version of the message's shape: 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
struct Version;

impl TryFrom<u8> for Version {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        if number == 1 {
            Ok(Self)
        } else {
            Err(format!(
                "message version {number} is not understood; deploy one release"
            ))
        }
    }
}

impl From<Version> for u8 {
    fn from(_: Version) -> Self {
        1
    }
}

impl Message {
    /// A message that asks for `digest` of what `planned` is about in `targets`.
    pub fn new(planned: &Planned, digest: Digest, targets: Vec<Target>) -> Self {
        Self {
            version: Version,
            image: planned.image.clone(),
            digest,
            targets,
            platforms: planned.platforms.clone(),
            origins: planned.origins.clone(),
            cause: planned.trigger.clone(),
        }
    }

    /// The first destination repository: copies into one repository go one after another.
    ///
    /// SQS takes 128 characters; a longer name is hashed.
    pub fn group(&self) -> String {
        group(self.targets.first().map(|target| target.uri.repository()))
    }

    /// The same wish has the same identifier, so that fifty failing builds cause one copy.
    pub fn deduplication(&self) -> String {
        let mut wish = self.digest.to_string();
        for target in &self.targets {
            wish.push(' ');
            wish.push_str(&target.uri.to_string());
        }
        if !self.platforms.is_all() {
            wish.push(' ');
            wish.push_str(&self.platforms.to_string());
        }
        Digest::from_content(wish.as_bytes())
            .as_str()
            .trim_start_matches("sha256:")
            .to_owned()
    }
}

fn group(repository: Option<&RepositoryRef>) -> String {
    let name = repository.map(ToString::to_string).unwrap_or_default();
    if name.len() <= 128 {
        name
    } else {
        Digest::from_content(name.as_bytes()).as_str().to_owned()
    }
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
    fn what_is_wanted_decides_about_duplicates_and_what_asked_for_it_does_not() {
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
    fn a_group_fits_into_128_characters() {
        let repository = RepositoryRef {
            registry: "r.example".to_owned(),
            path: "p".repeat(200),
        };
        assert!(group(Some(&repository)).len() <= 128);
    }
}
