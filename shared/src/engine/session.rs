//! What the copies of one run share: a deadline, and what is known to be there already.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::known_content::KnownContent;
use super::rate::{OnItsWay, Rate};
use crate::aws::Mutability;
use crate::cache::PerKey;
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::reference::RepositoryRef;
use crate::outcome::state::ResourceTags;

/// A unit of the memory that blobs take while they are read.
const UNIT_BYTES: u64 = 256 * 1024;
/// What all blobs of more than a unit may take together.
const UNITS: usize = 24;
/// What one of them takes at the most: two chunks as they come from the connection, and what is held back.
const UNITS_OF_ONE: u64 = 4;
/// Blobs of a unit at the most that are read at once.
const SMALL_BLOBS: usize = 8;
/// Questions to destinations at once. Each of them may open a connection, which is kept.
const QUESTIONS: usize = 32;
/// Manifests that are fetched from one registry at once.
const FETCHES: usize = 24;
/// Manifests that are remembered at once: a few megabytes at the most.
const MANIFESTS: usize = 1000;
/// What is left of an invocation's time to record and to answer.
const MARGIN: Duration = Duration::from_secs(10);

/// One run: an invocation, or a call of the command line.
pub struct Session {
    deadline: Option<Instant>,
    /// Docker Hub's pull limit, once somebody ran into it: asking again would only be refused again.
    pub(super) pull_limit: OnceLock<Error>,
    /// Memory for large blobs that are being read, and places for small ones.
    memory: Arc<Semaphore>,
    small_blobs: Arc<Semaphore>,
    questions: Semaphore,
    fetches: PerKey<String, Semaphore>,
    pub(super) known_content: KnownContent,
    rate: Rate,
    /// Whether a control plane does not know [`Repository::layers`](crate::aws::Repository::layers).
    pub(super) asks_one_by_one: AtomicBool,
    prepared: PerKey<RepositoryRef, OnceCell<Mutability>>,
    blobs: PerKey<(RepositoryRef, Digest), OnceCell<()>>,
    manifests: PerKey<(RepositoryRef, Digest), OnceCell<Manifest>>,
    pulled: PerKey<(RepositoryRef, Digest), Semaphore>,
    states: Mutex<HashMap<RepositoryRef, ResourceTags>>,
    /// Registries of origins that could not be reached.
    down: Mutex<HashSet<String>>,
}

impl Session {
    /// A run that starts nothing after `deadline` and breaks off what goes on then.
    pub fn new(deadline: Option<Instant>) -> Self {
        Self {
            deadline,
            pull_limit: OnceLock::new(),
            memory: Arc::new(Semaphore::new(UNITS)),
            small_blobs: Arc::new(Semaphore::new(SMALL_BLOBS)),
            questions: Semaphore::new(QUESTIONS),
            fetches: PerKey::default(),
            known_content: KnownContent::default(),
            rate: Rate::default(),
            asks_one_by_one: AtomicBool::new(false),
            prepared: PerKey::default(),
            blobs: PerKey::default(),
            manifests: PerKey::default(),
            pulled: PerKey::default(),
            states: Mutex::default(),
            down: Mutex::default(),
        }
    }

    /// A run of an invocation that ends at `deadline`.
    ///
    /// It stops early enough to record and to answer: ten seconds before, or a fifth of the time where that is less. A deadline
    /// in the past is an emulator's (`cargo lambda watch`) and means none.
    pub fn until(deadline: SystemTime, now: SystemTime) -> Self {
        let left = deadline
            .duration_since(now)
            .ok()
            .filter(|left| !left.is_zero());
        let left = left.map(|left| left.saturating_sub(MARGIN.min(left / 5)));
        Self::new(left.and_then(|left| Instant::now().checked_add(left)))
    }

    /// The same, which now ends at `end` at the latest.
    pub fn end_by(&mut self, end: Instant) {
        self.deadline = Some(self.deadline.map_or(end, |deadline| deadline.min(end)));
    }

    /// Bytes of blobs sent so far, those of failed attempts included.
    pub fn moved_bytes(&self) -> u64 {
        self.rate.moved_bytes()
    }

    /// Whether the deadline has passed.
    pub fn is_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Lets `pause` go by, or what is left of the time, and says whether the time is over.
    pub(super) async fn is_over_after(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        tokio::time::sleep_until(self.deadline.map_or(end, |deadline| deadline.min(end))).await;
        self.is_over()
    }

    /// `work`, or an error that says on which side and at what `action` the deadline came first.
    pub(super) async fn in_time<T>(
        &self,
        side: Side,
        action: impl FnOnce() -> String,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(deadline) = self.deadline else {
            return work.await;
        };
        let late = |_| Err(Error::new(side, Cause::Deadline, action()));
        tokio::time::timeout_at(deadline, work)
            .await
            .unwrap_or_else(late)
    }

