//! Reading a repository.

mod tags;

use bytes::Bytes;
use futures_util::StreamExt;
use http::Method;
use http::header::{
    ACCEPT as ACCEPT_HEADER, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE,
};

use super::blob::BlobStream;
use super::{Fault, Remote, Shared, verified, with_retries};
use crate::error::{Cause, Error};
use crate::image::digest::Digest;
use crate::image::manifest::{ACCEPT, Blob, MAX_MANIFEST_BYTES, Manifest, is_index};
use crate::image::reference::DOCKER_HUB;
use crate::plan::survey::UpstreamTag;
use crate::registry::limits::meter::Pull;
use crate::registry::transport::{Request, Response};
use crate::settings::Hashing;

/// Connections that are prewarmed for the first image at a registry: an image has about five layers.
const PREWARMED_CONNECTIONS: usize = 5;
/// Docker Hub sends this header if it counts a GET of the manifest as a pull. A HEAD is not counted.
const METERED_HEADER: &str = "ratelimit-remaining";

/// A repository that is read.
#[derive(Clone)]
pub struct Source {
    pub(super) remote: Remote,
}

impl Source {
    pub(super) fn new(remote: Remote) -> Self {
        Self { remote }
    }

    /// Opens connections while the first manifest of a copy is in flight, for the requests after it.
    pub(crate) fn prewarm(&self) {
        let Shared {
            endpoints,
            transport,
            ..
        } = &*self.remote.registries;
        if let Ok(base) = endpoints.base(&self.remote.repository.registry) {
            transport.prewarm(&base, PREWARMED_CONNECTIONS);
        }
    }

    /// What `tag` points to, or whether the content of `pin` exists: a HEAD, which Docker Hub does
    /// not count as a pull.
    ///
    /// If the response to a HEAD of a tag has no digest, the manifest itself is fetched, except from
    /// Docker Hub, where that costs a pull.
    pub async fn seen(&self, tag: &str, pin: Option<&Digest>) -> Result<UpstreamTag, Error> {
        with_retries(|| self.seen_once(tag, pin)).await
    }

    /// The same without retries.
    pub(crate) async fn seen_once(
        &self,
        tag: &str,
        pin: Option<&Digest>,
    ) -> Result<UpstreamTag, Error> {
        let Some(pin) = pin else {
            return self.tagged(tag).await;
        };
        let action = format!("find {}@{pin}", self.remote.repository);
        let headers = self.head(&action, pin.as_str()).await?;
        Ok(upstream_tag(pin.clone(), &headers))
    }

    async fn tagged(&self, tag: &str) -> Result<UpstreamTag, Error> {
        let action = format!("find {}:{tag}", self.remote.repository);
        let headers = self.head(&action, tag).await?;
        if let Some(digest) = text(&headers, "docker-content-digest") {
            let digest = digest.parse().map_err(|error| {
                let unexpected = self.remote.error(Cause::Unexpected, &action);
                unexpected.because(error)
            })?;
            return Ok(upstream_tag(digest, &headers));
        }
        if self.remote.repository.registry == DOCKER_HUB {
            let error = self.remote.error(Cause::Unexpected, &action);
            return Err(error.because("the response of Docker Hub has no digest"));
        }
        let manifest = self.fetch_manifest(tag, None).await?;
        Ok(UpstreamTag {
            is_index: Some(manifest.is_index()),
            size_bytes: Some(manifest.bytes.len() as u64),
            ..manifest.digest.into()
        })
    }

    async fn head(&self, action: &str, reference: &str) -> Result<HeaderMap, Error> {
        let request = self.manifest_request(Method::HEAD, reference)?;
        let response = self.remote.send(action, &request).await?;
        Ok(response.headers().clone())
    }

    fn manifest_request(&self, method: Method, reference: &str) -> Result<Request, Error> {
        let tail = format!("manifests/{reference}");
        let request = self.remote.request(method, &tail)?;
        Ok(accepting(request))
    }

    /// The manifest with this digest, verified. Without retries.
    ///
    /// `pull` is in flight until the response starts. It was counted if the response has a quota.
    pub(crate) async fn manifest_once(
        &self,
        digest: &Digest,
        pull: Option<Pull<'_>>,
    ) -> Result<Manifest, Error> {
        let manifest = self.fetch_manifest(digest.as_str(), pull).await?;
        if manifest.digest == *digest {
            return Ok(manifest);
        }
        let action = format!("get manifest {}@{digest}", self.remote.repository);
        let mismatch = self.remote.error(Cause::Mismatch, &action);
        let found = manifest.digest;
        Err(mismatch.because(format!("the source sent bytes with digest {found}")))
    }

