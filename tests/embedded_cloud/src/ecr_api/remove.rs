//! `BatchDeleteImage`.

use serde_json::{Value, json};

use super::EcrApi;
use super::description::{identifier, tags};
use super::images::{failure, find};
use super::input::Input;
use crate::aws::{ActionResult, AwsError};
use crate::registry::Repository;

impl EcrApi<'_> {
    pub(super) fn delete_images(&self, input: &Value) -> ActionResult {
        let wanted = input.list("imageIds", 100)?;
        self.change(input.required("repositoryName")?, |repository| {
            let (mut removed, mut failures) = (Vec::new(), Vec::new());
            for id in wanted {
                match delete(repository, id)? {
                    Ok(identifiers) => removed.extend(identifiers),
                    Err(failure) => failures.push(failure),
                }
            }
            Ok(json!({ "imageIds": removed, "failures": failures }))
        })
    }
}

/// A tag identifier removes the tag, and the image with its last tag. A digest removes the image
/// with all its tags.
fn delete(repository: &mut Repository, id: &Value) -> Result<Result<Vec<Value>, Value>, AwsError> {
    let Some((digest, _)) = find(repository, id)? else {
        return Ok(Err(failure(id)));
    };
    let all: Vec<String> = tags(repository, &digest)
        .into_iter()
        .map(str::to_owned)
        .collect();
    let going = match id.optional("imageTag")? {
        Some(tag) if all.len() > 1 => vec![tag.to_owned()],
        _ if is_child(repository, &digest) => return Ok(Err(referenced(id))),
        _ => {
            repository.manifests.remove(&digest);
            all
        }
    };
    repository.tags.retain(|tag, _| !going.contains(tag));
    let untagged = going.is_empty().then(|| identifier(&digest, None));
    Ok(Ok(going
        .iter()
        .map(|tag| identifier(&digest, Some(tag)))
        .chain(untagged)
        .collect()))
}

fn is_child(repository: &Repository, digest: &str) -> bool {
    repository.manifests.values().any(|stored| {
        stored
            .needs()
            .manifests
            .iter()
            .any(|child| child.digest == digest)
    })
}

fn referenced(id: &Value) -> Value {
    json!({
        "imageId": id,
        "failureCode": "ImageReferencedByManifestList",
        "failureReason": "Requested image referenced by manifest list",
    })
}
