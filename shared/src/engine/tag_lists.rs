//! The tags that selections take, from the tag lists of their repositories. Nothing is pulled.

use futures_util::{FutureExt, StreamExt, stream};

use super::{Replicator, Session};
use crate::catalogue::{Catalogue, SelectionResult};
use crate::error::Side;

/// Repositories that are listed concurrently. A list can have megabytes.
const MAX_CONCURRENT_LISTS: usize = 8;

impl Replicator {
    /// Adds the tags that the selections of `catalogue` take to its images. Returns it with the result
    /// of each selection.
    ///
    /// Each repository is listed once, however many selections take tags from it. A list that cannot
    /// be read is an error in the results.
    pub async fn expand(
        &self,
        catalogue: Catalogue,
        session: &Session,
    ) -> (Catalogue, Vec<SelectionResult>) {
        let mut reads = Vec::new();
        for repository in catalogue.selections.keys().cloned() {
            let read = async move {
                let source = self.registries.source(&repository);
                let action = || format!("list the tags of {repository}");
                let tags = session.in_time(Side::Source, action, source.tags()).await;
                (repository, tags)
            };
            reads.push(read.boxed());
        }
        let reads = stream::iter(reads).buffer_unordered(MAX_CONCURRENT_LISTS);
        let lists = reads.collect().await;
        catalogue.expand(&lists)
    }
}
