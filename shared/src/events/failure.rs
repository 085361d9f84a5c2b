//! A pull that failed: of what, why, and who says so.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An image that could not be pulled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PullFailure {
    /// The image as somebody wrote it, at most 512 characters: neither parsed nor trusted.
    pub image: String,
    /// Why.
    pub kind: FailureKind,
    /// What was said, for people: one line, at most 300 characters, without credentials.
    pub said: String,
    /// Where the event came from.
    pub origin: Origin,
    /// The same for every delivery of the same event: `<task ARN>#<version>`, the build's ARN, or the event's own identifier.
    pub id: String,
}

/// Why a pull failed, the surest first: of two kinds that are said of one image, the lesser is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Docker Hub's limit of pulls in six hours.
    PullLimit,
    /// Docker Hub's limit of requests in a minute, whoever asks.
    AbuseLimit,
    /// No such repository, tag or manifest.
    NotFound,
    /// Refused, for want of credentials or of rights. Docker Hub says so of repositories that do not exist, too.
    Denied,
    /// The registry could not be reached, was throttled or unwell, or its answer was cut off.
    Network,
}

/// What reported that a pull failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// An Amazon ECS task.
    EcsTask,
    /// An AWS Batch job.
    BatchJob,
    /// AWS CodeBuild, of a build's own environment.
    CodeBuild,
    /// The log of a build.
    BuildLog,
    /// Amazon ECR's pull-through cache.
    PullThroughCache,
    /// A call to Amazon ECR that AWS CloudTrail recorded.
    CloudTrail,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PullLimit => "pull-limit",
            Self::AbuseLimit => "abuse-limit",
            Self::NotFound => "not-found",
            Self::Denied => "denied",
            Self::Network => "network",
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcsTask => "ecs-task",
            Self::BatchJob => "batch-job",
            Self::CodeBuild => "code-build",
            Self::BuildLog => "build-log",
            Self::PullThroughCache => "pull-through-cache",
            Self::CloudTrail => "cloud-trail",
        })
    }
}
