//! The one error of the library: which side, cannot what, why, and whether a retry helps.
//!
//! `Display` says this level only; [`Error::chain`] is for the boundary that answers, which prints it once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Something that could not be done.
#[derive(Clone, Debug)]
pub struct Error {
    side: Side,
    action: String,
    cause: Cause,
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
    /// Docker Hub's pull limit: nothing helps but the window moving on.
    PullLimit,
    /// Too many requests in a short time; `retry_after` is what the server asked for.
    TooManyRequests {
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
    PutOff,
    /// What was asked for makes no sense, or is not supported.
    Invalid,
    /// The server answered what no rule here foresees.
    Unexpected,
}

impl Error {
    /// An error on `side`, with `action` completing "cannot …".
    pub fn new(side: Side, cause: Cause, action: impl Into<String>) -> Self {
        Self { side, action: action.into(), cause, source: None }
    }

    /// The same error with what brought it about.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
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
            Cause::PullLimit
            | Cause::TooManyRequests { .. }
            | Cause::MissingContent
            | Cause::Interrupted
            | Cause::Unavailable
            | Cause::Deadline
            | Cause::PutOff => true,
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
    pub fn is_worth_a_retry_now(&self) -> bool {
        matches!(self.cause, Cause::TooManyRequests { .. } | Cause::Interrupted | Cause::Unavailable)
    }

    /// A stable name for alarms and for the `errorType` of a function, such as `Source.NotFound`.
    pub fn name(&self) -> String {
        let cause = format!("{:?}", self.cause);
        let cause = cause.split_once(' ').map_or(cause.as_str(), |(name, _)| name);
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
            Self::PullLimit => "the pull rate limit is reached",
            Self::TooManyRequests { .. } => "too many requests",
            Self::Immutable => "the tag is immutable and stands for another digest",
            Self::Mismatch => "the bytes do not match their digest",
            Self::MissingContent => "content that the manifest names is missing",
            Self::Interrupted => "the connection was interrupted",
            Self::Unavailable => "the server is unavailable",
            Self::Deadline => "the deadline is near",
            Self::PutOff => "it is put off",
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
        let error = Error::new(Side::Source, Cause::Interrupted, "get blob sha256:5b0b").because(inner);
        assert_eq!(error.to_string(), "source: cannot get blob sha256:5b0b: the connection was interrupted");
        assert_eq!(
            error.chain(),
            "source: cannot get blob sha256:5b0b: the connection was interrupted: connection reset by peer"
        );
    }

    #[test]
    fn the_pull_limit_passes_but_is_never_hammered() {
        let error = Error::new(Side::Source, Cause::PullLimit, "get manifest");
        assert!(error.is_transient());
        assert!(!error.is_worth_a_retry_now());
    }
}
