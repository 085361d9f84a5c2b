//! Expanding: the tags that selections take, from the lists of their repositories. Nothing is pulled.

use futures_util::{FutureExt, StreamExt, stream};

use super::{Replicator, Session};
use crate::catalogue::{Catalogue, SelectionResult};
use crate::error::Side;
use crate::image::reference::RepositoryRef;

/// Repositories at once. A list can have megabytes.
const AT_ONCE: usize = 8;

impl Replicator {
    /// `catalogue` with the tags that its selections take among its images, and what became of each selection.
    ///
    /// Each repository is listed once, however many selections there are of it. What could not be listed is part of the answer.
    pub async fn expand(
        &self,
        catalogue: Catalogue,
        session: &Session,
    ) -> (Catalogue, Vec<SelectionResult>) {
        let list = |repository: RepositoryRef| async move {
            let source = self.registries.source(&repository);
            let tags = session
                .in_time(
                    Side::Source,
                    || format!("list the tags of {repository}"),
                    source.tags(),
                )
                .await;
            (repository, tags)
        };
        let repositories: Vec<RepositoryRef> = catalogue.selections.keys().cloned().collect();
        let lists = stream::iter(repositories).map(|repository| list(repository).boxed());
        let lists = lists.buffer_unordered(AT_ONCE).collect().await;
        catalogue.expand(&lists)
    }
}
