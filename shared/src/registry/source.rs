//! Reading a repository.

mod tags;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use http::Method;
use http::header::{
    ACCEPT as ACCEPT_HEADER, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE,
};

use super::{Fault, Remote, Shared, persistently, verified};
use crate::error::{Cause, Error};
use crate::image::digest::Digest;
use crate::image::manifest::{ACCEPT, Blob, MAX_MANIFEST_BYTES, Manifest, is_index};
use crate::image::reference::DOCKER_HUB;
use crate::plan::survey::UpstreamTag;
use crate::registry::blob::reader::Reader;
use crate::registry::limits::meter::Pull;
use crate::registry::transport::{Request, Response};
use crate::settings::Hashing;

/// Connections that are made to a registry when the first image is about to be copied from or to it: an image has some five layers.
const AHEAD: usize = 5;
/// An answer about a manifest with this header was counted, or would have been; a HEAD is free.
const METERED: &str = "ratelimit-remaining";

/// A repository that is read.
#[derive(Clone)]
pub struct Source(pub(super) Remote);

/// A blob on its way.
pub type BlobStream = BoxStream<'static, Result<Bytes, Error>>;

impl Source {
    pub(super) fn new(remote: Remote) -> Self {
        Self(remote)
    }

    /// Connects while a copy's first manifest is on its way, for the requests that come after it.
    pub(crate) fn prewarm(&self) {
        let Shared {
            endpoints,
            transport,
            ..
        } = &*self.0.registries;
        if let Ok(base) = endpoints.base(&self.0.repository.registry) {
            transport.prewarm(&base, AHEAD);
        }
    }

    /// What `tag` stands for, or whether there is what is pinned by `pin`: by a HEAD, which Docker Hub does not count as a pull.
    ///
    /// A registry that names no digest of a tag is asked for the manifest itself, except Docker Hub, where that would cost.
    pub async fn seen(&self, tag: &str, pin: Option<&Digest>) -> Result<UpstreamTag, Error> {
        persistently(|| self.seen_once(tag, pin)).await
    }

    /// The same, asked once.
    pub(crate) async fn seen_once(
        &self,
        tag: &str,
        pin: Option<&Digest>,
    ) -> Result<UpstreamTag, Error> {
        let Some(pin) = pin else {
            return self.tagged(tag).await;
        };
        let headers = self
            .head(&format!("find {}@{pin}", self.0.repository), pin.as_str())
            .await?;
        Ok(seen(pin.clone(), &headers))
    }

    async fn tagged(&self, tag: &str) -> Result<UpstreamTag, Error> {
        let action = format!("find {}:{tag}", self.0.repository);
        let headers = self.head(&action, tag).await?;
        match text(&headers, "docker-content-digest") {
            Some(digest) => {
                let digest = digest
                    .parse()
                    .map_err(|error| self.0.error(Cause::Unexpected, &action).because(error))?;
                Ok(seen(digest, &headers))
            }
            None if self.0.repository.registry == DOCKER_HUB => Err(self
                .0
                .error(Cause::Unexpected, &action)
                .because("Docker Hub named no digest")),
            None => {
                let manifest = self.fetch(tag, None).await?;
                let (is_index, size_bytes) = (manifest.is_index(), manifest.bytes.len() as u64);
                Ok(UpstreamTag {
                    is_index: Some(is_index),
                    size_bytes: Some(size_bytes),
                    ..manifest.digest.into()
                })
            }
        }
    }

    async fn head(&self, action: &str, reference: &str) -> Result<HeaderMap, Error> {
        let request = self
            .0
            .request(Method::HEAD, &format!("manifests/{reference}"))?;
        let response = self.0.send(action, &accepting(request)).await?;
        Ok(response.headers().clone())
    }

    /// The manifest with this digest, checked.
    ///
    /// Asks once. `pull` is on its way until the answer begins, which was counted where it carries a quota.
    pub(crate) async fn manifest_once(
        &self,
        digest: &Digest,
        pull: Option<Pull<'_>>,
    ) -> Result<Manifest, Error> {
        let manifest = self.fetch(digest.as_str(), pull).await?;
        if manifest.digest == *digest {
            return Ok(manifest);
        }
        let error = self
            .0
            .error(Cause::Mismatch, &format!("get manifest {digest}"));
        Err(error.because(format!("the bytes have digest {}", manifest.digest)))
    }

