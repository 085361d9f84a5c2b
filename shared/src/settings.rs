//! Settings, as a pure function of the environment.

use std::path::PathBuf;

use url::Url;

use crate::arn::Arn;
use crate::catalogue::Problems;
use crate::error::{Cause, Error, Side};
use crate::image::endpoints::Endpoints;

/// Everything that environment variables configure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where the catalogue is.
    pub catalogue: Option<Location>,
    /// Name or ARN of the Docker Hub secret. `None`: pulls are anonymous.
    pub docker_hub_secret: Option<String>,
    /// The queue between `refresh` and `replicate`. `None`: images are copied inline.
    pub queue_url: Option<String>,
    /// Name of the EventBridge bus for events about outcomes. `None`: no events.
    pub event_bus: Option<String>,
    /// ARN of the SNS topic for failures. `None`: no messages.
    pub failure_topic: Option<String>,
    /// The part of Docker Hub's quota that is left for others.
    pub reserve: Reserve,
    /// The function that a schedule invokes for deferred images. `None`: the next refresh retries
    /// them.
    pub retry_target: Option<RetryTarget>,
    /// Who checks the digests of blobs.
    pub hashing: Hashing,
    /// Addresses that replace those of registries.
    pub endpoints: Endpoints,
}

/// Who checks that a blob has the expected digest while it is copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hashing {
    /// This program, in addition to the destination.
    #[default]
    Here,
    /// The destination only: it checks the `digest` that ends an upload, as the distribution
    /// specification demands. This saves most of the processor time where the processor has no
    /// instructions for SHA-256.
    Destination,
}

/// The function that EventBridge Scheduler invokes to retry deferred images, and the role that it
/// assumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryTarget {
    /// ARN of the function `refresh`.
    pub function: String,
    /// ARN of the role that may invoke it.
    pub role: String,
}

/// Where a catalogue is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Every parameter below this path of the Systems Manager Parameter Store.
    Ssm(String),
    /// A file.
    File(PathBuf),
}

/// Pulls that are left for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// A number of pulls.
    Pulls(u32),
    /// A share of the limit, 0 to 100 percent.
    Percent(u32),
}

impl Default for Reserve {
    fn default() -> Self {
        Self::Percent(10)
    }
}

impl Settings {
    /// Reads the settings. `lookup` returns the value of an environment variable. The error lists
    /// all problems.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let mut variables = Variables {
            lookup,
            problems: Problems::default(),
        };
        let settings = Self {
            catalogue: variables.parse("REPLICATOR_CATALOGUE", Location::parse),
            docker_hub_secret: variables.text("REPLICATOR_DOCKER_HUB_SECRET"),
            queue_url: variables.parse("REPLICATOR_QUEUE_URL", parse_queue_url),
            event_bus: variables.text("REPLICATOR_EVENT_BUS"),
            failure_topic: variables.parse("REPLICATOR_FAILURE_TOPIC", |text| {
                parse_arn(text, "sns", "an SNS topic")
            }),
            reserve: variables
                .parse("REPLICATOR_QUOTA_RESERVE", Reserve::parse)
                .unwrap_or_default(),
            retry_target: variables.retry_target(),
            hashing: variables
                .parse("REPLICATOR_HASHING", Hashing::parse)
                .unwrap_or_default(),
            endpoints: variables
                .parse("REPLICATOR_REGISTRY_ENDPOINTS", parse_endpoints)
                .unwrap_or_default(),
        };
        variables.problems.or(settings)
    }

    /// The settings of this process. Their problems are one error.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn from_env() -> Result<Self, Error> {
        let settings = Self::from_lookup(|name| std::env::var(name).ok());
        settings.map_err(|problems| {
            Error::new(Side::Configuration, Cause::Invalid, "start").because(problems)
        })
    }
}

/// Environment variables, and the problems with those that were read.
struct Variables<L> {
    lookup: L,
    problems: Problems,
}