    async fn fetch_manifest(
        &self,
        reference: &str,
        pull: Option<Pull<'_>>,
    ) -> Result<Manifest, Error> {
        let action = format!("get manifest {}@{reference}", self.remote.repository);
        let request = self.manifest_request(Method::GET, reference)?;
        let response = self.remote.send(&action, &request).await?;
        if let Some(pull) = pull {
            let is_counted = response.headers().contains_key(METERED_HEADER);
            pull.answered(is_counted);
        }
        let served_as = content_type(response.headers());
        let bytes = self.read(&action, response, MAX_MANIFEST_BYTES).await?;
        Manifest::parse(bytes, served_as.as_deref()).map_err(|error| {
            let invalid = self.remote.error(Cause::Invalid, &action);
            invalid.because(error)
        })
    }

    /// The bytes of `blob`, verified: for small ones, such as an image's configuration. `retries` as
    /// for [`Source::blob`].
    pub async fn small_blob(&self, blob: &Blob, retries: usize) -> Result<Bytes, Error> {
        if blob.size_bytes > MAX_MANIFEST_BYTES as u64 {
            let invalid = self.blob_error(Cause::Invalid, blob);
            return Err(invalid.because(format!("it has more than {MAX_MANIFEST_BYTES} bytes")));
        }
        let mut bytes = Vec::new();
        let mut stream = self.hashed(blob, retries).await?;
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes.into())
    }

    /// Reads `blob` to verify its digest, and drops the bytes. `retries` as for [`Source::blob`].
    pub(crate) async fn check_blob(&self, blob: &Blob, retries: usize) -> Result<(), Error> {
        let mut stream = self.hashed(blob, retries).await?;
        while let Some(chunk) = stream.next().await {
            chunk?;
        }
        Ok(())
    }

    async fn hashed(&self, blob: &Blob, retries: usize) -> Result<BlobStream, Error> {
        let bytes = self.blob(blob, retries).await?;
        let verified = verified(bytes, blob.clone(), Hashing::Here, Fault::default());
        Ok(verified.boxed())
    }

    async fn read(
        &self,
        action: &str,
        mut response: Response,
        max_bytes: usize,
    ) -> Result<Bytes, Error> {
        let mut body = Vec::new();
        let broken = |failure| self.remote.unanswered(action, failure);
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            body.extend_from_slice(&chunk);
            if body.len() > max_bytes {
                let why = format!("the response has more than {max_bytes} bytes");
                return Err(self.remote.error(Cause::Invalid, action).because(why));
            }
        }
        Ok(body.into())
    }

    /// The response to a GET of `blob`, with a range from the byte `first` if that is above zero.
    /// Without retries.
    pub(crate) async fn blob_once(&self, blob: &Blob, first: u64) -> Result<Response, Error> {
        let tail = format!("blobs/{}", blob.digest);
        let request = self.remote.request(Method::GET, &tail)?;
        let mut request = request.blob(blob.size_bytes);
        if first > 0 {
            let range = format!("bytes={first}-");
            let range = HeaderValue::try_from(range).expect("a number is plain ASCII");
            request = request.header(RANGE, range);
        }
        self.remote.send(&self.blob_action(blob), &request).await
    }

    fn blob_action(&self, blob: &Blob) -> String {
        format!("get blob {} from {}", blob.digest, self.remote.repository)
    }

    /// An error of reading `blob`.
    pub(crate) fn blob_error(&self, cause: Cause, blob: &Blob) -> Error {
        self.remote.error(cause, &self.blob_action(blob))
    }
}

fn upstream_tag(digest: Digest, headers: &HeaderMap) -> UpstreamTag {
    let length = text(headers, CONTENT_LENGTH.as_str());
    UpstreamTag {
        digest,
        is_index: content_type(headers).as_deref().and_then(is_index),
        size_bytes: length.and_then(|length| length.parse().ok()),
        is_metered: headers.contains_key(METERED_HEADER),
    }
}

/// Adds the `Accept` header with all media types of manifests that are copied.
pub(crate) fn accepting(request: Request) -> Request {
    let media_types = ACCEPT.join(", ");
    let media_types = HeaderValue::try_from(media_types).expect("media types are plain ASCII");
    request.header(ACCEPT_HEADER, media_types)
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    text(headers, CONTENT_TYPE.as_str()).map(str::to_owned)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?;
    value.to_str().ok()
}
