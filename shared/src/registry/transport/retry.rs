//! What is tried again, how often, and after how long.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use crate::error::Error;

/// The longest wait that a server can ask for within one invocation.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// How often something that failed is tried again.
pub(crate) const TRIES: usize = 5;

/// Tries again while that is worth it, around a whole verb and never within one, so that tries do not multiply: five times at most,
/// with jitter, never sooner than the server asked, and not at all when the server asked for more than a minute.
pub(crate) async fn persistently<T, F>(attempt: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    attempt
        .retry(patience(TRIES))
        .when(Error::is_retryable_now)
        .adjust(|error, planned| as_asked(error, planned?))
        .notify(|error, wait| tracing::debug!(wait_ms = wait.as_millis(), "trying again: {error}"))
        .await
}

/// How often something is tried again after a failure, and how long that waits: longer each time, with jitter.
pub(crate) fn patience(tries: usize) -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(tries)
}

/// The wait that was `planned`, or the longer one that the server asked for; `None` when it asked for more than a minute.
pub(crate) fn as_asked(error: &Error, planned: Duration) -> Option<Duration> {
    let asked = error.retry_after().unwrap_or_default();
    (asked <= LONGEST_WAIT).then(|| planned.max(asked))
}
