//! How fast blobs arrive, to tell what can still arrive in time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What was measured in less time or of fewer bytes than this says nothing: connections begin slowly, and small blobs spend their
/// time on questions and answers.
const ENOUGH: (Duration, u64) = (Duration::from_secs(1), 8_000_000);

/// The rate of all blobs of a run together, over the time in which some were on their way.
#[derive(Default)]
pub(super) struct Rate(Mutex<Measured>);

#[derive(Default)]
struct Measured {
    /// Bytes that moved for blobs which are no longer on their way, arrived or not.
    moved_bytes: u64,
    on_their_way: Vec<Arc<Blob>>,
    since: Option<Instant>,
    busy: Duration,
}

struct Blob {
    size_bytes: u64,
    moved_bytes: Arc<AtomicU64>,
}

/// A blob on its way, until it is dropped.
pub(super) struct OnItsWay<'a> {
    rate: &'a Rate,
    blob: Arc<Blob>,
}

impl Rate {
    /// A blob sets out.
    pub(super) fn set_out(&self, size_bytes: u64) -> OnItsWay<'_> {
        let blob = Arc::new(Blob {
            size_bytes,
            moved_bytes: Arc::default(),
        });
        let mut measured = self.measured();
        measured.on_their_way.push(Arc::clone(&blob));
        measured.since.get_or_insert_with(Instant::now);
        OnItsWay { rate: self, blob }
    }

    /// Bytes that have moved so far.
    pub(super) fn moved_bytes(&self) -> u64 {
        self.measured().moved_bytes()
    }

    /// How long it takes until what is on its way and `size_bytes` more have arrived; `None` while too little was measured.
    pub(super) fn time_for(&self, size_bytes: u64) -> Option<Duration> {
        let measured = self.measured();
        let (busy, moved_bytes) = (measured.busy(), measured.moved_bytes());
        if busy < ENOUGH.0 || moved_bytes < ENOUGH.1 {
            return None;
        }
        let left_bytes: u64 = measured
            .on_their_way
            .iter()
            .map(|blob| blob.left_bytes())
            .sum();
        let milliseconds =
            busy.as_millis() * u128::from(left_bytes + size_bytes) / u128::from(moved_bytes);
        Some(Duration::from_millis(
            u64::try_from(milliseconds).unwrap_or(u64::MAX),
        ))
    }

    fn measured(&self) -> MutexGuard<'_, Measured> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Measured {
    fn moved_bytes(&self) -> u64 {
        self.moved_bytes
            + self
                .on_their_way
                .iter()
                .map(|blob| blob.moved_bytes.load(Relaxed))
                .sum::<u64>()
    }

    fn busy(&self) -> Duration {
        self.busy + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Blob {
    fn left_bytes(&self) -> u64 {
        self.size_bytes
            .saturating_sub(self.moved_bytes.load(Relaxed))
    }
}

impl OnItsWay<'_> {
    /// What counts the blob's bytes.
    pub(super) fn counter(&self) -> &Arc<AtomicU64> {
        &self.blob.moved_bytes
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        let mut measured = self.rate.measured();
        measured.moved_bytes += self.blob.moved_bytes.load(Relaxed);
        measured
            .on_their_way
            .retain(|blob| !Arc::ptr_eq(blob, &self.blob));
        if measured.on_their_way.is_empty() {
            measured.busy = measured.busy();
            measured.since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    #[tokio::test(start_paused = true)]
    async fn the_rate_counts_time_in_which_something_moves_and_what_is_on_its_way_comes_first() {
        let rate = Rate::default();
        let first = rate.set_out(100 * MB);
        first.counter().store(5 * MB, Relaxed);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(rate.time_for(MB), None, "too early to tell");
        tokio::time::advance(Duration::from_millis(9_500)).await;
        assert_eq!(rate.time_for(MB), None, "too little to tell");
        first.counter().store(100 * MB, Relaxed);
        drop(first);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(rate.time_for(50 * MB), Some(Duration::from_secs(5)));
        let second = rate.set_out(40 * MB);
        second.counter().store(20 * MB, Relaxed);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(
            (rate.moved_bytes(), rate.time_for(50 * MB)),
            (120 * MB, Some(Duration::from_secs(7)))
        );
    }
}
