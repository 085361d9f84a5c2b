//! What the copies of one invocation share: a deadline, limits on concurrent work, and what is known
//! already.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::known_content::KnownContent;
use super::rate::{Transfer, TransferRate};
use crate::aws::Mutability;
use crate::cache::PerKey;
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::reference::RepositoryRef;
use crate::outcome::state::ResourceTags;
use crate::sync::lock;

/// A unit of the memory that blobs take while they are read.
const UNIT_BYTES: u64 = 256 * 1024;
/// Units that all blobs larger than one unit may take together.
const MAX_UNITS: usize = 24;
/// Units that one blob takes at most: two chunks as they arrive, and the held-back chunk.
const MAX_UNITS_OF_ONE_BLOB: u64 = 4;
/// Blobs of at most one unit that are read concurrently.
const MAX_CONCURRENT_SMALL_BLOBS: usize = 8;
/// Requests to destinations that are in flight concurrently. Each may open a connection, which is
/// kept.
const MAX_CONCURRENT_DESTINATION_REQUESTS: usize = 32;
/// Manifests that are fetched from one registry concurrently.
const MAX_CONCURRENT_FETCHES: usize = 24;
/// Manifests that are kept: a few megabytes at most.
const MAX_KEPT_MANIFESTS: usize = 1000;
/// The part of an invocation's time that is reserved for recording and responding.
const MARGIN: Duration = Duration::from_secs(10);

/// What one invocation, or one call of the command line, shares.
pub struct Session {
    deadline: Option<Instant>,
    /// An end before the deadline, set once the survey is made.
    earlier_end: OnceLock<Instant>,
    /// Docker Hub's pull limit, once it was met: every further pull would be refused as well.
    pub(super) pull_limit: OnceLock<Error>,
    /// Memory for large blobs that are being read.
    memory: Arc<Semaphore>,
    small_blobs: Arc<Semaphore>,
    destination_requests: Semaphore,
    fetches: PerKey<String, Semaphore>,
    pub(super) known_content: KnownContent,
    rate: TransferRate,
    /// Whether [`Repository::layers`](crate::aws::Repository::layers) failed: blobs are then checked
    /// one by one.
    pub(super) checks_one_by_one: AtomicBool,
    prepared: PerKey<RepositoryRef, OnceCell<Mutability>>,
    blobs: PerKey<(RepositoryRef, Digest), OnceCell<()>>,
    manifests: PerKey<(RepositoryRef, Digest), OnceCell<Manifest>>,
    image_turns: PerKey<(RepositoryRef, Digest), Semaphore>,
    resource_tags: Mutex<HashMap<RepositoryRef, ResourceTags>>,
    /// Registries of origins that could not be reached.
    down: Mutex<HashSet<String>>,
}

impl Session {
    /// A session that ends at `deadline`: work in progress is cancelled, and none is started.
    pub fn new(deadline: Option<Instant>) -> Self {
        Self {
            deadline,
            earlier_end: OnceLock::new(),
            pull_limit: OnceLock::new(),
            memory: Arc::new(Semaphore::new(MAX_UNITS)),
            small_blobs: Arc::new(Semaphore::new(MAX_CONCURRENT_SMALL_BLOBS)),
            destination_requests: Semaphore::new(MAX_CONCURRENT_DESTINATION_REQUESTS),
            fetches: PerKey::default(),
            known_content: KnownContent::default(),
            rate: TransferRate::default(),
            checks_one_by_one: AtomicBool::new(false),
            prepared: PerKey::default(),
            blobs: PerKey::default(),
            manifests: PerKey::default(),
            image_turns: PerKey::default(),
            resource_tags: Mutex::default(),
            down: Mutex::default(),
        }
    }

    /// The session of an invocation that Lambda ends at `deadline`.
    ///
    /// It ends early enough to record and to respond: ten seconds before, or a fifth of the remaining
    /// time if that is less. A deadline in the past comes from an emulator (`cargo lambda watch`) and
    /// means no deadline.
    pub fn until(deadline: SystemTime, now: SystemTime) -> Self {
        let Ok(left) = deadline.duration_since(now) else {
            return Self::new(None);
        };
        if left.is_zero() {
            return Self::new(None);
        }
        let margin = MARGIN.min(left / 5);
        let usable = left.saturating_sub(margin);
        let end = Instant::now().checked_add(usable);
        Self::new(end)
    }

    /// Ends the session at `end` at the latest. Only the first call counts.
    pub(super) fn end_by(&self, end: Instant) {
        let _ = self.earlier_end.set(end);
    }

    fn end(&self) -> Option<Instant> {
        let ends = [self.deadline, self.earlier_end.get().copied()];
        ends.into_iter().flatten().min()
    }

    /// Bytes of blobs sent so far, those of failed attempts included.
    pub fn moved_bytes(&self) -> u64 {
        self.rate.moved_bytes()
    }

    /// Whether the session has ended.
    pub fn is_over(&self) -> bool {
        self.end().is_some_and(|end| Instant::now() >= end)
    }

    /// Waits for `pause`, or until the session ends, and returns whether it has ended.
    pub(super) async fn is_over_after(&self, pause: Duration) -> bool {
        let pause_end = Instant::now() + pause;
        let wait_until = match self.end() {
            Some(end) => end.min(pause_end),
            None => pause_end,
        };
        tokio::time::sleep_until(wait_until).await;
        self.is_over()
    }

    /// The result of `work`, or a deadline error for `side` and `action` if the session ends first.
    pub(super) async fn in_time<T>(
        &self,
        side: Side,
        action: impl FnOnce() -> String,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(end) = self.end() else {
            return work.await;
        };
        let deadline_error = || Error::new(side, Cause::Deadline, action());
        let result = tokio::time::timeout_at(end, work).await;
        result.unwrap_or_else(|_| Err(deadline_error()))
    }

