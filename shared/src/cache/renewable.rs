//! What is made when it is first needed, while all others wait for it: tokens, credentials, challenges.

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::Error;

/// A value that is made when it is first needed, and again when it is no longer good.
pub(crate) struct Renewable<T>(Mutex<Held<T>>);

struct Held<T> {
    value: Option<T>,
    /// Why it could not be made last, and when that was known.
    failure: Option<(Error, Instant)>,
}

impl<T> Default for Renewable<T> {
    fn default() -> Self {
        Self(Mutex::new(Held {
            value: None,
            failure: None,
        }))
    }
}

impl<T: Clone> Renewable<T> {
    /// The value, where there is one that `is_good`, else what `make` makes.
    ///
    /// Whoever waits while another makes it shares what comes of that, an error too: at a server that is silent each would else wait
    /// for as long again, one after another.
    pub(crate) async fn get<F>(
        &self,
        is_good: impl Fn(&T) -> bool,
        make: impl FnOnce() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let asked = Instant::now();
        let mut held = self.0.lock().await;
        if let Some(value) = held.value.as_ref().filter(|value| is_good(value)) {
            return Ok(value.clone());
        }
        if let Some((error, _)) = held.failure.as_ref().filter(|(_, known)| *known > asked) {
            return Err(error.clone());
        }
        // Boxed: what is seldom made should not make every request larger.
        let result = Box::pin(make()).await;
        match &result {
            Ok(value) => {
                *held = Held {
                    value: Some(value.clone()),
                    failure: None,
                }
            }
            Err(error) => held.failure = Some((error.clone(), Instant::now())),
        }
        result
    }

    /// Forgets the value, where it is the one that `is_it` knows.
    pub(crate) async fn forget(&self, is_it: impl Fn(&T) -> bool) {
        let mut held = self.0.lock().await;
        if held.value.as_ref().is_some_and(is_it) {
            held.value = None;
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
    async fn those_who_wait_share_what_comes_and_a_later_one_tries_again() {
        let (value, tries) = (Renewable::default(), AtomicU32::new(0));
        let make = || async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            let tries = tries.fetch_add(1, Ordering::Relaxed) + 1;
            if tries == 1 {
                Err(Error::new(Side::Source, Cause::Interrupted, "ask"))
            } else {
                Ok(tries)
            }
        };
        let ask = || value.get(|_| true, make);
        let begun = Instant::now();
        assert!(
            join_all((0..32).map(|_| ask()))
                .await
                .iter()
                .all(Result::is_err)
        );
        assert_eq!(
            (begun.elapsed().as_secs(), tries.load(Ordering::Relaxed)),
            (30, 1)
        );
        let later: Vec<u32> = join_all((0..32).map(|_| ask()))
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!((later, tries.load(Ordering::Relaxed)), (vec![2; 32], 2));
        value.forget(|held| *held == 1).await;
        assert_eq!(ask().await.unwrap(), 2);
        value.forget(|held| *held == 2).await;
        assert_eq!(ask().await.unwrap(), 3);
    }
}
