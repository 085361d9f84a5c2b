//! The tags that selections take, from the tag lists of their repositories. Nothing is pulled.

use futures_util::{FutureExt, StreamExt, stream};

use super::{Replicator, Session};
use crate::catalogue::{Catalogue, SelectionResult};
use crate::error::Side;
use crate::image::reference::RepositoryRef;

/// Repositories that are listed concurrently. A list can have megabytes.
const MAX_CONCURRENT_LISTS: usize = 8;

impl Replicator {
    /// `catalogue` with the tags that its selections take among its images, and the result of each
    /// selection.
    ///
    /// Each repository is listed once, however many selections take tags from it. A list that could
    /// not be read is an error in the results.
    pub async fn expand(
        &self,
        catalogue: Catalogue,
        session: &Session,
    ) -> (Catalogue, Vec<SelectionResult>) {
        let list = |repository: RepositoryRef| async move {
            let source = self.registries.source(&repository);
            let action = || format!("list the tags of {repository}");
            let tags = session.in_time(Side::Source, action, source.tags()).await;
            (repository, tags)
        };
        let repositories: Vec<RepositoryRef> = catalogue.selections.keys().cloned().collect();
        let lists = stream::iter(repositories).map(|repository| list(repository).boxed());
        let lists = lists.buffer_unordered(MAX_CONCURRENT_LISTS).collect().await;
        catalogue.expand(&lists)
    }
}
