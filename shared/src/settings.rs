//! Settings, as a pure function of the environment.

use crate::catalogue::Problems;
use crate::image::host::Endpoints;

/// Everything that the environment decides.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where the catalogue is.
    pub catalogue: Option<Location>,
    /// Name or ARN of the Docker Hub secret; `None` is anonymous.
    pub docker_hub_secret: Option<String>,
    /// The queue between `refresh` and `replicate`; `None` copies inline.
    pub queue_url: Option<String>,
    /// Name of the EventBridge bus that is told of outcomes; `None` tells nobody.
    pub event_bus: Option<String>,
    /// ARN of the SNS topic that is told of failures; `None` tells nobody.
    pub failure_topic: Option<String>,
    /// What is left of Docker Hub's quota for others.
    pub reserve: Reserve,
    /// What is invoked when Docker Hub's quota is there again; `None` leaves what was put off to the next refresh.
    pub retry_target: Option<RetryTarget>,
    /// Who checks the digests of blobs.
    pub hashing: Hashing,
    /// Addresses of registries that are served from elsewhere.
    pub endpoints: Endpoints,
}

/// Who checks that a blob on its way is what its digest says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hashing {
    /// We do, whatever the destination checks.
    #[default]
    Here,
    /// The destination does, by the `digest` that ends an upload, as the distribution specification demands. That spares most of the
    /// processor time where it has no instructions for SHA-256.
    Destination,
}

/// What EventBridge Scheduler invokes for what was put off, and as whom.
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
    File(std::path::PathBuf),
}

/// Pulls that are left for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// This many.
    Pulls(u32),
    /// This share of the limit, 0 to 100.
    Percent(u32),
}

impl Default for Reserve {
    fn default() -> Self {
        Self::Percent(10)
    }
}

impl Settings {
    /// Reads the settings with `lookup`, which answers for the name of an environment variable. All problems come at once.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let present = |name: &str| {
            lookup(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let settings = Self {
            catalogue: parse(
                &present,
                "REPLICATOR_CATALOGUE",
                &mut problems,
                Location::parse,
            ),
            docker_hub_secret: present("REPLICATOR_DOCKER_HUB_SECRET"),
            event_bus: present("REPLICATOR_EVENT_BUS"),
            failure_topic: parse(
                &present,
                "REPLICATOR_FAILURE_TOPIC",
                &mut problems,
                |text| arn(text, "sns", "an SNS topic"),
            ),
            queue_url: parse(&present, "REPLICATOR_QUEUE_URL", &mut problems, queue_url),
            reserve: parse(
                &present,
                "REPLICATOR_QUOTA_RESERVE",
                &mut problems,
                Reserve::parse,
            )
            .unwrap_or_default(),
            retry_target: retry_target(&present, &mut problems),
            hashing: parse(
                &present,
                "REPLICATOR_HASHING",
                &mut problems,
                Hashing::parse,
            )
            .unwrap_or_default(),
            endpoints: parse(
                &present,
                "REPLICATOR_REGISTRY_ENDPOINTS",
                &mut problems,
                |text| Endpoints::parse(text).map_err(|bad| bad.join("; ")),
            )
            .unwrap_or_default(),
        };
        problems.or(settings)
    }

    /// The settings of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn from_env() -> Result<Self, Problems> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }
}

fn parse<T>(
    lookup: &impl Fn(&str) -> Option<String>,
    name: &str,
    problems: &mut Problems,
    read: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let value = lookup(name)?;
    read(&value)
        .map_err(|problem| problems.add(format!("{name}: {problem}")))
        .ok()
}

/// One without the other wakes nobody.
fn retry_target(
    present: &impl Fn(&str) -> Option<String>,
    problems: &mut Problems,
) -> Option<RetryTarget> {
    const FUNCTION: &str = "REPLICATOR_WAKE_UP_FUNCTION";
    const ROLE: &str = "REPLICATOR_WAKE_UP_ROLE";
    let function = parse(present, FUNCTION, problems, |text| {
        arn(text, "lambda", "a Lambda function")
    });
    let role = parse(present, ROLE, problems, |text| {
        arn(text, "iam", "an IAM role")
    });
    if present(FUNCTION).is_some() != present(ROLE).is_some() {
        problems.add(format!("{FUNCTION} and {ROLE} come together"));
    }
    Some(RetryTarget {
        function: function?,
        role: role?,
    })
}

