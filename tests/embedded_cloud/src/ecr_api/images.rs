//! Reading of images: `DescribeImages`, `DescribeImageTags`, `ListImages` and `BatchGetImage`.

use serde_json::{Value, json};

use super::description::{detail, identifier, image, reference, tags};
use super::input::{Input, invalid};
use super::{EcrApi, page};
use crate::ACCOUNT;
use crate::aws::{ActionResult, AwsError};
use crate::registry::{Repository, Stored};

/// The filter of a listing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TagStatus {
    Any,
    Tagged,
    Untagged,
}

impl EcrApi<'_> {
    pub(super) fn describe_images(&self, input: &Value) -> ActionResult {
        let wanted = input.list("imageIds", 100)?;
        let status = TagStatus::read(input)?;
        self.read(input, |name, repository| {
            if wanted.is_empty() {
                let all = repository
                    .manifests
                    .iter()
                    .filter(|(digest, _)| status.admits(repository, digest));
                let details = all.map(|(digest, stored)| detail(name, repository, digest, stored));
                return page::page(details.collect(), input, "imageDetails");
            }
            let found = wanted.iter().map(|id| {
                let (digest, stored) = find(repository, id)?.ok_or_else(|| no_image(name, id))?;
                Ok(detail(name, repository, &digest, stored))
            });
            Ok(json!({ "imageDetails": found.collect::<Result<Vec<_>, AwsError>>()? }))
        })
    }

    /// `DescribeImageTags`, which only ECR Public has.
    pub(crate) fn describe_image_tags(&self, input: &Value) -> ActionResult {
        self.read(input, |_, repository| {
            let details = repository.tags.iter().map(|(tag, digest)| {
                let image = reference(repository, digest, &repository.manifests[digest]);
                json!({ "imageTag": tag, "createdAt": image["imagePushedAt"], "imageDetail": image })
            });
            page::page(details.collect(), input, "imageTagDetails")
        })
    }

    /// One identifier for each tag, and one for each image without any.
    pub(crate) fn list_images(&self, input: &Value) -> ActionResult {
        let status = TagStatus::read(input)?;
        self.read(input, |_, repository| {
            let all = repository
                .manifests
                .keys()
                .filter(|digest| status.admits(repository, digest));
            let identifiers = all.flat_map(|digest| {
                let tags = tags(repository, digest);
                let untagged = tags.is_empty().then(|| identifier(digest, None));
                tags.into_iter()
                    .map(|tag| identifier(digest, Some(tag)))
                    .chain(untagged)
                    .collect::<Vec<_>>()
            });
            page::page(identifiers.collect(), input, "imageIds")
        })
    }

    pub(crate) fn batch_get_image(&self, input: &Value) -> ActionResult {
        let wanted = input.list("imageIds", 100)?;
        self.read(input, |name, repository| {
            let (mut images, mut failures) = (Vec::new(), Vec::new());
            for id in wanted {
                match find(repository, id)? {
                    Some((digest, stored)) => {
                        images.push(image(name, &digest, id.optional("imageTag")?, stored));
                    }
                    None => failures.push(failure(id)),
                }
            }
            Ok(json!({ "images": images, "failures": failures }))
        })
    }
}

/// The image of an identifier: by tag, by digest, or by both if they agree.
pub(super) fn find<'a>(
    repository: &'a Repository,
    id: &Value,
) -> Result<Option<(String, &'a Stored)>, AwsError> {
    let (tag, digest) = (id.optional("imageTag")?, id.optional("imageDigest")?);
    let reference = tag
        .or(digest)
        .ok_or_else(|| invalid("an image identifier needs a tag or a digest"))?;
    let found = repository
        .resolve(reference)
        .filter(|found| digest.is_none_or(|digest| digest == found));
    Ok(found.map(|found| (found.clone(), &repository.manifests[&found])))
}

/// An entry of `failures` for a missing image.
pub(super) fn failure(id: &Value) -> Value {
    json!({ "imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found" })
}

fn no_image(name: &str, id: &Value) -> AwsError {
    let part = |key: &str| id[key].as_str().unwrap_or("null").to_owned();
    let message = format!(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name \
         '{name}' in the registry with id '{ACCOUNT}'",
        part("imageDigest"),
        part("imageTag")
    );
    AwsError::new("ImageNotFoundException", message)
}

impl TagStatus {
    fn read(input: &Value) -> Result<Self, AwsError> {
        let unknown = input["filter"]
            .as_object()
            .and_then(|filter| filter.keys().find(|key| *key != "tagStatus"));
        if let Some(key) = unknown {
            return Err(invalid(format!(
                "a filter by '{key}' is not part of the embedded cloud"
            )));
        }
        match input["filter"].optional("tagStatus")? {
            None | Some("ANY") => Ok(Self::Any),
            Some("TAGGED") => Ok(Self::Tagged),
            Some("UNTAGGED") => Ok(Self::Untagged),
            Some(other) => Err(invalid(format!(
                "'tagStatus' is none of TAGGED, UNTAGGED, ANY: {other}"
            ))),
        }
    }

    fn admits(self, repository: &Repository, digest: &str) -> bool {
        self == Self::Any || (self == Self::Untagged) == tags(repository, digest).is_empty()
    }
}
