//! Reading a repository.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use reqwest::header::{ACCEPT as ACCEPT_HEADER, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response};

use super::{ANSWER, Remote, persistently};
use crate::digest::Digest;
use crate::error::{Cause, Error};
use crate::manifest::{ACCEPT, Blob, MAX_MANIFEST_BYTES, Manifest};
use crate::reference::DOCKER_HUB;

/// A repository that is read.
pub struct Source<'a>(pub(super) Remote<'a>);

/// A blob on its way.
pub type BlobStream = BoxStream<'static, Result<Bytes, Error>>;

impl<'a> Source<'a> {
    pub(super) fn new(remote: Remote<'a>) -> Self {
        Self(remote)
    }

    /// The digest of `tag`, by a HEAD, which Docker Hub does not count as a pull.
    ///
    /// A registry that names no digest in its answer is asked for the manifest itself, except Docker Hub, where that would cost.
    pub async fn digest(&self, tag: &str) -> Result<Digest, Error> {
        let action = format!("find {}:{tag}", self.0.repository);
        let response = self.0.ask(&action, Method::HEAD, &format!("manifests/{tag}"), accept).await?;
        match response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok()) {
            Some(text) => text.parse().map_err(|error| self.0.error(Cause::Unexpected, &action).because(error)),
            None if self.0.repository.registry == DOCKER_HUB => {
                Err(self.0.error(Cause::Unexpected, &action).because("Docker Hub named no digest"))
            }
            None => Ok(self.fetch(tag).await?.0.digest),
        }
    }

    /// The manifest with this digest, checked, and how many pulls it cost: one where the answer carries a quota.
    pub async fn manifest(&self, digest: &Digest) -> Result<(Manifest, u64), Error> {
        let (manifest, pulls) = self.fetch(digest.as_str()).await?;
        if manifest.digest == *digest {
            return Ok((manifest, pulls));
        }
        let error = self.0.error(Cause::Mismatch, &format!("get manifest {digest}"));
        Err(error.because(format!("the bytes have digest {}", manifest.digest)))
    }

    async fn fetch(&self, reference: &str) -> Result<(Manifest, u64), Error> {
        let action = format!("get manifest {}@{reference}", self.0.repository);
        let url = self.0.url(&format!("manifests/{reference}"))?;
        let fetch = || async {
            let response = self.0.send(&action, &url, |http| accept(http.get(url.clone()).timeout(ANSWER))).await?;
            let pulls = u64::from(response.headers().contains_key("ratelimit-remaining"));
            let served_as = content_type(response.headers());
            let bytes = self.read(&action, response).await?;
            let manifest = Manifest::parse(bytes, served_as.as_deref());
            Ok((manifest.map_err(|error| self.0.error(Cause::Invalid, &action).because(error))?, pulls))
        };
        persistently(fetch).await
    }

    async fn read(&self, action: &str, mut response: Response) -> Result<Bytes, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.0.interrupted(action, error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_MANIFEST_BYTES {
                let why = format!("it has more than {MAX_MANIFEST_BYTES} bytes");
                return Err(self.0.error(Cause::Invalid, action).because(why));
            }
        }
        Ok(body.into())
    }

    /// The bytes of `blob` as they arrive, unchecked.
    pub async fn blob(&self, blob: &Blob) -> Result<BlobStream, Error> {
        let action = format!("get blob {}", blob.digest);
        let url = self.0.url(&format!("blobs/{}", blob.digest))?;
        // The answer has to begin in time; from then on the stream's reader watches for silence.
        let answer = tokio::time::timeout(ANSWER, self.0.send(&action, &url, |http| http.get(url.clone()))).await;
        let response =
            answer.map_err(|_| self.0.error(Cause::Interrupted, &action).because("no answer began in time"))??;
        let side = self.0.side;
        let stream = response.bytes_stream().map(move |chunk| {
            chunk.map_err(|error| Error::new(side, Cause::Interrupted, action.clone()).because(error.without_url()))
        });
        Ok(stream.boxed())
    }
}

/// Tells all kinds of manifest that are copied.
pub(super) fn accept(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    request.header(ACCEPT_HEADER, HeaderValue::from_str(&ACCEPT.join(", ")).expect("media types are plain ASCII"))
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
