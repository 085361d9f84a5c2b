//! A value that is made when it is first needed: a token, a credential, a challenge.

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::Error;

/// A value that is made when it is first needed, and made again when it is no longer valid.
pub(crate) struct Renewable<T>(Mutex<State<T>>);

struct State<T> {
    value: Option<T>,
    failure: Option<Failure>,
}

/// The last failure to make the value.
struct Failure {
    error: Error,
    at: Instant,
}

impl<T> Default for Renewable<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            value: None,
            failure: None,
        }))
    }
}

impl<T: Clone> Renewable<T> {
    /// The value. `make` makes it if there is none that `is_valid`.
    ///
    /// Callers that wait while another one makes it share the result, even an error. Otherwise each
    /// would try a silent server again, one after another.
    pub(crate) async fn get<F>(
        &self,
        is_valid: impl Fn(&T) -> bool,
        make: impl FnOnce() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let called_at = Instant::now();
        let mut state = self.0.lock().await;
        if let Some(value) = state.value.as_ref().filter(|value| is_valid(value)) {
            return Ok(value.clone());
        }
        if let Some(failure) = &state.failure
            && failure.at > called_at
        {
            return Err(failure.error.clone());
        }
        // Boxed: this future is seldom needed, and would enlarge that of every request.
        let result = Box::pin(make()).await;
        match &result {
            Ok(value) => {
                state.value = Some(value.clone());
                state.failure = None;
            }
            Err(error) => {
                let error = error.clone();
                let at = Instant::now();
                state.failure = Some(Failure { error, at });
            }
        }
        result
    }

    /// Removes the value if it satisfies `is_outdated`.
    pub(crate) async fn forget(&self, is_outdated: impl Fn(&T) -> bool) {
        let mut state = self.0.lock().await;
        if state.value.as_ref().is_some_and(is_outdated) {
            state.value = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;
    use crate::error::{Cause, Side};

    #[tokio::test(start_paused = true)]
    async fn waiting_callers_share_the_result_and_a_later_caller_tries_again() {
        let value = Renewable::default();
        let tries = AtomicU32::new(0);
        let make = || async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            let tries = tries.fetch_add(1, Ordering::Relaxed) + 1;
            if tries == 1 {
                Err(Error::new(Side::Source, Cause::Interrupted, "make it"))
            } else {
                Ok(tries)
            }
        };
        let get = || value.get(|_| true, make);
        let get_32_times = || join_all(std::iter::repeat_with(get).take(32));

        let begun = Instant::now();
        let first = get_32_times().await;
        assert!(first.iter().all(Result::is_err));
        assert_eq!(begun.elapsed().as_secs(), 30);
        assert_eq!(tries.load(Ordering::Relaxed), 1);

        for result in get_32_times().await {
            assert_eq!(result.unwrap(), 2);
        }
        assert_eq!(tries.load(Ordering::Relaxed), 2);

        value.forget(|held| *held == 1).await;
        assert_eq!(get().await.unwrap(), 2);
        value.forget(|held| *held == 2).await;
        assert_eq!(get().await.unwrap(), 3);
    }
}
