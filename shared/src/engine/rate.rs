//! The rate at which blobs arrive, for estimating which blobs can still arrive in time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::lock;

/// The shortest measurement that gives a rate, since connections start slowly.
const MIN_MEASURED_TIME: Duration = Duration::from_secs(1);
/// The smallest measurement that gives a rate, since small blobs spend their time on round trips.
const MIN_MEASURED_BYTES: u64 = 8_000_000;

/// The rate of all blobs of a session together, over the time in which any was in flight.
#[derive(Default)]
pub(super) struct TransferRate {
    measured: Mutex<Measured>,
}

#[derive(Default)]
struct Measured {
    /// Bytes of blobs that are no longer in flight, whether or not they arrived.
    finished_bytes: u64,
    /// Time of earlier periods in which blobs were in flight.
    finished_time: Duration,
    in_flight: Vec<Arc<Blob>>,
    /// When the current period began; `None` if no blob is in flight.
    in_flight_since: Option<Instant>,
}

struct Blob {
    size_bytes: u64,
    moved_bytes: Arc<AtomicU64>,
}

/// A blob in flight, until this is dropped.
pub(super) struct Transfer<'a> {
    rate: &'a TransferRate,
    blob: Arc<Blob>,
}

impl TransferRate {
    /// Begins the transfer of a blob of this size.
    pub(super) fn begin_transfer(&self, size_bytes: u64) -> Transfer<'_> {
        let blob = Arc::new(Blob {
            size_bytes,
            moved_bytes: Arc::default(),
        });
        let mut measured = self.lock();
        measured.in_flight.push(Arc::clone(&blob));
        measured.in_flight_since.get_or_insert_with(Instant::now);
        Transfer { rate: self, blob }
    }

    /// Bytes that have moved so far.
    pub(super) fn moved_bytes(&self) -> u64 {
        self.lock().moved_bytes()
    }

    /// Estimates the time until the blobs in flight and `size_bytes` more have arrived; `None` if too
    /// little was measured yet.
    pub(super) fn estimate_time(&self, size_bytes: u64) -> Option<Duration> {
        let measured = self.lock();
        let moved_bytes = measured.moved_bytes();
        let time = measured.time();
        if time < MIN_MEASURED_TIME || moved_bytes < MIN_MEASURED_BYTES {
            return None;
        }
        let left_bytes = measured.left_bytes() + size_bytes;
        let milliseconds = time.as_millis() * u128::from(left_bytes);
        let milliseconds = milliseconds / u128::from(moved_bytes);
        let milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX);
        Some(Duration::from_millis(milliseconds))
    }

    fn lock(&self) -> MutexGuard<'_, Measured> {
        lock(&self.measured)
    }
}

impl Measured {
    fn moved_bytes(&self) -> u64 {
        let in_flight = self.in_flight.iter();
        let in_flight: u64 = in_flight.map(|blob| blob.moved_bytes()).sum();
        self.finished_bytes + in_flight
    }

    fn left_bytes(&self) -> u64 {
        let in_flight = self.in_flight.iter();
        in_flight.map(|blob| blob.left_bytes()).sum()
    }

    /// The time in which any blob was in flight.
    fn time(&self) -> Duration {
        match self.in_flight_since {
            Some(since) => self.finished_time + since.elapsed(),
            None => self.finished_time,
        }
    }

    fn finish(&mut self, finished: &Arc<Blob>) {
        self.finished_bytes += finished.moved_bytes();
        self.in_flight.retain(|blob| !Arc::ptr_eq(blob, finished));
        if self.in_flight.is_empty() {
            self.finished_time = self.time();
            self.in_flight_since = None;
        }
    }
}

impl Blob {
    fn moved_bytes(&self) -> u64 {
        self.moved_bytes.load(Relaxed)
    }

    fn left_bytes(&self) -> u64 {
        self.size_bytes.saturating_sub(self.moved_bytes())
    }
}

impl Transfer<'_> {
    /// The counter to which each chunk of the blob is added.
    pub(super) fn counter(&self) -> &Arc<AtomicU64> {
        &self.blob.moved_bytes
    }
}

impl Drop for Transfer<'_> {
    fn drop(&mut self) {
        self.rate.lock().finish(&self.blob);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    /// A rate at which 100 MB took 10 seconds, and after which nothing was in flight for an hour.
    async fn ten_mb_a_second() -> TransferRate {
        let rate = TransferRate::default();
        let transfer = rate.begin_transfer(100 * MB);
        transfer.counter().store(100 * MB, Relaxed);
        tokio::time::advance(Duration::from_secs(10)).await;
        drop(transfer);
        tokio::time::advance(Duration::from_hours(1)).await;
        rate
    }

    #[tokio::test(start_paused = true)]
    async fn too_short_and_too_small_measurements_give_no_estimate() {
        let rate = TransferRate::default();
        let transfer = rate.begin_transfer(100 * MB);
        transfer.counter().store(50 * MB, Relaxed);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(rate.estimate_time(MB), None, "too short");
        transfer.counter().store(8 * MB - 1, Relaxed);
        tokio::time::advance(Duration::from_millis(9_001)).await;
        assert_eq!(rate.estimate_time(MB), None, "too small");
        transfer.counter().store(8 * MB, Relaxed);
        let time_for_93_mb = rate.estimate_time(MB);
        assert_eq!(time_for_93_mb, Some(Duration::from_millis(116_250)));
    }

    #[tokio::test(start_paused = true)]
    async fn time_without_a_blob_in_flight_does_not_count() {
        let rate = ten_mb_a_second().await;
        let time = rate.estimate_time(50 * MB);
        assert_eq!(time, Some(Duration::from_secs(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn blobs_in_flight_arrive_first() {
        let rate = ten_mb_a_second().await;
        let transfer = rate.begin_transfer(40 * MB);
        transfer.counter().store(20 * MB, Relaxed);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(rate.moved_bytes(), 120 * MB);
        let time = rate.estimate_time(50 * MB);
        assert_eq!(time, Some(Duration::from_secs(7)));
    }
}