impl<L: Fn(&str) -> Option<String>> Variables<L> {
    /// The value of `name`, trimmed. An empty one counts as unset.
    fn text(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        let text = value.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The parsed value of `name`. `None` if it is unset or has a problem, which is kept.
    fn parse<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(&self.text(name)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.add(format!("{name}: {problem}"));
                None
            }
        }
    }

    /// Two variables that are useless alone.
    fn retry_target(&mut self) -> Option<RetryTarget> {
        const FUNCTION: &str = "REPLICATOR_WAKE_UP_FUNCTION";
        const ROLE: &str = "REPLICATOR_WAKE_UP_ROLE";
        let function = self.parse(FUNCTION, |text| {
            parse_arn(text, "lambda", "a Lambda function")
        });
        let role = self.parse(ROLE, |text| parse_arn(text, "iam", "an IAM role"));
        if self.text(FUNCTION).is_some() != self.text(ROLE).is_some() {
            let problem = format!("{FUNCTION} and {ROLE} must be set together");
            self.problems.add(problem);
        }
        Some(RetryTarget {
            function: function?,
            role: role?,
        })
    }
}

/// Checks that `text` is the ARN of a resource of `service`; `kind` names the resource in the error.
fn parse_arn(text: &str, service: &str, kind: &str) -> Result<String, String> {
    match Arn::parse(text) {
        Some(arn) if arn.service == service => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is not the ARN of {kind}")),
    }
}

fn parse_endpoints(text: &str) -> Result<Endpoints, String> {
    Endpoints::parse(text).map_err(|problems| problems.join("; "))
}

fn parse_queue_url(text: &str) -> Result<String, String> {
    // Case matters: SQS demands this suffix in lower case.
    let is_fifo = text.strip_suffix(".fifo").is_some();
    let url: Url = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
    if matches!(url.scheme(), "http" | "https") && is_fifo {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is not the URL of a FIFO queue (https://…/name.fifo)"
        ))
    }
}

impl Location {
    /// Parses `ssm:/path` or `file:PATH`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("ssm", path)) if path.starts_with('/') && path.len() > 1 => {
                let path = path.trim_end_matches('/');
                Ok(Self::Ssm(path.to_owned()))
            }
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(format!("{text:?} is neither ssm:/path nor file:PATH")),
        }
    }
}

impl Hashing {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "here" => Ok(Self::Here),
            "destination" => Ok(Self::Destination),
            _ => Err(format!("{text:?} is neither here nor destination")),
        }
    }
}

