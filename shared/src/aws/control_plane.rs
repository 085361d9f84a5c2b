//! What the control planes of ECR and ECR Public have in common.

use super::Mutability;
use crate::image::digest::Digest;
use crate::plan::survey::RepositoryTags;

/// The most layers that one call checks (`BatchedOperationLayerDigestList` in ECR's API model).
pub const MAX_LAYERS_PER_CALL: usize = 100;

/// The most images that one page of `DescribeImages` has.
pub(super) const PAGE_SIZE: i32 = 1000;

/// The resource tag of a new repository: its key.
pub(super) const CREATED_BY_KEY: &str = "created-by";
/// The resource tag of a new repository: its value.
pub(super) const CREATED_BY_VALUE: &str = "image-replicator";

/// A repository that can be pushed to.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// Which of its tags may move.
    pub mutability: Mutability,
    /// Whether it was created just now, so that it is empty.
    pub is_new: bool,
}

/// Who created a repository.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Created {
    /// This call: it is empty.
    Now,
    /// Somebody else, such as another worker, between the two calls.
    ByOthers,
}

/// Adds the tags of one image to `repository_tags`.
pub(super) fn add_image(
    repository_tags: &mut RepositoryTags,
    digest: Option<&str>,
    image_tags: &[String],
) {
    let Some(Ok(digest)) = digest.map(str::parse::<Digest>) else {
        return;
    };
    for tag in image_tags {
        repository_tags.insert(tag.clone(), digest.clone());
    }
}
