//! Where the bytes of one image come from: registries that are level with upstream and count no pulls, and upstream itself.
//!
//! Content is asked for by digest and checked by digest, so that it does not matter who has it. An origin that fails, whatever the
//! way, has fallen: it is asked for nothing more, and upstream takes its place. Manifests of Docker Hub are pulled from what was set
//! aside for this image, and all that an index still lacks is set aside before the first of them is pulled.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use super::Run;
use crate::digest::Digest;
use crate::error::{Cause, Error, Side};
use crate::manifest::{Blob, Manifest};
use crate::plan::Planned;
use crate::platform::Platform;
use crate::reference::{ImageRef, RepositoryRef};
use crate::registry::{BlobStream, Claim, Registries, Source, TRIES, persistently};
use crate::settings::Hashing;
use crate::subset::{self, subset};

/// Manifests that are fetched at once.
const AT_ONCE: usize = 16;
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
    run: &'a Run,
    image: ImageRef,
    source: Source,
    origins: Mutex<Vec<Arc<Origin>>>,
    claim: Claim<'a>,
    is_metered: bool,
    pub(super) pulls: AtomicU64,
    pub(super) bytes: AtomicU64,
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
    /// Sets aside what `planned` costs; an error when that is no longer there.
    pub(super) async fn open(registries: &'a Registries, planned: &Planned, run: &'a Run) -> Result<Self, Error> {
        let claim = registries.meter().claim(planned.price.pulls).await;
        let upstream = Self {
            registries,
            run,
            image: planned.image.clone(),
            source: registries.source(planned.image.repository()),
            origins: Mutex::default(),
            claim: claim.ok_or_else(|| out_of_pulls(&planned.image))?,
            is_metered: planned.is_metered,
            pulls: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        };
        planned.origin.iter().for_each(|origin| upstream.add_origin(origin));
        Ok(upstream)
    }

    /// Takes `repository` for an origin from now on, before the others.
    pub(super) fn add_origin(&self, repository: &RepositoryRef) {
        let source = self.registries.source(repository);
        let origin = Origin { source, repository: repository.clone(), has_fallen: AtomicBool::new(false) };
        self.origins.lock().unwrap_or_else(PoisonError::into_inner).insert(0, Arc::new(origin));
    }

    /// The origins that have not fallen, best first.
    fn origins(&self) -> Vec<Arc<Origin>> {
        let origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        origins.iter().filter(|origin| !origin.has_fallen.load(Ordering::Relaxed)).cloned().collect()
    }

    /// Has connections made to where the blobs will come from.
    pub(super) fn connect_ahead(&self) {
        match self.origins().first() {
            Some(origin) => origin.source.connect_ahead(),
            None => self.source.connect_ahead(),
        }
    }

    /// What is wanted of `digest`: itself, or the part of an index for the platforms that were chosen.
    pub(super) async fn wanted(&self, digest: &Digest, planned: &Planned) -> Result<Manifest, Error> {
        let digests = std::slice::from_ref(digest);
        let missing = self.fetch_from_origins(digests).await;
        self.set_aside(!self.is_metered || self.claim.reach(missing).await)?;
        let manifest = self.fetch(digests).await?.remove(0);
        if planned.platforms.is_all() {
            return Ok(manifest);
        }
        let invalid =
            |missing| Error::new(Side::Source, Cause::Invalid, format!("copy {}", self.image)).because(missing);
        if let [configuration, ..] = manifest.blobs() {
            let platform = self.platform(configuration).await?;
            if let Some(platform) = &platform {
                subset::require(&planned.platforms, || std::iter::once(platform)).map_err(invalid)?;
            }
            return Ok(manifest);
        }
        subset(&manifest, &planned.platforms).map_err(invalid)
    }

    /// The platform that an image's configuration states; `None` where it is no configuration of an image that runs.
    async fn platform(&self, configuration: &Blob) -> Result<Option<Platform>, Error> {
        for origin in self.origins() {
            match origin.source.small_blob(configuration, ORIGIN_TRIES).await {
                Ok(bytes) => return Ok(Platform::of_configuration(&bytes)),
                Err(error) => origin.fall(&error),
            }
        }
        let bytes = self.source.small_blob(configuration, TRIES).await?;
        Ok(Platform::of_configuration(&bytes))
    }

    /// The manifests with these digests, in their order; each is fetched once in a run. Nothing else will be pulled afterwards:
    /// what was set aside beyond that is given back.
    pub(super) async fn manifests(&self, digests: &[Digest]) -> Result<Vec<Manifest>, Error> {
        let missing = self.fetch_from_origins(digests).await;
        self.set_aside(!self.is_metered || self.claim.settle_on(missing).await)?;
        self.fetch(digests).await
    }

    fn set_aside(&self, is_possible: bool) -> Result<(), Error> {
        if is_possible { Ok(()) } else { Err(out_of_pulls(&self.image)) }
    }

    /// Fetches what the origins have, and says how many pulls the rest will cost.
    async fn fetch_from_origins(&self, digests: &[Digest]) -> u32 {
        for origin in self.origins() {
            let fetches = self.missing(digests).map(|digest| self.fetch_from(&origin, digest).boxed());
            stream::iter(fetches.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
        }
        u32::try_from(self.missing(digests).count()).unwrap_or(u32::MAX)
    }

    async fn fetch(&self, digests: &[Digest]) -> Result<Vec<Manifest>, Error> {
        let all = digests.iter().map(|digest| self.manifest(digest).boxed());
        stream::iter(all.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await
    }

    fn missing<'d>(&self, digests: &'d [Digest]) -> impl Iterator<Item = &'d Digest> {
        digests.iter().filter(|digest| !self.run.manifest(self.image.repository(), digest).initialized())
    }

    async fn fetch_from(&self, origin: &Origin, digest: &Digest) {
        if origin.has_fallen.load(Ordering::Relaxed) {
            return;
        }
        let once = self.run.manifest(self.image.repository(), digest);
        let fetch = || async {
            let _turn = self.run.turn(&origin.repository.registry).await;
            origin.source.manifest_once(digest, None).await.map(|(manifest, _)| manifest)
        };
        if let Err(error) = once.get_or_try_init(fetch).await {
            origin.fall(&error);
        }
    }

    async fn manifest(&self, digest: &Digest) -> Result<Manifest, Error> {
        let once = self.run.manifest(self.image.repository(), digest);
        once.get_or_try_init(|| persistently(|| self.pull(digest))).await.cloned()
    }

    async fn pull(&self, digest: &Digest) -> Result<Manifest, Error> {
        let _turn = self.run.turn(&self.image.repository().registry).await;
        let pull = if self.is_metered {
            if let Some(limit) = self.run.pull_limit.get() {
                return Err(limit.clone());
            }
            Some(self.claim.pull().await.ok_or_else(|| out_of_pulls(&self.image))?)
        } else {
            None
        };
        let (manifest, pulls) = self.source.manifest_once(digest, pull).await.inspect_err(|error| {
            if *error.cause() == Cause::PullLimit {
                let _ = self.run.pull_limit.set(error.clone());
            }
        })?;
        self.pulls.fetch_add(pulls, Ordering::Relaxed);
        Ok(manifest)
    }

    /// Has `put` take `blob` from the best source that can give it. `put` begins to read, streams the bytes to where they belong,
    /// and says how many that were.
    pub(super) async fn blob<F>(&self, blob: &Blob, put: impl Fn(Reading) -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<u64, Error>>,
    {
        let copy_from = async |source: &Source, tries| match put(Reading { source: source.clone(), tries }).await {
            Ok(bytes) => {
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                // Nobody has hashed what the destination refuses for its digest: a second read tells which side lied.
                let is_open = *error.cause() == Cause::Mismatch && error.side() == Side::Destination;
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

fn out_of_pulls(image: &ImageRef) -> Error {
    let error = Error::new(Side::Source, Cause::OutOfPulls, format!("copy {image}"));
    error.because("others have spent what it was to cost, or it costs more than was judged")
}
