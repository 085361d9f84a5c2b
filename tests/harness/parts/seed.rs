//! Pushes an image to a registry by the distribution protocol, child manifests before their index.
//!
//! It does not use skopeo, which may change the bytes of a manifest.

use std::convert::Infallible;

use embedded_cloud::{Blob, Image};
use futures_util::stream;
use reqwest::{
    Body, Client, RequestBuilder, Url,
    header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION},
};

use super::Distribution;

/// Pushes `image` as `repository:tag`, with a bearer token of the repository's owner.
pub async fn push(
    registry: &Distribution,
    token: &str,
    (repository, tag): (&str, &str),
    image: &Image,
) {
    let seed = Seed {
        client: Client::new(),
        token,
        repository: format!("{}/v2/{repository}", registry.url()),
    };
    for (digest, blob) in image.blobs() {
        seed.put_blob(&digest, blob).await;
    }
    for manifest in image.manifests() {
        let reference = if manifest.digest == image.digest() {
            tag
        } else {
            &manifest.digest
        };
        seed.put_manifest(reference, manifest.media_type, manifest.bytes)
            .await;
    }
}

struct Seed<'a> {
    client: Client,
    token: &'a str,
    repository: String,
}

impl Seed<'_> {
    async fn put_blob(&self, digest: &str, blob: Blob) {
        let started = self
            .send(
                self.client
                    .post(format!("{}/blobs/uploads/", self.repository)),
            )
            .await;
        let location = started.headers()[LOCATION]
            .to_str()
            .expect("a location is text");
        let mut url = Url::parse(location).expect("a location is a URL");
        url.query_pairs_mut().append_pair("digest", digest);
        let size = blob.size();
        let chunks = stream::iter(blob.chunks(0..size).map(Ok::<_, Infallible>));
        self.send(
            self.client
                .put(url)
                .header(CONTENT_LENGTH, size)
                .body(Body::wrap_stream(chunks)),
        )
        .await;
    }

    async fn put_manifest(&self, reference: &str, media_type: String, bytes: impl Into<Body>) {
        let url = format!("{}/manifests/{reference}", self.repository);
        self.send(
            self.client
                .put(url)
                .header(CONTENT_TYPE, media_type)
                .body(bytes),
        )
        .await;
    }

    async fn send(&self, request: RequestBuilder) -> reqwest::Response {
        let response = request
            .bearer_auth(self.token)
            .send()
            .await
            .expect("the registry answers");
        response.error_for_status().expect("the registry accepts")
    }
}
