//! Retries: which failures, how often, and after which delay.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use crate::error::Error;

/// The longest `Retry-After` that is waited for within one invocation.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);
/// How often an attempt that failed is repeated.
pub(crate) const MAX_RETRIES: usize = 5;

/// Runs `attempt`, and again while its error is retryable: at most [`MAX_RETRIES`] times, with
/// jitter, and never sooner than the server's `Retry-After`. There is no retry if that is longer than
/// one minute.
///
/// Retries go around a whole verb and never within one, so that they do not multiply.
pub(crate) async fn with_retries<T, F>(attempt: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    attempt
        .retry(backoff(MAX_RETRIES))
        .when(Error::is_retryable_now)
        .adjust(|error, planned| delay(error, planned?))
        .notify(|error, delay| tracing::debug!(delay_ms = delay.as_millis(), "retrying: {error}"))
        .await
}

/// The delays of up to `retries` retries: each longer than the one before, with jitter.
pub(crate) fn backoff(retries: usize) -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(retries)
}

/// The delay before a retry: `planned`, or the server's `Retry-After` if that is longer. `None` if it
/// is longer than one minute.
pub(crate) fn delay(error: &Error, planned: Duration) -> Option<Duration> {
    let retry_after = error.retry_after().unwrap_or_default();
    if retry_after > MAX_RETRY_AFTER {
        return None;
    }
    Some(planned.max(retry_after))
}
