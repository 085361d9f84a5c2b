//! Looking: the digest of every upstream tag, and what every destination repository holds. Nothing is pulled.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, future, stream};

use super::Replicator;
use crate::digest::Digest;
use crate::error::Error;
use crate::plan::{Mirror, Survey};
use crate::reference::{ImageRef, RepositoryRef};
use crate::request::Request;

/// Requests at once. Docker Hub's abuse limit is in the thousands a minute; ECR allows DescribeImages tens of times a second.
const AT_ONCE: usize = 16;

impl Replicator {
    /// One HEAD for each upstream tag, one DescribeImages for each destination repository (a HEAD for each tag where the
    /// registry has no control plane). What could not be found out is part of the answer.
    pub async fn survey(&self, requests: &[Request]) -> Survey {
        let (upstream, mirrors) = future::join(self.upstream(requests), self.mirrors(requests)).await;
        Survey { upstream, mirrors }
    }

    async fn upstream(&self, requests: &[Request]) -> BTreeMap<ImageRef, Result<Digest, Error>> {
        let images: BTreeSet<&ImageRef> = requests.iter().map(|request| &request.image).collect();
        let find = |image: ImageRef| async move {
            let found = self.registries.source(image.repository()).digest(image.tag()).await;
            (image, found)
        };
        stream::iter(images.into_iter().cloned())
            .map(|image| find(image).boxed())
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    }

    /// What the destination repositories of `requests` hold.
    pub async fn mirrors(&self, requests: &[Request]) -> BTreeMap<RepositoryRef, Result<Mirror, Error>> {
        let mut wanted: BTreeMap<&RepositoryRef, BTreeSet<&str>> = BTreeMap::new();
        for target in requests.iter().flat_map(|request| &request.targets) {
            wanted.entry(target.uri.repository()).or_default().insert(target.uri.tag());
        }
        let look = |(repository, tags): (RepositoryRef, Vec<String>)| async move {
            let mirror = self.mirror(&repository, &tags).await;
            (repository, mirror)
        };
        let owned = wanted
            .into_iter()
            .map(|(repository, tags)| (repository.clone(), tags.into_iter().map(str::to_owned).collect::<Vec<_>>()));
        stream::iter(owned.collect::<Vec<_>>()).map(|one| look(one).boxed()).buffer_unordered(AT_ONCE).collect().await
    }

    async fn mirror(&self, repository: &RepositoryRef, tags: &[String]) -> Result<Mirror, Error> {
        if let Some(control) = self.aws.repository(repository).await {
            return control.mirror().await;
        }
        let destination = self.registries.destination(repository);
        let mut mirror = Mirror::new();
        for tag in tags {
            if let Some(digest) = destination.digest(tag).await? {
                mirror.insert(tag.clone(), digest);
            }
        }
        Ok(mirror)
    }
}
