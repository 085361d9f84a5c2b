//! `PutImage`: the rules of a manifest `PUT`, with errors of the API.

use serde_json::{Value, json};

use super::Desk;
use super::description::image;
use super::input::{Input, invalid};
use crate::ACCOUNT;
use crate::aws::{Answer, AwsError};
use crate::registry::{Deposit, PutError, Repository, digest_differs, immutable, required};

impl Desk<'_> {
    pub(super) fn put_image(&self, input: &Value) -> Answer {
        let name = input.required("repositoryName")?;
        let (tag, digest) = (input.optional("imageTag")?, input.optional("imageDigest")?);
        let manifest = input.required("imageManifest")?;
        let media_type = input
            .optional("imageManifestMediaType")?
            .map_or_else(|| named_in(manifest), str::to_owned);
        let deposit = Deposit {
            tag,
            digest,
            media_type: &media_type,
            bytes: manifest.to_owned().into(),
        };
        let now = self.registry.now();
        self.change(name, |repository| {
            refuse_again(name, repository, &deposit)?;
            let digest = repository
                .put(&deposit, now)
                .map_err(|error| refusal(error, name, digest))?;
            Ok(json!({ "image": image(name, &digest, tag, &repository.manifests[&digest]) }))
        })
    }
}

/// The media type that a manifest names itself.
fn named_in(manifest: &str) -> String {
    let document: Value = serde_json::from_str(manifest).unwrap_or_default();
    document["mediaType"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// An image that is there already under the same tag is an error of the API, though not over HTTP.
fn refuse_again(
    name: &str,
    repository: &Repository,
    deposit: &Deposit<'_>,
) -> Result<(), AwsError> {
    let digest = crate::digest::of(&deposit.bytes);
    let known = repository.manifests.contains_key(&digest);
    let tagged = deposit
        .tag
        .is_none_or(|tag| repository.tags.get(tag) == Some(&digest));
    if !(known && tagged) {
        return Ok(());
    }
    let message = format!(
        "Image with digest '{digest}' and tag '{}' already exists in the repository with name '{name}' in registry with \
         id '{ACCOUNT}'",
        deposit.tag.unwrap_or("null")
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
