//! The survey: the digest of every upstream tag, and the tags of every destination repository. Nothing
//! is pulled.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, TryStreamExt, future, stream};

use super::run::Upstream;
use super::{Replicator, Session};
use crate::error::{Error, Side};
use crate::image::digest::Digest;
use crate::image::reference::{ImageRef, RepositoryRef};
use crate::plan::survey::{RepositoryTags, Survey, UpstreamTag};
use crate::request::Request;

/// HEADs of upstream tags that are in flight concurrently. Docker Hub's abuse limit is in the
/// thousands a minute.
const MAX_CONCURRENT_HEADS: usize = 32;
/// Reads of the destinations that are in flight concurrently. ECR allows DescribeImages tens of times
/// a second.
pub(super) const MAX_CONCURRENT_READS: usize = 16;
/// Indexes of one repository that are read to find an image in them.
const MAX_INDEXES: usize = 50;

impl Replicator {
    /// One HEAD for each upstream tag or pin, one DescribeImages for each destination repository (a
    /// HEAD for each tag where the registry has no control plane), and a closer look at targets that
    /// are not up to date. What could not be found out is an error in the survey.
    pub(super) async fn survey(
        &self,
        requests: &[Request],
        upstream: &Upstream,
        session: &Session,
    ) -> Survey {
        let found = self.upstream_tags(requests, upstream, session);
        let destinations = self.destinations(requests, session);
        let (found, destinations) = Box::pin(future::join(found, destinations)).await;
        let mut survey = Survey {
            upstream: found,
            destinations,
            ..Survey::default()
        };
        Box::pin(self.enrich(requests, &mut survey, session)).await;
        survey
    }

    async fn upstream_tags(
        &self,
        requests: &[Request],
        upstream: &Upstream,
        session: &Session,
    ) -> BTreeMap<ImageRef, Result<UpstreamTag, Error>> {
        let find = |image: ImageRef| {
            let find = async move {
                let source = self.registries.source(image.repository());
                let head = source.seen(image.tag(), image.digest());
                let action = || format!("find {image}");
                let found = session.in_time(Side::Source, action, head).await;
                let chosen = upstream.choose(&image, found);
                (image, chosen)
            };
            find.boxed()
        };
        let images = requests.iter().map(|request| request.image.clone());
        let images: BTreeSet<ImageRef> = images.collect();
        let heads = stream::iter(images).map(find);
        heads.buffer_unordered(MAX_CONCURRENT_HEADS).collect().await
    }

    /// The tags of the destination repositories of `requests`.
    async fn destinations(
        &self,
        requests: &[Request],
        session: &Session,
    ) -> BTreeMap<RepositoryRef, Result<RepositoryTags, Error>> {
        let mut reads = Vec::new();
        for (repository, tags) in requested_tags(requests) {
            let read = async move {
                let read = Box::pin(self.repository_tags(&repository, &tags, session));
                let action = || format!("read the tags of {repository}");
                let found = session.in_time(Side::Destination, action, read).await;
                (repository, found)
            };
            reads.push(read.boxed());
        }
        let reads = stream::iter(reads);
        reads.buffer_unordered(MAX_CONCURRENT_READS).collect().await
    }

    /// The digest of one tag of the mirror; `None` if there is no such tag.
    pub async fn tag(&self, uri: &ImageRef, session: &Session) -> Result<Option<Digest>, Error> {
        let tag = BTreeSet::from([uri.tag().to_owned()]);
        let read = self.repository_tags(uri.repository(), &tag, session);
        let mut tags = Box::pin(read).await?;
        Ok(tags.remove(uri.tag()))
    }

    /// The tags of `repository` whose index contains the image `digest`, with the digest of that
    /// index. Only indexes of tags for which `is_ours` holds are read, 50 at most.
    pub async fn indexes_with(
        &self,
        repository: &RepositoryRef,
        digest: &Digest,
        is_ours: impl Fn(&ImageRef) -> bool,
        session: &Session,
    ) -> Result<Vec<(ImageRef, Digest)>, Error> {
        let requested = BTreeSet::new();
        let read = self.repository_tags(repository, &requested, session);
        let tags = Box::pin(read).await?;
        let mut candidates = Vec::new();
        for (tag, index) in tags {
            if let Ok(uri) = ImageRef::new(repository.clone(), &tag)
                && is_ours(&uri)
            {
                candidates.push((uri, index));
            }
        }
        candidates.truncate(MAX_INDEXES);

        let destination = self.registries.destination(repository);
        let mut found = Vec::new();
        for (uri, index) in candidates {
            let manifest = destination.manifest(&index).await?;
            let mut children = manifest.children().iter();
            if children.any(|child| child.digest == *digest) {
                found.push((uri, index));
            }
        }
        Ok(found)
    }

    /// The tags of `repository`: all if the registry has a control plane, else those of `requested`
    /// that exist.
    async fn repository_tags(
        &self,
        repository: &RepositoryRef,
        requested: &BTreeSet<String>,
        session: &Session,
    ) -> Result<RepositoryTags, Error> {
        if let Some(control) = self.aws.repository(repository).await {
            return control.image_tags().await;
        }
        let destination = &self.registries.destination(repository);
        let mut heads = Vec::with_capacity(requested.len());
        for tag in requested {
            let head = async move {
                let _turn = session.destination_turn().await;
                let digest = destination.digest(tag).await?;
                Ok(digest.map(|digest| (tag.clone(), digest)))
            };
            heads.push(head.boxed());
        }
        let heads = stream::iter(heads).buffer_unordered(MAX_CONCURRENT_READS);
        heads.try_filter_map(future::ok).try_collect().await
    }
}

/// The tags of the targets of `requests`, by repository.
fn requested_tags(requests: &[Request]) -> BTreeMap<RepositoryRef, BTreeSet<String>> {
    let mut requested: BTreeMap<RepositoryRef, BTreeSet<String>> = BTreeMap::new();
    for target in requests.iter().flat_map(|request| &request.targets) {
        let repository = target.uri.repository().clone();
        let tag = target.uri.tag().to_owned();
        requested.entry(repository).or_default().insert(tag);
    }
    requested
}