fn arn(text: &str, service: &str, what: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let is_one = parts.len() >= 6 && parts[0] == "arn" && parts[2] == service;
    if is_one {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not the ARN of {what}"))
    }
}

impl Location {
    /// Reads `ssm:/path` or `file:PATH`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("ssm", path)) if path.starts_with('/') && path.len() > 1 => {
                Ok(Self::Ssm(path.trim_end_matches('/').to_owned()))
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
        let parsed = match text.strip_suffix('%') {
            Some(percent) => percent
                .trim()
                .parse()
                .ok()
                .filter(|percent| *percent <= 100)
                .map(Self::Percent),
            None => text.parse().ok().map(Self::Pulls),
        };
        parsed.ok_or_else(|| {
            format!("{text:?} is neither a number of pulls nor a percentage up to 100%")
        })
    }

    /// How many pulls that is of `limit`, rounded up.
    pub fn pulls_of(self, limit: u32) -> u32 {
        match self {
            Self::Pulls(pulls) => pulls,
            Self::Percent(percent) => {
                u32::try_from((u64::from(limit) * u64::from(percent)).div_ceil(100))
                    .unwrap_or(limit)
            }
        }
    }
}

fn queue_url(text: &str) -> Result<String, String> {
    // Case counts: SQS wants the suffix exactly so.
    let is_fifo = text.strip_suffix(".fifo").is_some();
    let url: url::Url = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
    if matches!(url.scheme(), "http" | "https") && is_fifo {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is not the URL of a FIFO queue (https://…/name.fifo)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Problems> {
        Settings::from_lookup(|name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_set_means_the_defaults() {
        let settings = read(&[("REPLICATOR_QUEUE_URL", " ")]).unwrap();
        assert_eq!(
            (settings.catalogue, settings.queue_url, settings.reserve),
            (None, None, Reserve::Percent(10))
        );
    }

    #[test]
    fn every_setting_is_read() {
        let settings = read(&[
            ("REPLICATOR_CATALOGUE", "ssm:/image-replicator/catalogue/"),
            ("REPLICATOR_QUOTA_RESERVE", "20"),
            (
                "REPLICATOR_QUEUE_URL",
                "https://sqs.us-east-1.amazonaws.com/1/q.fifo",
            ),
        ])
        .unwrap();
        assert_eq!(
            settings.catalogue,
            Some(Location::Ssm("/image-replicator/catalogue".to_owned()))
        );
        assert_eq!(settings.reserve, Reserve::Pulls(20));
        assert!(settings.queue_url.is_some());
    }

    #[test]
    fn all_bad_settings_are_named_at_once() {
        let problems = read(&[
            ("REPLICATOR_CATALOGUE", "s3://bucket"),
            ("REPLICATOR_QUOTA_RESERVE", "110%"),
            ("REPLICATOR_QUEUE_URL", "https://sqs/1/standard"),
            ("REPLICATOR_REGISTRY_ENDPOINTS", "docker.io"),
            (
                "REPLICATOR_FAILURE_TOPIC",
                "arn:aws:sqs:us-east-1:111122223333:topic",
            ),
            ("REPLICATOR_WAKE_UP_FUNCTION", "refresh"),
        ])
        .unwrap_err()
        .to_string();
        for name in [
            "REPLICATOR_CATALOGUE",
            "REPLICATOR_QUOTA_RESERVE",
            "REPLICATOR_QUEUE_URL",
            "REPLICATOR_REGISTRY_ENDPOINTS",
            "REPLICATOR_FAILURE_TOPIC",
            "REPLICATOR_WAKE_UP_FUNCTION: \"refresh\" is not the ARN of a Lambda function",
            "REPLICATOR_WAKE_UP_FUNCTION and REPLICATOR_WAKE_UP_ROLE come together",
        ] {
            assert!(problems.contains(name), "{name} in:\n{problems}");
        }
    }

    #[test]
    fn a_percentage_is_rounded_up_in_favour_of_others() {
        assert_eq!(Reserve::Percent(10).pulls_of(101), 11);
        assert_eq!(Reserve::Pulls(7).pulls_of(100), 7);
    }
}