    /// Waits for room for a blob of this size; whoever waited longest comes first. A few large ones fill the line, and small ones
    /// spend their time on questions and answers beside them: neither kind waits for the other.
    pub(super) async fn room(&self, size_bytes: u64) -> OwnedSemaphorePermit {
        let units =
            u32::try_from(size_bytes.div_ceil(UNIT_BYTES).clamp(1, UNITS_OF_ONE)).unwrap_or(1);
        let room = if units == 1 {
            &self.small_blobs
        } else {
            &self.memory
        };
        Arc::clone(room)
            .acquire_many_owned(units)
            .await
            .expect("the semaphore is never closed")
    }

    /// Waits for a turn to ask a destination, which lasts as long as what this gives.
    pub(super) async fn question(&self) -> SemaphorePermit<'_> {
        self.questions
            .acquire()
            .await
            .expect("the semaphore is never closed")
    }

    /// Waits for a turn to fetch a manifest from `registry`, which lasts as long as what this gives.
    pub(super) async fn turn(&self, registry: &str) -> OwnedSemaphorePermit {
        let fetches = self
            .fetches
            .get(registry.to_owned(), || Semaphore::new(FETCHES));
        fetches
            .acquire_owned()
            .await
            .expect("the semaphore is never closed")
    }

    /// Lets a blob of this size set out; `None` when it cannot arrive before the deadline, at the rate at which others did.
    pub(super) fn set_out(&self, size_bytes: u64) -> Option<OnItsWay<'_>> {
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let is_late = left
            .zip(self.rate.time_for(size_bytes))
            .is_some_and(|(left, time)| time > left);
        (!is_late).then(|| self.rate.set_out(size_bytes))
    }

    pub(super) fn prepared(&self, repository: &RepositoryRef) -> Arc<OnceCell<Mutability>> {
        self.prepared.get(repository.clone(), OnceCell::new)
    }

    pub(super) fn blob(&self, repository: &RepositoryRef, digest: &Digest) -> Arc<OnceCell<()>> {
        self.blobs
            .get((repository.clone(), digest.clone()), OnceCell::new)
    }

    /// The manifest of a source: tags that share it, and destinations that want it, pull it once. Whoever has it keeps it, even when so
    /// many are known that they are forgotten.
    pub(super) fn manifest(
        &self,
        repository: &RepositoryRef,
        digest: &Digest,
    ) -> Arc<OnceCell<Manifest>> {
        self.manifests.empty_at(MANIFESTS);
        self.manifests
            .get((repository.clone(), digest.clone()), OnceCell::new)
    }

    /// Waits until nobody else copies this image, under another tag perhaps. That lasts as long as what this gives.
    pub(super) async fn turn_to_pull(
        &self,
        repository: &RepositoryRef,
        digest: &Digest,
    ) -> OwnedSemaphorePermit {
        let turn = self
            .pulled
            .get((repository.clone(), digest.clone()), || Semaphore::new(1));
        turn.acquire_owned()
            .await
            .expect("the semaphore is never closed")
    }

    /// Keeps the resource tags of `repository` as they were seen.
    pub(super) fn remember(&self, repository: &RepositoryRef, tags: &ResourceTags) {
        self.states
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(repository.clone(), tags.clone());
    }

    /// The resource tags of `repository`, where they were seen in this run.
    pub(super) fn remembered(&self, repository: &RepositoryRef) -> Option<ResourceTags> {
        self.states
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(repository)
            .cloned()
    }

    /// Takes note that an origin's registry cannot be reached, so that not every image waits for it.
    pub(super) fn is_down_now(&self, registry: &str) {
        self.down
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(registry.to_owned());
    }

    pub(super) fn is_down(&self, registry: &str) -> bool {
        self.down
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(registry)
    }

    /// Forgets what `repository` holds.
    pub(super) fn distrust(&self, repository: &RepositoryRef) {
        self.known_content.distrust(repository);
        self.blobs.retain(|(known, _)| known != repository);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// Takes room for blobs of this size as long as there is some.
    fn fill(session: &Session, size_bytes: u64) -> Vec<OwnedSemaphorePermit> {
        std::iter::from_fn(|| session.room(size_bytes).now_or_never()).collect()
    }

    #[test]
    fn large_and_small_blobs_wait_for_their_own_kind_alone() {
        let session = Session::new(None);
        let mut large = fill(&session, 1 << 30);
        assert_eq!((large.len(), fill(&session, 2 * UNIT_BYTES).len()), (6, 0));
        let small = fill(&session, UNIT_BYTES);
        assert_eq!((small.len(), fill(&session, 1).len()), (SMALL_BLOBS, 0));
        large.pop();
        assert_eq!(
            (
                fill(&session, 2 * UNIT_BYTES).len(),
                fill(&session, 1).len()
            ),
            (2, 0)
        );
    }
}
