//! Looking: every upstream tag, and what every destination repository holds. Nothing is pulled.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, TryStreamExt, future, stream};

use super::{Replicator, Session};
use crate::error::{Error, Side};
use crate::image::digest::Digest;
use crate::image::reference::{ImageRef, RepositoryRef};
use crate::plan::{RepositoryTags, Survey, UpstreamTag};
use crate::request::Request;

/// HEADs of upstream tags at once. Docker Hub's abuse limit is in the thousands a minute.
const HEADS_AT_ONCE: usize = 32;
/// Looks at the mirror at once. ECR allows DescribeImages tens of times a second.
pub(super) const AT_ONCE: usize = 16;
/// Indexes of one repository that are read to find an image in them.
const INDEXES: usize = 50;

impl Replicator {
    /// One HEAD for each upstream tag or pin, one DescribeImages for each destination repository (a HEAD for each tag where the
    /// registry has no control plane), and a closer look at what is not level. What could not be found out is part of the answer.
    pub async fn survey(&self, requests: &[Request], session: &Session) -> Survey {
        self.survey_as(requests, |found| found, session).await
    }

    /// The same where `judge` has the last word on what upstream has, after what was found there.
    pub async fn survey_as(
        &self,
        requests: &[Request],
        judge: impl Fn(Result<UpstreamTag, Error>) -> Result<UpstreamTag, Error>,
        session: &Session,
    ) -> Survey {
        let looks = future::join(
            self.upstream(requests, session),
            self.mirrors(requests, session),
        );
        let (found, mirrors) = Box::pin(looks).await;
        let upstream = found
            .into_iter()
            .map(|(image, seen)| (image, judge(seen)))
            .collect();
        let mut survey = Survey {
            upstream,
            mirrors,
            ..Survey::default()
        };
        Box::pin(self.look_closer(requests, &mut survey, session)).await;
        survey
    }

    async fn upstream(
        &self,
        requests: &[Request],
        session: &Session,
    ) -> BTreeMap<ImageRef, Result<UpstreamTag, Error>> {
        let images: BTreeSet<&ImageRef> = requests.iter().map(|request| &request.image).collect();
        let find = |image: ImageRef| async move {
            let source = self.registries.source(image.repository());
            let look = source.seen(image.tag(), image.digest());
            let found = session
                .in_time(Side::Source, || format!("find {image}"), look)
                .await;
            (image, found)
        };
        stream::iter(images.into_iter().cloned())
            .map(|image| find(image).boxed())
            .buffer_unordered(HEADS_AT_ONCE)
            .collect()
            .await
    }

    /// What the destination repositories of `requests` hold.
    async fn mirrors(
        &self,
        requests: &[Request],
        session: &Session,
    ) -> BTreeMap<RepositoryRef, Result<RepositoryTags, Error>> {
        let mut wanted: BTreeMap<&RepositoryRef, BTreeSet<&str>> = BTreeMap::new();
        for target in requests.iter().flat_map(|request| &request.targets) {
            wanted
                .entry(target.uri.repository())
                .or_default()
                .insert(target.uri.tag());
        }
        let look = |(repository, tags): (RepositoryRef, Vec<String>)| async move {
            let look = Box::pin(self.mirror(&repository, &tags, session));
            let mirror = session
                .in_time(Side::Destination, || format!("look at {repository}"), look)
                .await;
            (repository, mirror)
        };
        let owned = wanted.into_iter().map(|(repository, tags)| {
            (
                repository.clone(),
                tags.into_iter().map(str::to_owned).collect::<Vec<_>>(),
            )
        });
        stream::iter(owned.collect::<Vec<_>>())
            .map(|one| look(one).boxed())
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    }

    /// The digest of one tag of the mirror; `None` where there is no such tag.
    pub async fn tag(&self, uri: &ImageRef, session: &Session) -> Result<Option<Digest>, Error> {
        let tag = [uri.tag().to_owned()];
        Ok(Box::pin(self.mirror(uri.repository(), &tag, session))
            .await?
            .remove(uri.tag()))
    }

    /// The tags of `repository` that stand for an index with the image `digest`, and the digest of that index. Only tags that
    /// `is_ours` are read, the first of them.
    pub async fn indexes_with(
        &self,
        repository: &RepositoryRef,
        digest: &Digest,
        is_ours: impl Fn(&ImageRef) -> bool,
        session: &Session,
    ) -> Result<Vec<(ImageRef, Digest)>, Error> {
        let tagged = Box::pin(self.mirror(repository, &[], session))
            .await?
            .into_iter();
        let named = tagged.filter_map(|(tag, index)| {
            Some((ImageRef::new(repository.clone(), &tag).ok()?, index))
        });
        let destination = self.registries.destination(repository);
        let mut found = Vec::new();
        for (uri, index) in named.filter(|(uri, _)| is_ours(uri)).take(INDEXES) {
            let manifest = destination.manifest(&index).await?;
            if manifest
                .children()
                .iter()
                .any(|child| child.digest == *digest)
            {
                found.push((uri, index));
            }
        }
        Ok(found)
    }

    async fn mirror(
        &self,
        repository: &RepositoryRef,
        tags: &[String],
        session: &Session,
    ) -> Result<RepositoryTags, Error> {
        if let Some(control) = self.aws.repository(repository).await {
            return control.mirror().await;
        }
        let destination = &self.registries.destination(repository);
        let look = |tag: String| async move {
            let _question = session.question().await;
            Ok(destination.digest(&tag).await?.map(|digest| (tag, digest)))
        };
        let looks = stream::iter(tags.to_vec())
            .map(|tag| look(tag).boxed())
            .buffer_unordered(AT_ONCE);
        looks.try_filter_map(future::ok).try_collect().await
    }
}
