//! Error texts of ECR, shared by its data plane and its API.

use crate::ACCOUNT;

/// `RepositoryNotFoundException`.
pub(crate) fn no_such_repository(name: &str) -> String {
    format!("The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'")
}

/// `AccessDeniedException`.
pub(crate) fn not_authorized(action: &str, repository: &str) -> String {
    format!(
        "User: arn:aws:sts::{ACCOUNT}:assumed-role/replicator/test is not authorized to perform: {action} on resource: \
         repository/{repository} because no identity-based policy allows the {action} action"
    )
}

/// `LayersNotFoundException` and `ReferencedImagesNotFoundException`
/// (int128/docker-manifest-create-action#63).
pub(crate) fn required(what: &str, digests: &[String], repository: &str) -> String {
    format!(
        "{what} with digests '[{}]' required for pushing image into repository with name '{repository}' in the registry \
         with id '{ACCOUNT}' do not exist",
        digests.join(", ")
    )
}

/// `ImageDigestDoesNotMatchException` (google/go-containerregistry#1568).
pub(crate) fn digest_differs(digest: &str, repository: &str) -> String {
    format!(
        "The image with digest '{digest}' in repository '{repository}' and registry ID '{ACCOUNT}' does not match the \
         image digest that Amazon ECR has calculated."
    )
}

/// `ImageTagAlreadyExistsException`.
pub(crate) fn immutable(tag: &str, repository: &str) -> String {
    format!(
        "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten because the \
         tag is immutable."
    )
}
