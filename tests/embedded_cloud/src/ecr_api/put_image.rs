//! `PutImage`: the rules of a manifest `PUT`, with errors of the API.

use serde_json::{Value, json};

use super::EcrApi;
use super::description::image;
use super::input::{Input, invalid};
use crate::ACCOUNT;
use crate::aws::{ActionResult, AwsError};
use crate::registry::{NewManifest, PutError, Repository, digest_differs, immutable, required};

impl EcrApi<'_> {
    pub(super) fn put_image(&self, input: &Value) -> ActionResult {
        let name = input.required("repositoryName")?;
        let (tag, digest) = (input.optional("imageTag")?, input.optional("imageDigest")?);
        let manifest = input.required("imageManifest")?;
        let media_type = input
            .optional("imageManifestMediaType")?
            .map_or_else(|| named_in(manifest), str::to_owned);
        let new_manifest = NewManifest {
            tag,
            digest,
            media_type: &media_type,
            bytes: manifest.to_owned().into(),
        };
        let now = self.registry.now();
        self.change(name, |repository| {
            refuse_again(name, repository, &new_manifest)?;
            let digest = repository
                .put(&new_manifest, now)
                .map_err(|error| refusal(error, name, digest))?;
            Ok(json!({ "image": image(name, &digest, tag, &repository.manifests[&digest]) }))
        })
    }
}

/// The media type that a manifest contains.
fn named_in(manifest: &str) -> String {
    let document: Value = serde_json::from_str(manifest).unwrap_or_default();
    document["mediaType"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Pushing an existing image under its own tag again is an error of the API, but not of the data
/// plane.
fn refuse_again(
    name: &str,
    repository: &Repository,
    new_manifest: &NewManifest<'_>,
) -> Result<(), AwsError> {
    let digest = crate::digest::of(&new_manifest.bytes);
    let known = repository.manifests.contains_key(&digest);
    let tagged = new_manifest
        .tag
        .is_none_or(|tag| repository.tags.get(tag) == Some(&digest));
    if !(known && tagged) {
        return Ok(());
    }
    let message = format!(
        "Image with digest '{digest}' and tag '{}' already exists in the repository with name '{name}' in registry with \
         id '{ACCOUNT}'",
        new_manifest.tag.unwrap_or("null")
    );
    Err(AwsError::new("ImageAlreadyExistsException", message))
}

fn refusal(error: PutError, name: &str, digest: Option<&str>) -> AwsError {
    match error {
        PutError::TooLarge => {
            invalid("'imageManifest' must have length less than or equal to 4194304")
        }
        PutError::Malformed(why) => invalid(format!(
            "Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{why}'"
        )),
        PutError::DigestMismatch => AwsError::new(
            "ImageDigestDoesNotMatchException",
            digest_differs(digest.unwrap_or_default(), name),
        ),
        PutError::MissingImages(digests) => AwsError::new(
            "ReferencedImagesNotFoundException",
            required("Images", &digests, name),
        ),
        PutError::MissingBlobs(digests) => AwsError::new(
            "LayersNotFoundException",
            required("Layers", &digests, name),
        ),
        PutError::ImmutableTag(tag) => {
            AwsError::new("ImageTagAlreadyExistsException", immutable(&tag, name))
        }
    }
}
