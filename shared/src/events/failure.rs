//! A failed pull: of which image, why, and who reported it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An image that could not be pulled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PullFailure {
    /// The image as the event or log has it, at most 512 characters: neither parsed nor trusted.
    pub image: String,
    /// Why the pull failed.
    pub kind: FailureKind,
    /// The error message: one line, at most 300 characters, without credentials.
    pub message: String,
    /// What reported the failure.
    pub source: FailureSource,
    /// The same for every delivery of the same event: `<task ARN>#<version>`, the ARN of the build,
    /// or the identifier of the event.
    pub id: String,
}

/// Why a pull failed. If a log reports two kinds for one image, the first of this list is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Docker Hub's limit of pulls in six hours.
    PullLimit,
    /// Docker Hub's limit of requests in a minute. It also applies to authenticated users.
    AbuseLimit,
    /// No such repository, tag or manifest.
    NotFound,
    /// Refused: credentials or permissions are missing. Docker Hub also sends this for repositories
    /// that do not exist.
    Denied,
    /// The registry was unreachable, throttled the client, returned a server error or closed the
    /// connection early.
    Network,
}

/// What reported that a pull failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureSource {
    /// An Amazon ECS task.
    EcsTask,
    /// An AWS Batch job.
    BatchJob,
    /// AWS CodeBuild, about the image of a build environment.
    CodeBuild,
    /// The log of a build.
    BuildLog,
    /// The pull-through cache of Amazon ECR.
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

impl fmt::Display for FailureSource {
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
