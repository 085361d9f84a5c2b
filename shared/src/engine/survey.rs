//! The survey: every upstream tag, and what every destination repository holds. Nothing is pulled.

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
        let images: BTreeSet<&ImageRef> = requests.iter().map(|request| &request.image).collect();
        let find = |image: ImageRef| async move {
            let source = self.registries.source(image.repository());
            let head = source.seen(image.tag(), image.digest());
            let action = || format!("find {image}");
            let found = session.in_time(Side::Source, action, head).await;
            let chosen = upstream.choose(&image, found);
            (image, chosen)
        };
        let images = stream::iter(images.into_iter().cloned());
        let heads = images.map(|image| find(image).boxed());
        heads.buffer_unordered(MAX_CONCURRENT_HEADS).collect().await
    }

    /// The tags of the destination repositories of `requests`.
    async fn destinations(
        &self,
        requests: &[Request],
        session: &Session,
    ) -> BTreeMap<RepositoryRef, Result<RepositoryTags, Error>> {
        let mut requested: BTreeMap<RepositoryRef, BTreeSet<String>> = BTreeMap::new();
        for target in requests.iter().flat_map(|request| &request.targets) {
            let tags = requested.entry(target.uri.repository().clone());
            tags.or_default().insert(target.uri.tag().to_owned());
        }
        let read = |(repository, tags): (RepositoryRef, BTreeSet<String>)| async move {
            let tags: Vec<String> = tags.into_iter().collect();
            let read = Box::pin(self.repository_tags(&repository, &tags, session));
            let action = || format!("read the tags of {repository}");
            let found = session.in_time(Side::Destination, action, read).await;
            (repository, found)
        };
        let reads = stream::iter(requested).map(|one| read(one).boxed());
        reads.buffer_unordered(MAX_CONCURRENT_READS).collect().await
    }

    /// The digest of one tag of the mirror; `None` where there is no such tag.
    pub async fn tag(&self, uri: &ImageRef, session: &Session) -> Result<Option<Digest>, Error> {
        let tag = [uri.tag().to_owned()];
        let read = Box::pin(self.repository_tags(uri.repository(), &tag, session));
        Ok(read.await?.remove(uri.tag()))
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
        let mut candidates = Vec::new();
        let tags = Box::pin(self.repository_tags(repository, &[], session)).await?;
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

    /// The tags of `repository`: all where it has a control plane, else those of `tags` that exist.
    async fn repository_tags(
        &self,
        repository: &RepositoryRef,
        tags: &[String],
        session: &Session,
    ) -> Result<RepositoryTags, Error> {
        if let Some(control) = self.aws.repository(repository).await {
            return control.image_tags().await;
        }
        let destination = &self.registries.destination(repository);
        let head = |tag: String| async move {
            let _turn = session.destination_turn().await;
            let digest = destination.digest(&tag).await?;
            Ok(digest.map(|digest| (tag, digest)))
        };
        let heads = stream::iter(tags.to_vec()).map(|tag| head(tag).boxed());
        let heads = heads.buffer_unordered(MAX_CONCURRENT_READS);
        heads.try_filter_map(future::ok).try_collect().await
    }
}
