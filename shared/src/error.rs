//! The one error of the library: the side, the action, the cause, and whether a retry helps.
//!
//! `Display` prints this level only. [`Error::chain`] adds the sources; the boundary that responds
//! prints it once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::timestamp::format_seconds;

/// An action that did not succeed.
#[derive(Clone, Debug)]
pub struct Error {
    side: Side,
    action: String,
    cause: Cause,
    retry_at: Option<Timestamp>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The part of the system where the fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The registry that is read.
    Source,
    /// The registry that is written, or its control plane.
    Destination,
    /// Secrets Manager and its secrets.
    Credentials,
    /// Settings and catalogue.
    Configuration,
    /// The queue between `refresh` and `replicate`.
    Queue,
    /// This program: its own limits.
    Replicator,
}

/// Why the action did not succeed. The cause decides what happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is no such tag, manifest, repository or secret.
    NotFound,
    /// The credential itself was refused.
    BadCredential,
    /// The credential is valid but lacks the permission.
    Denied,
    /// The plan does not spend the pulls: the window of Docker Hub's quota has to move on first.
    InsufficientPulls,
    /// Docker Hub's pull limit is reached. Only time helps: its window has to move on.
    PullLimit,
    /// Docker Hub's limit on requests of any kind in a short time.
    AbuseLimit {
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// A limit on requests for tag lists only.
    ListingLimit {
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// A limit on requests of one kind. Each API of Amazon ECR has its own.
    Throttled {
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The tag exists with another digest and cannot be overwritten.
    Immutable,
    /// The bytes do not have the expected digest.
    Mismatch,
    /// The destination reports that it lacks content which a manifest names.
    MissingContent,
    /// The connection broke, stalled or could not be made.
    Interrupted,
    /// The server responded with a 5xx status.
    Unavailable,
    /// The time of this invocation is nearly over.
    Deadline,
    /// A worker deferred the image; a schedule retries it.
    Deferred,
    /// The request is malformed, or is not supported.
    Invalid,
    /// The server sent a response that no rule covers.
    Unexpected,
}

impl Error {
    /// An error on `side`. `action` completes the sentence "cannot …".
    pub fn new(side: Side, cause: Cause, action: impl Into<String>) -> Self {
        Self {
            side,
            action: action.into(),
            cause,
            retry_at: None,
            source: None,
        }
    }

    /// The same error with the error or text that explains it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// The same error with the time of the scheduled retry.
    #[must_use]
    pub fn with_retry_at(mut self, at: Timestamp) -> Self {
        self.retry_at = Some(at);
        self
    }

    /// The same error on another side.
    #[must_use]
    pub fn with_side(mut self, side: Side) -> Self {
        self.side = side;
        self
    }

    /// The time of the scheduled retry, if there is one.
    pub fn retry_at(&self) -> Option<Timestamp> {
        self.retry_at
    }

    /// Why the action did not succeed.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// The part of the system where the fault lies.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Whether the same request can succeed later without any change: the one table of the project.
    pub fn is_transient(&self) -> bool {
        match self.cause {
            Cause::InsufficientPulls
            | Cause::PullLimit
            | Cause::AbuseLimit { .. }
            | Cause::ListingLimit { .. }
            | Cause::Throttled { .. }
            | Cause::MissingContent
            | Cause::Interrupted
            | Cause::Unavailable
            | Cause::Deadline
            | Cause::Deferred => true,
            Cause::NotFound
            | Cause::BadCredential
            | Cause::Denied
            | Cause::Immutable
            | Cause::Mismatch
            | Cause::Invalid
            | Cause::Unexpected => false,
        }
    }

    /// Whether a retry within seconds can succeed. At Docker Hub's pull limit it cannot: the server
    /// would refuse each one for hours.
    pub fn is_retryable_now(&self) -> bool {
        matches!(
            self.cause,
            Cause::AbuseLimit { .. }
                | Cause::ListingLimit { .. }
                | Cause::Throttled { .. }
                | Cause::Interrupted
                | Cause::Unavailable
        )
    }

    /// Whether the window of Docker Hub's quota has to move on first.
    pub fn is_waiting_for_pulls(&self) -> bool {
        matches!(self.cause, Cause::InsufficientPulls | Cause::PullLimit)
    }

    /// The server's `Retry-After`: how long to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.cause {
            Cause::AbuseLimit { retry_after }
            | Cause::ListingLimit { retry_after }
            | Cause::Throttled { retry_after } => retry_after,
            _ => None,
        }
    }

    /// A stable name for alarms and for the `errorType` of a function, such as `Source.NotFound`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.side.name(), self.cause.name())
    }

    /// The message and the message of every source, outermost first.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(error) = next {
            let message = error.to_string();
            if !text.ends_with(&message) {
                text.push_str(": ");
                text.push_str(&message);
            }
            next = error.source();
        }
        if let Some(at) = self.retry_at {
            text.push_str("; retry scheduled for ");
            text.push_str(&format_seconds(at));
        }
        text
    }
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Source => "Source",
            Self::Destination => "Destination",
            Self::Credentials => "Credentials",
            Self::Configuration => "Configuration",
            Self::Queue => "Queue",
            Self::Replicator => "Replicator",
        }
    }
}