    /// Waits for memory to read a blob of this size; the longest waiting blob comes first.
    ///
    /// A few large blobs use the whole bandwidth, while small blobs spend their time on round trips.
    /// Each kind has memory of its own, so that neither waits for the other.
    pub(super) async fn memory_for(&self, size_bytes: u64) -> OwnedSemaphorePermit {
        let units = size_bytes
            .div_ceil(UNIT_BYTES)
            .clamp(1, MAX_UNITS_OF_ONE_BLOB);
        let units = u32::try_from(units).unwrap_or(1);
        let semaphore = match units {
            1 => &self.small_blobs,
            _ => &self.memory,
        };
        let permit = Arc::clone(semaphore).acquire_many_owned(units).await;
        permit.expect("the semaphore is never closed")
    }

    /// Waits for a turn to send a request to a destination. The turn lasts as long as the permit.
    pub(super) async fn destination_turn(&self) -> SemaphorePermit<'_> {
        let permit = self.destination_requests.acquire().await;
        permit.expect("the semaphore is never closed")
    }

    /// Waits for a turn to fetch a manifest from `registry`. The turn lasts as long as the permit.
    pub(super) async fn fetch_turn(&self, registry: &str) -> OwnedSemaphorePermit {
        let key = registry.to_owned();
        let new = || Semaphore::new(MAX_CONCURRENT_FETCHES);
        let semaphore = self.fetches.get(key, new);
        let permit = semaphore.acquire_owned().await;
        permit.expect("the semaphore is never closed")
    }

    /// Waits until no other tag of the same image is being copied. The turn lasts as long as the
    /// permit.
    pub(super) async fn image_turn(
        &self,
        repository: &RepositoryRef,
        digest: &Digest,
    ) -> OwnedSemaphorePermit {
        let key = (repository.clone(), digest.clone());
        let semaphore = self.image_turns.get(key, || Semaphore::new(1));
        let permit = semaphore.acquire_owned().await;
        permit.expect("the semaphore is never closed")
    }

    /// Begins the transfer of a blob of this size; `None` if it cannot arrive before the session ends,
    /// at the rate of the other blobs.
    pub(super) fn begin_transfer(&self, size_bytes: u64) -> Option<Transfer<'_>> {
        if let Some(end) = self.end()
            && let Some(needed) = self.rate.estimate_time(size_bytes)
        {
            let left = end.saturating_duration_since(Instant::now());
            if needed > left {
                return None;
            }
        }
        Some(self.rate.begin_transfer(size_bytes))
    }

    /// The mutability of `repository`, once it was prepared for writing.
    pub(super) fn prepared(&self, repository: &RepositoryRef) -> Arc<OnceCell<Mutability>> {
        self.prepared.get(repository.clone(), OnceCell::new)
    }

    /// The cell that is set once the blob is in `repository`: it is sent once, however many images
    /// have it.
    pub(super) fn blob(&self, repository: &RepositoryRef, digest: &Digest) -> Arc<OnceCell<()>> {
        let key = (repository.clone(), digest.clone());
        self.blobs.get(key, OnceCell::new)
    }

    /// The cell for a manifest of a source: tags and targets that share it pull it once. To bound
    /// memory all kept manifests are dropped at times; a cell that a caller holds stays valid.
    pub(super) fn manifest(
        &self,
        repository: &RepositoryRef,
        digest: &Digest,
    ) -> Arc<OnceCell<Manifest>> {
        self.manifests.empty_at(MAX_KEPT_MANIFESTS);
        let key = (repository.clone(), digest.clone());
        self.manifests.get(key, OnceCell::new)
    }

    /// Keeps the resource tags of `repository` as they were read.
    pub(super) fn remember(&self, repository: &RepositoryRef, tags: &ResourceTags) {
        let mut kept = lock(&self.resource_tags);
        kept.insert(repository.clone(), tags.clone());
    }

    /// The resource tags of `repository`, if they were read in this session.
    pub(super) fn remembered(&self, repository: &RepositoryRef) -> Option<ResourceTags> {
        let kept = lock(&self.resource_tags);
        kept.get(repository).cloned()
    }

    /// Notes that an origin's registry cannot be reached, so that not every image waits for it.
    pub(super) fn set_down(&self, registry: &str) {
        let mut down = lock(&self.down);
        down.insert(registry.to_owned());
    }

    pub(super) fn is_down(&self, registry: &str) -> bool {
        let down = lock(&self.down);
        down.contains(registry)
    }

    /// Forgets what `repository` has.
    pub(super) fn distrust(&self, repository: &RepositoryRef) {
        self.known_content.forget(repository);
        self.blobs.retain(|(known, _)| known != repository);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// Takes all memory that is free for blobs of this size.
    fn fill(session: &Session, size_bytes: u64) -> Vec<OwnedSemaphorePermit> {
        let take = || session.memory_for(size_bytes).now_or_never();
        std::iter::from_fn(take).collect()
    }

    #[test]
    fn large_and_small_blobs_wait_only_for_their_own_kind() {
        let session = Session::new(None);
        let mut large = fill(&session, 1 << 30);
        assert_eq!(large.len(), 6);
        assert_eq!(fill(&session, 2 * UNIT_BYTES).len(), 0);
        let small = fill(&session, UNIT_BYTES);
        assert_eq!(small.len(), MAX_CONCURRENT_SMALL_BLOBS);
        assert_eq!(fill(&session, 1).len(), 0);
        large.pop();
        assert_eq!(fill(&session, 2 * UNIT_BYTES).len(), 2);
        assert_eq!(fill(&session, 1).len(), 0);
    }
}
