//! The one error of the library: which side, cannot what, why, and whether a retry helps.
//!
//! `Display` says this level only; [`Error::chain`] is for the boundary that answers, which prints it once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// Something that could not be done.
#[derive(Clone, Debug)]
pub struct Error {
    side: Side,
    action: String,
    cause: Cause,
    until: Option<Timestamp>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// Where the fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The registry that is read.
    Source,
    /// The registry that is written, or its control plane.
    Destination,
    /// Secrets Manager and what it holds.
    Credentials,
    /// Settings and catalogue.
    Configuration,
    /// The queue between `refresh` and `replicate`.
    Queue,
    /// This program: its own limits.
    Replicator,
}

/// Why, in the terms that decide what happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is no such tag, manifest, repository or secret.
    NotFound,
    /// The credential itself was refused.
    BadCredential,
    /// The credential is good, and may not do this.
    Denied,
    /// The plan does not spend the pulls that this would take: the window has to move on first.
    InsufficientPulls,
    /// Docker Hub's pull limit was met: nothing helps but the window moving on.
    PullLimit,
    /// Docker Hub's limit of requests in a short time, whatever they ask for; `retry_after` is what the server asked for.
    AbuseLimit {
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// A limit of requests for lists of tags, and for nothing else.
    ListingLimit {
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// A limit of requests of one kind, as each API of Amazon ECR has its own.
    Throttled {
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The tag exists, cannot be overwritten, and stands for another digest.
    Immutable,
    /// Bytes are not what their digest says.
    Mismatch,
    /// The destination says that it lacks content which a manifest names.
    MissingContent,
    /// The connection broke, stalled or could not be made.
    Interrupted,
    /// The server answered with a 5xx status.
    Unavailable,
    /// The time of this invocation is over.
    Deadline,
    /// A worker put it off; it is tried again by itself.
    Deferred,
    /// What was asked for makes no sense, or is not supported.
    Invalid,
    /// The server answered what no rule here foresees.
    Unexpected,
}

impl Error {
    /// An error on `side`, with `action` completing "cannot …".
    pub fn new(side: Side, cause: Cause, action: impl Into<String>) -> Self {
        Self {
            side,
            action: action.into(),
            cause,
            until: None,
            source: None,
        }
    }

    /// The same error with what brought it about.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// The same error with the time at which the same is tried again by itself.
    #[must_use]
    pub fn with_retry_at(mut self, at: Timestamp) -> Self {
        self.until = Some(at);
        self
    }

    /// The same error on another side.
    #[must_use]
    pub fn with_side(mut self, side: Side) -> Self {
        self.side = side;
        self
    }

    /// When the same is tried again by itself, where that is known.
    pub fn retry_at(&self) -> Option<Timestamp> {
        self.until
    }

    /// Why.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Where the fault lies.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Whether the same request can succeed later without anybody changing anything: the one table of the project.
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

    /// Whether trying again within seconds is worth it. Docker Hub's pull limit is not: each try would be refused for hours.
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

    /// Whether it takes a window of Docker Hub's quota to move on.
    pub fn is_waiting_for_pulls(&self) -> bool {
        matches!(self.cause, Cause::InsufficientPulls | Cause::PullLimit)
    }

    /// How long the server asked to be left alone.
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
        let cause = format!("{:?}", self.cause);
        let cause = cause
            .split_once(' ')
            .map_or(cause.as_str(), |(name, _)| name);
        format!("{:?}.{cause}", self.side)
    }

    /// The message and every cause below it, outermost first.
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
        if let Some(until) = self.until {
            text.push_str("; it is tried again at ");
            text.push_str(&crate::timestamp::format_seconds(until));
        }
        text
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
            Self::InsufficientPulls => "the pulls that are left do not suffice",
            Self::PullLimit => "the pull rate limit is reached",
            Self::AbuseLimit { .. } => "too many requests in a short time",
            Self::ListingLimit { .. } => "too many tag lists in a short time",
            Self::Throttled { .. } => "requests of this kind are throttled",
            Self::Immutable => "the tag is immutable and stands for another digest",
            Self::Mismatch => "the bytes do not match their digest",
            Self::MissingContent => "content that the manifest names is missing",
            Self::Interrupted => "the connection was interrupted",
            Self::Unavailable => "the server is unavailable",
            Self::Deadline => "the deadline is near",
            Self::Deferred => "it is put off",
            Self::Invalid => "invalid",
            Self::Unexpected => "unexpected answer",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_reads_from_the_outside_in_and_says_nothing_twice() {
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
    fn the_time_of_the_next_try_ends_the_sentence() {
        let at = Timestamp::from_second(1_790_000_000).unwrap();
        let error = Error::new(Side::Source, Cause::InsufficientPulls, "copy node:21")
            .because("3 are left")
            .with_retry_at(at);
        assert_eq!(
            error.chain(),
            "source: cannot copy node:21: the pulls that are left do not suffice: 3 are left; it is tried again at 2026-09-21T14:13:20Z"
        );
    }

    #[test]
    fn the_pull_limit_passes_but_is_never_hammered() {
        let error = Error::new(Side::Source, Cause::PullLimit, "get manifest");
        assert!(error.is_transient());
        assert!(!error.is_retryable_now());
    }
}