    async fn fetch(&self, reference: &str, pull: Option<Pull<'_>>) -> Result<Manifest, Error> {
        let action = format!("get manifest {}@{reference}", self.0.repository);
        let request = self
            .0
            .request(Method::GET, &format!("manifests/{reference}"))?;
        let response = self.0.send(&action, &accepting(request)).await?;
        if let Some(pull) = pull {
            pull.answered(response.headers().contains_key(METERED));
        }
        let served_as = content_type(response.headers());
        let bytes = self.read(&action, response, MAX_MANIFEST_BYTES).await?;
        let manifest = Manifest::parse(bytes, served_as.as_deref());
        manifest.map_err(|error| self.0.error(Cause::Invalid, &action).because(error))
    }

    /// The bytes of `blob`, checked: for small ones, such as an image's configuration. `tries` as for [`Source::blob`].
    pub async fn small_blob(&self, blob: &Blob, tries: usize) -> Result<Bytes, Error> {
        let action = format!("get blob {}", blob.digest);
        if blob.size_bytes > MAX_MANIFEST_BYTES as u64 {
            return Err(self
                .0
                .error(Cause::Invalid, &action)
                .because("it is larger than any configuration"));
        }
        let mut bytes = Vec::new();
        let mut stream = self.hashed(blob, tries).await?;
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes.into())
    }

    /// Reads `blob` for nothing but its digest: an error where the bytes are others. `tries` as for [`Source::blob`].
    pub(crate) async fn check_blob(&self, blob: &Blob, tries: usize) -> Result<(), Error> {
        self.hashed(blob, tries)
            .await?
            .try_for_each(async |_| Ok(()))
            .await
    }

    async fn hashed(&self, blob: &Blob, tries: usize) -> Result<BlobStream, Error> {
        Ok(verified(
            self.blob(blob, tries).await?,
            blob.clone(),
            Hashing::Here,
            Fault::default(),
        )
        .boxed())
    }

    async fn read(
        &self,
        action: &str,
        mut response: Response,
        most_bytes: usize,
    ) -> Result<Bytes, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.0.unanswered(action, error))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > most_bytes {
                let why = format!("it has more than {most_bytes} bytes");
                return Err(self.0.error(Cause::Invalid, action).because(why));
            }
        }
        Ok(body.into())
    }

    /// The bytes of `blob` as they arrive, unchecked. An answer that breaks off is read on from there: `tries` times at most
    /// without a byte of progress.
    pub async fn blob(&self, blob: &Blob, tries: usize) -> Result<BlobStream, Error> {
        Reader::open(self.clone(), blob.clone(), tries)
            .await
            .map(Reader::into_stream)
    }

    /// The answer to a GET of `blob`, from the byte `first` on where that is not the first of all. Asks once.
    pub(crate) async fn blob_once(&self, blob: &Blob, first: u64) -> Result<Response, Error> {
        let action = format!("get blob {}", blob.digest);
        let mut request = self
            .0
            .request(Method::GET, &format!("blobs/{}", blob.digest))?
            .blob(blob.size_bytes);
        if first > 0 {
            let rest =
                HeaderValue::try_from(format!("bytes={first}-")).expect("a number is plain ASCII");
            request = request.header(RANGE, rest);
        }
        self.0.send(&action, &request).await
    }
}

fn seen(digest: Digest, headers: &HeaderMap) -> UpstreamTag {
    UpstreamTag {
        digest,
        is_index: content_type(headers).as_deref().and_then(is_index),
        size_bytes: text(headers, CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok()),
        is_metered: headers.contains_key(METERED),
    }
}

/// Tells all kinds of manifest that are copied.
pub(crate) fn accepting(request: Request) -> Request {
    request.header(
        ACCEPT_HEADER,
        HeaderValue::from_str(&ACCEPT.join(", ")).expect("media types are plain ASCII"),
    )
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    text(headers, CONTENT_TYPE.as_str()).map(str::to_owned)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
