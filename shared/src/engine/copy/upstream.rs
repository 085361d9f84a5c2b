//! Where the bytes of one image come from: registries that are level with upstream and count no pulls, and upstream itself.
//!
//! Content is asked for by digest and checked by digest, so that it does not matter who has it. An origin that fails, whatever the
//! way, has fallen: it is asked for nothing more, and upstream takes its place. Manifests of Docker Hub are pulled from what was set
//! aside for this image: its price before the first of them, and all that an index still lacks before the next.

mod manifests;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::Session;
use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::{Blob, Manifest};
use crate::image::platform::Platform;
use crate::image::reference::{ImageRef, RepositoryRef};
use crate::image::subset::{self, subset};
use crate::plan::Planned;
use crate::registry::{BlobStream, Claim, Registries, Source, TRIES};
use crate::settings::Hashing;

/// How often an origin that breaks off is asked to go on, without a byte of progress: there is upstream to ask.
const ORIGIN_TRIES: usize = 1;

/// Where a blob is to be read.
pub(super) struct Reading {
    source: Source,
    tries: usize,
}

impl Reading {
    /// Asks for `blob`, and gives its bytes once the answer begins.
    pub(super) async fn begin(&self, blob: &Blob) -> Result<BlobStream, Error> {
        self.source.blob(blob, self.tries).await
    }
}

/// The upstream of one image, and what was spent on it.
pub(super) struct Upstream<'a> {
    registries: &'a Registries,
    session: &'a Session,
    image: ImageRef,
    source: Source,
    origins: Mutex<Vec<Arc<Origin>>>,
    claim: Claim<'a>,
    is_metered: bool,
    /// What is set aside before the first pull.
    needs: u32,
    /// Pulls that it costs, as far as that is known by now.
    price: AtomicU32,
    bytes: AtomicU64,
}

/// What a copy has spent.
pub(super) struct Spent {
    /// Bytes of blobs that were sent.
    pub(super) bytes: u64,
    /// Pulls that were counted.
    pub(super) pulls: u64,
    /// Pulls that it was judged to cost, or turned out to cost where those were not to be had.
    pub(super) price: u32,
}

/// Another registry with the same bytes.
pub(super) struct Origin {
    source: Source,
    repository: RepositoryRef,
    has_fallen: AtomicBool,
}

impl Origin {
    /// That it lacks one thing says nothing of the others.
    fn fall(&self, error: &Error) {
        if *error.cause() != Cause::NotFound && !self.has_fallen.swap(true, Ordering::Relaxed) {
            tracing::warn!(origin = %self.repository, "upstream takes its place: {}", error.chain());
        }
    }
}

impl<'a> Upstream<'a> {
    /// Where `planned` is copied from. Nothing is asked yet.
    pub(super) fn new(registries: &'a Registries, planned: &Planned, session: &'a Session) -> Self {
        let upstream = Self {
            registries,
            session,
            image: planned.image.clone(),
            source: registries.source(planned.image.repository()),
            origins: Mutex::default(),
            claim: registries.meter().claim(),
            is_metered: planned.is_metered,
            needs: registries
                .meter()
                .budget()
                .map_or(planned.price.pulls, |budget| {
                    budget.pulls_to_reserve(&planned.price)
                }),
            price: AtomicU32::new(planned.price.pulls),
            bytes: AtomicU64::new(0),
        };
        planned
            .origin
            .iter()
            .for_each(|origin| upstream.add_origin(origin));
        upstream
    }

    /// What was spent until now.
    pub(super) fn spent(&self) -> Spent {
        Spent {
            bytes: self.bytes.load(Ordering::Relaxed),
            pulls: self.claim.counted(),
            price: self.price.load(Ordering::Relaxed),
        }
    }

    /// Takes `repository` for an origin from now on, before the others.
    pub(super) fn add_origin(&self, repository: &RepositoryRef) {
        let source = self.registries.source(repository);
        let origin = Origin {
            source,
            repository: repository.clone(),
            has_fallen: AtomicBool::new(false),
        };
        self.origins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(0, Arc::new(origin));
    }

    /// The origins that have not fallen, best first.
    fn origins(&self) -> Vec<Arc<Origin>> {
        let origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        origins
            .iter()
            .filter(|origin| !origin.has_fallen.load(Ordering::Relaxed))
            .cloned()
            .collect()
    }

    /// Has connections made to where the blobs will come from.
    pub(super) fn prewarm(&self) {
        match self.origins().first() {
            Some(origin) => origin.source.prewarm(),
            None => self.source.prewarm(),
        }
    }

    /// What is wanted of `digest`: itself, or the part of an index for the platforms that were chosen.
    pub(super) async fn wanted(
        &self,
        digest: &Digest,
        planned: &Planned,
    ) -> Result<Manifest, Error> {
        let manifest = self.root(digest).await?;
        if planned.platforms.is_all() {
            return Ok(manifest);
        }
        let invalid = |missing| {
            Error::new(Side::Source, Cause::Invalid, format!("copy {}", self.image))
                .because(missing)
        };
        if let [configuration, ..] = manifest.blobs() {
            let platform = self.platform(configuration).await?;
            if let Some(platform) = &platform {
                subset::check_available(&planned.platforms, || std::iter::once(platform))
                    .map_err(invalid)?;
            }
            return Ok(manifest);
        }
        subset(&manifest, &planned.platforms).map_err(invalid)
    }

    /// The platform that an image's configuration states; `None` where it is no configuration of an image that runs.
    async fn platform(&self, configuration: &Blob) -> Result<Option<Platform>, Error> {
        for origin in self.origins() {
            match origin.source.small_blob(configuration, ORIGIN_TRIES).await {
                Ok(bytes) => return Ok(Platform::from_configuration(&bytes)),
                Err(error) => origin.fall(&error),
            }
        }
        let bytes = self.source.small_blob(configuration, TRIES).await?;
        Ok(Platform::from_configuration(&bytes))
    }

    /// Has `put` take `blob` from the best source that can give it. `put` begins to read, streams the bytes to where they belong,
    /// and says how many that were.
    pub(super) async fn blob<F>(&self, blob: &Blob, put: impl Fn(Reading) -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<u64, Error>>,
    {
        let copy_from = async |source: &Source, tries| match put(Reading {
            source: source.clone(),
            tries,
        })
        .await
        {
            Ok(bytes) => {
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                // Nobody has hashed what the destination refuses for its digest: a second read tells which side lied.
                let is_open =
                    *error.cause() == Cause::Mismatch && error.side() == Side::Destination;
                if is_open && self.registries.hashing() == Hashing::Destination {
                    Box::pin(source.check_blob(blob, tries)).await?;
                }
                Err(error)
            }
        };
        for origin in self.origins() {
            match copy_from(&origin.source, ORIGIN_TRIES).await {
                Err(error) if error.side() == Side::Source => origin.fall(&error),
                result => return result,
            }
        }
        copy_from(&self.source, TRIES).await
    }
}
