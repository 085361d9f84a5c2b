//! Which tags of a repository may move.

use aws_sdk_ecr::types::{ImageTagMutability, Repository};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// What a repository says about tags that are there already; by default they may all move.
#[derive(Clone, Debug, Default)]
pub struct Mutability {
    is_immutable: bool,
    /// Tags for which the opposite holds.
    except: GlobSet,
}

impl Mutability {
    /// Reads `imageTagMutability` and its exclusion filters, which know the wildcard `*` alone.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html>.
    pub(super) fn from_sdk(repository: &Repository) -> Self {
        let mode = repository.image_tag_mutability();
        let is_immutable = matches!(
            mode,
            Some(ImageTagMutability::Immutable | ImageTagMutability::ImmutableWithExclusion)
        );
        let mut except = GlobSetBuilder::new();
        let filters = repository.image_tag_mutability_exclusion_filters();
        let patterns = filters
            .iter()
            .filter_map(|filter| GlobBuilder::new(filter.filter()).build().ok());
        for pattern in patterns {
            except.add(pattern);
        }
        Self {
            is_immutable,
            except: except.build().unwrap_or_default(),
        }
    }

    /// Whether `tag`, which is there, may stand for another digest.
    pub fn lets_move(&self, tag: &str) -> bool {
        self.is_immutable == self.except.is_match(tag)
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
    fn each_of_the_four_modes_is_understood() {
        assert!(mutability(ImageTagMutability::Mutable, &[]).lets_move("latest"));
        assert!(!mutability(ImageTagMutability::Immutable, &[]).lets_move("latest"));
        let except = mutability(
            ImageTagMutability::ImmutableWithExclusion,
            &["latest", "dev-*"],
        );
        assert!(
            except.lets_move("latest") && except.lets_move("dev-1") && !except.lets_move("1.0")
        );
        let except = mutability(ImageTagMutability::MutableWithExclusion, &["v*"]);
        assert!(except.lets_move("latest") && !except.lets_move("v1"));
    }
}
