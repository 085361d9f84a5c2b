//! `BatchCheckLayerAvailability`.

use serde_json::{Value, json};

use super::EcrApi;
use super::input::Input;
use crate::aws::ActionResult;
use crate::digest;
use crate::media;

impl EcrApi<'_> {
    pub(super) fn check_layers(&self, input: &Value) -> ActionResult {
        let wanted = input.list("layerDigests", 100)?;
        self.read(input, |_, repository| {
            let (legal, illegal): (Vec<_>, Vec<_>) = wanted.iter().filter_map(Value::as_str).partition(|digest| digest::is_digest(digest));
            let layers = legal.into_iter().map(|digest| self.layer(digest, repository.blobs.contains(digest)));
            let failures = illegal.into_iter().map(|digest| {
                json!({ "layerDigest": digest, "failureCode": "InvalidLayerDigest", "failureReason": "Invalid layer digest" })
            });
            Ok(json!({ "layers": layers.collect::<Vec<_>>(), "failures": failures.collect::<Vec<_>>() }))
        })
    }

    fn layer(&self, digest: &str, here: bool) -> Value {
        match self
            .registry
            .config()
            .shared
            .pool
            .get(digest)
            .filter(|_| here)
        {
            None => json!({ "layerDigest": digest, "layerAvailability": "UNAVAILABLE" }),
            Some(blob) => json!({
                "layerDigest": digest,
                "layerAvailability": "AVAILABLE",
                "layerSize": blob.size(),
                "mediaType": media::DOCKER_LAYER,
            }),
        }
    }
}
