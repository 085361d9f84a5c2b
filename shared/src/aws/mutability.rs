//! Which tags of a repository may move.

use aws_sdk_ecr::types::{ImageTagMutability, Repository};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Which existing tags of a repository may move to another digest; by default all of them.
#[derive(Clone, Debug, Default)]
pub struct Mutability {
    is_immutable: bool,
    /// Tags for which the opposite is true.
    exceptions: GlobSet,
}

impl Mutability {
    /// Reads `imageTagMutability` and its exclusion filters, whose only wildcard is `*`.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html>.
    pub(super) fn from_sdk(repository: &Repository) -> Self {
        let is_immutable = matches!(
            repository.image_tag_mutability(),
            Some(ImageTagMutability::Immutable | ImageTagMutability::ImmutableWithExclusion)
        );
        let mut exceptions = GlobSetBuilder::new();
        for filter in repository.image_tag_mutability_exclusion_filters() {
            if let Ok(pattern) = GlobBuilder::new(filter.filter()).build() {
                exceptions.add(pattern);
            }
        }
        Self {
            is_immutable,
            exceptions: exceptions.build().unwrap_or_default(),
        }
    }

    /// Whether the existing `tag` may move to another digest.
    pub fn lets_move(&self, tag: &str) -> bool {
        self.is_immutable == self.exceptions.is_match(tag)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecr::types::{
        ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType,
    };

    use super::*;

    fn mutability(mode: ImageTagMutability, filters: &[&str]) -> Mutability {
        let filter = |text: &&str| {
            let filter = ImageTagMutabilityExclusionFilter::builder().filter(*text);
            filter
                .filter_type(ImageTagMutabilityExclusionFilterType::Wildcard)
                .build()
                .unwrap()
        };
        let filters = Some(filters.iter().map(filter).collect());
        let repository = Repository::builder()
            .image_tag_mutability(mode)
            .set_image_tag_mutability_exclusion_filters(filters);
        Mutability::from_sdk(&repository.build())
    }

    #[test]
    fn the_four_modes_of_tag_mutability_are_read() {
        assert!(mutability(ImageTagMutability::Mutable, &[]).lets_move("latest"));
        assert!(!mutability(ImageTagMutability::Immutable, &[]).lets_move("latest"));
        let except = mutability(
            ImageTagMutability::ImmutableWithExclusion,
            &["latest", "dev-*"],
        );
        assert!(except.lets_move("latest"));
        assert!(except.lets_move("dev-1"));
        assert!(!except.lets_move("1.0"));
        let except = mutability(ImageTagMutability::MutableWithExclusion, &["v*"]);
        assert!(except.lets_move("latest"));
        assert!(!except.lets_move("v1"));
    }
}