impl Cause {
    fn name(&self) -> &'static str {
        match self {
            Self::NotFound => "NotFound",
            Self::BadCredential => "BadCredential",
            Self::Denied => "Denied",
            Self::InsufficientPulls => "InsufficientPulls",
            Self::PullLimit => "PullLimit",
            Self::AbuseLimit { .. } => "AbuseLimit",
            Self::ListingLimit { .. } => "ListingLimit",
            Self::Throttled { .. } => "Throttled",
            Self::Immutable => "Immutable",
            Self::Mismatch => "Mismatch",
            Self::MissingContent => "MissingContent",
            Self::Interrupted => "Interrupted",
            Self::Unavailable => "Unavailable",
            Self::Deadline => "Deadline",
            Self::Deferred => "Deferred",
            Self::Invalid => "Invalid",
            Self::Unexpected => "Unexpected",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: cannot {}: {}", self.side, self.action, self.cause)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Credentials => "credentials",
            Self::Configuration => "configuration",
            Self::Queue => "queue",
            Self::Replicator => "replicator",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::BadCredential => "the credential is refused",
            Self::Denied => "access denied",
            Self::InsufficientPulls => "not enough Docker Hub pulls left",
            Self::PullLimit => "the pull rate limit is reached",
            Self::AbuseLimit { .. } => "too many requests in a short time",
            Self::ListingLimit { .. } => "too many tag lists in a short time",
            Self::Throttled { .. } => "requests of this kind are throttled",
            Self::Immutable => "the tag is immutable and has another digest",
            Self::Mismatch => "the bytes do not match their digest",
            Self::MissingContent => "content that the manifest names is missing",
            Self::Interrupted => "the connection was interrupted",
            Self::Unavailable => "the server is unavailable",
            Self::Deadline => "the deadline is near",
            Self::Deferred => "deferred until a scheduled retry",
            Self::Invalid => "invalid",
            Self::Unexpected => "unexpected response",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_goes_from_the_outermost_error_inwards() {
        let inner = std::io::Error::other("connection reset by peer");
        let error =
            Error::new(Side::Source, Cause::Interrupted, "get blob sha256:5b0b").because(inner);
        assert_eq!(
            error.to_string(),
            "source: cannot get blob sha256:5b0b: the connection was interrupted"
        );
        assert_eq!(
            error.chain(),
            "source: cannot get blob sha256:5b0b: the connection was interrupted: connection reset by peer"
        );
    }

    #[test]
    fn a_chain_does_not_repeat_a_message() {
        let action = "copy node:21";
        let error = Error::new(Side::Source, Cause::NotFound, action).because("not found");
        assert_eq!(error.chain(), "source: cannot copy node:21: not found");
    }

    #[test]
    fn the_time_of_the_retry_ends_the_chain() {
        let at = Timestamp::from_second(1_790_000_000).unwrap();
        let error = Error::new(Side::Source, Cause::InsufficientPulls, "copy node:21")
            .because("3 are left")
            .with_retry_at(at);
        assert_eq!(
            error.chain(),
            "source: cannot copy node:21: \
             not enough Docker Hub pulls left: 3 are left; \
             retry scheduled for 2026-09-21T14:13:20Z"
        );
    }

    #[test]
    fn the_pull_limit_is_transient_but_not_retryable_now() {
        let error = Error::new(Side::Source, Cause::PullLimit, "get manifest");
        assert!(error.is_transient());
        assert!(!error.is_retryable_now());
    }

    #[test]
    fn names_are_stable() {
        let retry_after = Some(Duration::from_secs(1));
        let causes = [
            (Cause::NotFound, "Source.NotFound"),
            (Cause::BadCredential, "Source.BadCredential"),
            (Cause::Denied, "Source.Denied"),
            (Cause::InsufficientPulls, "Source.InsufficientPulls"),
            (Cause::PullLimit, "Source.PullLimit"),
            (Cause::AbuseLimit { retry_after }, "Source.AbuseLimit"),
            (Cause::ListingLimit { retry_after }, "Source.ListingLimit"),
            (Cause::Throttled { retry_after }, "Source.Throttled"),
            (Cause::Immutable, "Source.Immutable"),
            (Cause::Mismatch, "Source.Mismatch"),
            (Cause::MissingContent, "Source.MissingContent"),
            (Cause::Interrupted, "Source.Interrupted"),
            (Cause::Unavailable, "Source.Unavailable"),
            (Cause::Deadline, "Source.Deadline"),
            (Cause::Deferred, "Source.Deferred"),
            (Cause::Invalid, "Source.Invalid"),
            (Cause::Unexpected, "Source.Unexpected"),
        ];
        for (cause, name) in causes {
            assert_eq!(Error::new(Side::Source, cause, "copy").name(), name);
        }
        let sides = [
            (Side::Source, "Source.Invalid"),
            (Side::Destination, "Destination.Invalid"),
            (Side::Credentials, "Credentials.Invalid"),
            (Side::Configuration, "Configuration.Invalid"),
            (Side::Queue, "Queue.Invalid"),
            (Side::Replicator, "Replicator.Invalid"),
        ];
        for (side, name) in sides {
            assert_eq!(Error::new(side, Cause::Invalid, "copy").name(), name);
        }
    }
}