impl Reserve {
    fn parse(text: &str) -> Result<Self, String> {
        let reserve = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse().map(Self::Percent),
            None => text.parse().map(Self::Pulls),
        };
        match reserve {
            Ok(Self::Percent(101..)) | Err(_) => Err(format!(
                "{text:?} is neither a number of pulls nor a percentage up to 100%"
            )),
            Ok(reserve) => Ok(reserve),
        }
    }

    /// The reserved pulls of `limit`, rounded up.
    pub fn pulls_of(self, limit: u32) -> u32 {
        match self {
            Self::Pulls(pulls) => pulls,
            Self::Percent(percent) => {
                let hundredths = u64::from(limit) * u64::from(percent);
                u32::try_from(hundredths.div_ceil(100)).unwrap_or(limit)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Problems> {
        Settings::from_lookup(|name| {
            let pair = pairs.iter().find(|(key, _)| *key == name)?;
            Some(pair.1.to_owned())
        })
    }

    #[test]
    fn without_variables_the_defaults_hold() {
        assert_eq!(
            read(&[("REPLICATOR_QUEUE_URL", " ")]).unwrap(),
            Settings {
                catalogue: None,
                docker_hub_secret: None,
                queue_url: None,
                event_bus: None,
                failure_topic: None,
                reserve: Reserve::Percent(10),
                retry_target: None,
                hashing: Hashing::Here,
                endpoints: Endpoints::default(),
            }
        );
    }

    #[test]
    fn every_setting_is_read() {
        let queue_url = "https://sqs.us-east-1.amazonaws.com/1/q.fifo";
        let topic = "arn:aws:sns:us-east-1:111122223333:failures";
        let function = "arn:aws:lambda:us-east-1:111122223333:function:refresh";
        let role = "arn:aws:iam::111122223333:role/retry";
        let endpoint = "docker.io=http://127.0.0.1:5001";
        let settings = read(&[
            ("REPLICATOR_CATALOGUE", "ssm:/image-replicator/catalogue/"),
            ("REPLICATOR_DOCKER_HUB_SECRET", " docker-hub "),
            ("REPLICATOR_QUEUE_URL", queue_url),
            ("REPLICATOR_EVENT_BUS", "default"),
            ("REPLICATOR_FAILURE_TOPIC", topic),
            ("REPLICATOR_QUOTA_RESERVE", "20"),
            ("REPLICATOR_WAKE_UP_FUNCTION", function),
            ("REPLICATOR_WAKE_UP_ROLE", role),
            ("REPLICATOR_HASHING", "destination"),
            ("REPLICATOR_REGISTRY_ENDPOINTS", endpoint),
        ]);
        assert_eq!(
            settings.unwrap(),
            Settings {
                catalogue: Some(Location::Ssm("/image-replicator/catalogue".to_owned())),
                docker_hub_secret: Some("docker-hub".to_owned()),
                queue_url: Some(queue_url.to_owned()),
                event_bus: Some("default".to_owned()),
                failure_topic: Some(topic.to_owned()),
                reserve: Reserve::Pulls(20),
                retry_target: Some(RetryTarget {
                    function: function.to_owned(),
                    role: role.to_owned(),
                }),
                hashing: Hashing::Destination,
                endpoints: Endpoints::parse(endpoint).unwrap(),
            }
        );
    }

    #[test]
    fn a_catalogue_may_be_a_file() {
        let location = Location::parse("file:catalogue.yaml").unwrap();
        assert_eq!(location, Location::File("catalogue.yaml".into()));
    }

    #[test]
    fn all_bad_settings_are_reported_together() {
        let problems = read(&[
            ("REPLICATOR_CATALOGUE", "s3://bucket"),
            ("REPLICATOR_QUOTA_RESERVE", "110%"),
            ("REPLICATOR_QUEUE_URL", "https://sqs/1/standard"),
            ("REPLICATOR_REGISTRY_ENDPOINTS", "docker.io"),
            ("REPLICATOR_HASHING", "nowhere"),
            (
                "REPLICATOR_FAILURE_TOPIC",
                "arn:aws:sqs:us-east-1:111122223333:topic",
            ),
            ("REPLICATOR_WAKE_UP_FUNCTION", "refresh"),
        ]);
        assert_eq!(
            problems.unwrap_err().to_string(),
            r#"REPLICATOR_CATALOGUE: "s3://bucket" is neither ssm:/path nor file:PATH
REPLICATOR_QUEUE_URL: "https://sqs/1/standard" is not the URL of a FIFO queue (https://…/name.fifo)
REPLICATOR_FAILURE_TOPIC: "arn:aws:sqs:us-east-1:111122223333:topic" is not the ARN of an SNS topic
REPLICATOR_QUOTA_RESERVE: "110%" is neither a number of pulls nor a percentage up to 100%
REPLICATOR_WAKE_UP_FUNCTION: "refresh" is not the ARN of a Lambda function
REPLICATOR_WAKE_UP_FUNCTION and REPLICATOR_WAKE_UP_ROLE must be set together
REPLICATOR_HASHING: "nowhere" is neither here nor destination
REPLICATOR_REGISTRY_ENDPOINTS: "docker.io" is not host=url"#
        );
    }

    #[test]
    fn a_percentage_is_rounded_up_in_favour_of_others() {
        assert_eq!(Reserve::Percent(10).pulls_of(101), 11);
        assert_eq!(Reserve::Pulls(7).pulls_of(100), 7);
    }
}
