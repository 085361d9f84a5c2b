//! Where the bytes of one image come from: origins, which are up to date with upstream and count no
//! pulls, and upstream itself.
//!
//! Content is requested and checked by digest, so that it does not matter which registry has it. An
//! origin that fails is asked for nothing more, and upstream takes over. Manifests at Docker Hub are
//! pulled from the pulls that are reserved for this image: its price before the first pull, and
//! everything that an index still lacks before the next.

mod manifests;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::engine::Session;
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::{Blob, Manifest};
use crate::image::platform::{Platform, Platforms};
use crate::image::reference::{ImageRef, RepositoryRef};
use crate::image::subset::{self, subset};
use crate::outcome::Spent;
use crate::plan::Planned;
use crate::registry::{BlobStream, Claim, MAX_RETRIES, Registries, Source};
use crate::settings::Hashing;
use crate::sync::lock;

/// Attempts to read on from an origin that breaks off, without a byte of progress. Upstream is the
/// alternative.
const ORIGIN_TRIES: usize = 1;

/// Where a blob is read.
pub(super) struct Reading {
    source: Source,
    tries: usize,
}

impl Reading {
    /// Requests `blob`, and returns its bytes once the response begins.
    pub(super) async fn begin(&self, blob: &Blob) -> Result<BlobStream, Error> {
        self.source.blob(blob, self.tries).await
    }
}

/// The content of one image, and what reading it has cost.
pub(super) struct UpstreamContent<'a> {
    registries: &'a Registries,
    session: &'a Session,
    image: ImageRef,
    source: Source,
    origins: Mutex<Vec<Arc<OriginRepository>>>,
    claim: Claim<'a>,
    is_metered: bool,
    /// Pulls that are reserved before the first one.
    reserved_pulls: u32,
    /// Pulls that the image costs, as far as is known by now.
    price: AtomicU32,
    sent_bytes: AtomicU64,
}

/// A repository of another registry with the same bytes.
pub(super) struct OriginRepository {
    source: Source,
    repository: RepositoryRef,
    has_failed: AtomicBool,
}

impl OriginRepository {
    /// Content that it lacks says nothing about other content; any other error does.
    fn note_error(&self, error: &Error) {
        if *error.cause() == Cause::NotFound {
            return;
        }
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                origin = %self.repository,
                "the origin is not used any more, upstream takes over: {}",
                error.chain()
            );
        }
    }

    fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

impl<'a> UpstreamContent<'a> {
    /// The content of `planned`. Nothing is requested yet.
    pub(super) fn new(registries: &'a Registries, planned: &Planned, session: &'a Session) -> Self {
        let price = &planned.price;
        let reserved_pulls = match registries.meter().budget() {
            Some(budget) => budget.pulls_to_reserve(price),
            None => price.pulls,
        };
        let image = &planned.request.image;
        let content = Self {
            registries,
            session,
            image: image.clone(),
            source: registries.source(image.repository()),
            origins: Mutex::default(),
            claim: registries.meter().claim(),
            is_metered: planned.is_metered,
            reserved_pulls,
            price: AtomicU32::new(price.pulls),
            sent_bytes: AtomicU64::new(0),
        };
        if let Some(origin) = &planned.origin {
            content.add_origin(origin);
        }
        content
    }

    /// What was spent until now.
    pub(super) fn spent(&self) -> Spent {
        Spent {
            bytes: self.sent_bytes.load(Ordering::Relaxed),
            pulls: self.claim.counted(),
        }
    }

    /// The pulls that the image was estimated to cost, or was found to cost.
    pub(super) fn price(&self) -> u32 {
        self.price.load(Ordering::Relaxed)
    }

    /// Reads from `repository` first from now on.
    pub(super) fn add_origin(&self, repository: &RepositoryRef) {
        let origin = OriginRepository {
            source: self.registries.source(repository),
            repository: repository.clone(),
            has_failed: AtomicBool::new(false),
        };
        let mut origins = lock(&self.origins);
        origins.insert(0, Arc::new(origin));
    }

    /// The origins that have not failed, best first.
    fn origins(&self) -> Vec<Arc<OriginRepository>> {
        let origins = lock(&self.origins);
        let usable = origins.iter().filter(|origin| !origin.has_failed());
        usable.cloned().collect()
    }

    /// Opens connections to the registry that the blobs will come from.
    pub(super) fn prewarm(&self) {
        match self.origins().first() {
            Some(origin) => origin.source.prewarm(),
            None => self.source.prewarm(),
        }
    }

    /// The manifest that was requested of `digest`: itself, or the subset of an index for the chosen
    /// platforms.
    pub(super) async fn requested(
        &self,
        digest: &Digest,
        planned: &Planned,
    ) -> Result<Manifest, Error> {
        let manifest = self.root(digest).await?;
        let platforms = planned.request.platforms();
        if platforms.is_all() {
            return Ok(manifest);
        }
        if let [configuration, ..] = manifest.blobs() {
            self.require_platform(configuration, platforms).await?;
            return Ok(manifest);
        }
        subset(&manifest, platforms).map_err(|missing| self.invalid(missing))
    }

    /// An error if the image with this configuration runs on none of `platforms`. A configuration
    /// without a platform, such as an artifact's, is accepted.
    async fn require_platform(
        &self,
        configuration: &Blob,
        platforms: &Platforms,
    ) -> Result<(), Error> {
        let Some(platform) = self.platform(configuration).await? else {
            return Ok(());
        };
        let required = subset::check_available(platforms, || std::iter::once(&platform));
        required.map_err(|missing| self.invalid(missing))
    }

    fn invalid(&self, why: subset::MissingPlatforms) -> Error {
        let action = format!("copy {}", self.image);
        Error::new(Side::Source, Cause::Invalid, action).because(why)
    }

    /// The platform in an image's configuration; `None` where it states none.
    async fn platform(&self, configuration: &Blob) -> Result<Option<Platform>, Error> {
        for origin in self.origins() {
            match origin.source.small_blob(configuration, ORIGIN_TRIES).await {
                Ok(bytes) => return Ok(Platform::from_configuration(&bytes)),
                Err(error) => origin.note_error(&error),
            }
        }
        let bytes = self.source.small_blob(configuration, MAX_RETRIES).await?;
        Ok(Platform::from_configuration(&bytes))
    }

    /// Calls `put` with the best source of `blob` that can serve it. `put` reads the blob, streams it to
    /// its destination, and returns the number of bytes.
    pub(super) async fn blob<F>(&self, blob: &Blob, put: impl Fn(Reading) -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<u64, Error>>,
    {
        for origin in self.origins() {
            match self
                .blob_from(&origin.source, ORIGIN_TRIES, blob, &put)
                .await
            {
                Err(error) if error.side() == Side::Source => origin.note_error(&error),
                result => return result,
            }
        }
        self.blob_from(&self.source, MAX_RETRIES, blob, &put).await
    }

    async fn blob_from<F>(
        &self,
        source: &Source,
        tries: usize,
        blob: &Blob,
        put: &impl Fn(Reading) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<u64, Error>>,
    {
        let reading = Reading {
            source: source.clone(),
            tries,
        };
        let error = match put(reading).await {
            Ok(bytes) => {
                self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
                return Ok(());
            }
            Err(error) => error,
        };
        // The destination refused the bytes for their digest, and they were not hashed here: reading
        // them once more tells which side has wrong bytes.
        let is_refused = *error.cause() == Cause::Mismatch && error.side() == Side::Destination;
        if is_refused && self.registries.hashing() == Hashing::Destination {
            Box::pin(source.check_blob(blob, tries)).await?;
        }
        Err(error)
    }
}
