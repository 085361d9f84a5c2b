//! The plan: what a survey found turned into what is to be done. It is a value that can be printed; a dry run is its text.

pub mod budget;
pub mod message;
pub mod price;
pub mod quota;
mod show;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::platform::Platforms;
use crate::image::reference::{DOCKER_HUB, ImageRef, RepositoryRef};
use crate::image::subset::SubsetOf;
use crate::outcome::state::{self, ResourceTags};
use crate::plan::budget::{Allotment, Budget, Candidate, allot};
use crate::plan::price::{Hints, Price};
use crate::request::{Request, Target, Trigger};

/// What was found, before anything is written.
#[derive(Debug, Default)]
pub struct Survey {
    /// Each upstream tag.
    pub upstream: BTreeMap<ImageRef, Result<UpstreamTag, Error>>,
    /// What each destination repository holds.
    pub mirrors: BTreeMap<RepositoryRef, Result<RepositoryTags, Error>>,
    /// The resource tags of repositories that are not level, as far as they could be read.
    pub records: BTreeMap<RepositoryRef, ResourceTags>,
    /// What the indexes under tags of the mirror stand for, where platforms were chosen.
    pub subsets: BTreeMap<ImageRef, SubsetOf>,
    /// What is under tags of the mirror that are about to move.
    pub predecessors: BTreeMap<ImageRef, Manifest>,
    /// A repository that is level with upstream and counts no pulls.
    pub origins: BTreeMap<ImageRef, RepositoryRef>,
}

/// An upstream tag, as a HEAD shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTag {
    /// The digest that it stands for.
    pub digest: Digest,
    /// Whether that is an index; `None` when nobody said.
    pub is_index: Option<bool>,
    /// The size of the manifest in bytes.
    pub size_bytes: Option<u64>,
    /// Whether fetching it is a pull that counts.
    pub is_metered: bool,
}

impl UpstreamTag {
    /// What `image` stands for as far as somebody else said: Docker Hub was not asked whether a pull of it counts, so that it does.
    pub fn unasked(digest: Digest, image: &ImageRef) -> Self {
        Self {
            is_metered: image.repository().registry == DOCKER_HUB,
            ..digest.into()
        }
    }
}

impl From<Digest> for UpstreamTag {
    /// A digest of which nothing else is known.
    fn from(digest: Digest) -> Self {
        Self {
            digest,
            is_index: None,
            size_bytes: None,
            is_metered: false,
        }
    }
}

/// The tags of a destination repository and their digests; empty where there is no repository yet.
pub type RepositoryTags = BTreeMap<String, Digest>;

/// What is to be done, image by image.
#[derive(Debug, Default)]
pub struct Plan(pub Vec<Planned>);

/// What is to be done about one image.
#[derive(Debug)]
pub struct Planned {
    /// The upstream tag.
    pub image: ImageRef,
    /// Its digest, where it could be found out.
    pub upstream: Option<Digest>,
    /// Which of its platforms are copied.
    pub platforms: Platforms,
    /// What that costs.
    pub price: Price,
    /// Whether fetching it upstream is a pull that counts.
    pub is_metered: bool,
    /// A repository that is level with upstream and counts no pulls: content is fetched there first.
    pub origin: Option<RepositoryRef>,
    /// Names under which such a repository may be found.
    pub origins: Vec<ImageRef>,
    /// One step for each place.
    pub steps: Vec<Step>,
    /// Since when the record says that one of the places waits; `None` when that is not known.
    pub waits_since: Option<Timestamp>,
    /// Destinations that could not be found out.
    pub unplaced: Vec<Error>,
    /// What asked for it.
    pub trigger: Trigger,
}

/// What is to be done about one image in one place.
#[derive(Debug)]
pub struct Step {
    /// The place.
    pub target: Target,
    /// What is there now.
    pub present: Option<Digest>,
    /// What is to be done.
    pub action: Action,
}

impl Step {
    /// Whether something is sent to the place.
    pub fn is_due(&self) -> bool {
        matches!(self.action, Action::Copy(_) | Action::Tag { .. })
    }
}

/// What is to be done in one place.
#[derive(Debug)]
pub enum Action {
    /// Nothing: the place is level with upstream.
    Keep,
    /// Copy this digest there.
    Copy(Digest),
    /// The repository has the content under another tag.
    Tag {
        /// The digest upstream.
        upstream: Digest,
        /// The digest in the repository.
        here: Digest,
    },
    /// Nothing yet: a scan of the private copy has to come back clean first.
    AwaitScan,
    /// Nothing now: the quota has no room for it.
    Defer(Error),
    /// Nothing can be done, and this is why.
    Refuse(Error),
}

/// Decides, from what was found, what is to be done for `requests`, in their order; what `budget` has no room for is put off.
pub fn plan(
    requests: &[Request],
    survey: &Survey,
    budget: Option<&Budget>,
    now: Timestamp,
) -> Plan {
    let mut planned: Vec<Planned> = requests
        .iter()
        .map(|request| planned(request, survey))
        .collect();
    if let Some(budget) = budget {
        let priorities: Vec<i32> = requests.iter().map(|request| request.priority).collect();
        keep_within(budget, &mut planned, &priorities, now);
    }
    Plan(planned)
}

fn planned(request: &Request, survey: &Survey) -> Planned {
    let seen = survey
        .upstream
        .get(&request.image)
        .expect("each requested image was surveyed");
    let steps: Vec<Step> = request
        .targets
        .iter()
        .map(|target| step(request, target, seen, survey))
        .collect();
    let is_copied = steps
        .iter()
        .any(|step| matches!(step.action, Action::Copy(_)));
    let is_metered = seen.as_ref().is_ok_and(|seen| seen.is_metered);
    let (sibling, origin) = (sibling(&steps), survey.origins.get(&request.image));
    let price = match seen {
        Ok(seen) if is_copied && is_metered && origin.is_none() => {
            price(request, seen, &steps, survey)
        }
        _ => Price::FREE,
    };
    Planned {
        image: request.image.clone(),
        upstream: seen.as_ref().ok().map(|seen| seen.digest.clone()),
        platforms: request.platforms.clone(),
        price,
        is_metered,
        origin: origin.or(sibling).cloned(),
        origins: request.origins.clone(),
        steps,
        waits_since: waits_since(request, survey),
        unplaced: request.unplaced.clone(),
        trigger: request.trigger.clone(),
    }
}

/// A place that has what the others lack: all of it, or but for upstream's index a part of it.
fn sibling(steps: &[Step]) -> Option<&RepositoryRef> {
    let has_it = steps
        .iter()
        .find(|step| matches!(step.action, Action::Keep | Action::Tag { .. }));
    has_it.map(|step| step.target.uri.repository())
}

fn price(request: &Request, seen: &UpstreamTag, steps: &[Step], survey: &Survey) -> Price {
    let digest_of = |step: &Step| match &step.action {
        Action::Keep => step.present.clone(),
        Action::Tag { here, .. } => Some(here.clone()),
        _ => None,
    };
    match steps.iter().find_map(digest_of) {
        Some(digest) if digest == seen.digest => return Price::FREE,
        Some(_) => {
            return Price {
                pulls: 1,
                is_exact: true,
                ..Price::FREE
            };
        }
        None => {}
    }
    let predecessor = request
        .targets
        .iter()
        .find_map(|target| survey.predecessors.get(&target.uri));
    let hints = Hints {
        is_index: seen.is_index,
        size_bytes: seen.size_bytes,
        predecessor,
    };
    Price::estimate(&hints, &request.platforms)
}

fn step(
    request: &Request,
    target: &Target,
    seen: &Result<UpstreamTag, Error>,
    survey: &Survey,
) -> Step {
    let mirror = survey
        .mirrors
        .get(target.uri.repository())
        .expect("each requested repository was surveyed");
    let present = mirror
        .as_ref()
        .ok()
        .and_then(|tags| tags.get(target.uri.tag()))
        .cloned();
    let action = match (seen, mirror) {
        (_, Err(error)) | (Err(error), _) => Action::Refuse(error.clone()),
        (Ok(seen), Ok(mirror)) => {
            if is_up_to_date(
                seen,
                present.as_ref(),
                survey.subsets.get(&target.uri),
                &request.platforms,
            ) {
                Action::Keep
            } else if target.waits_for_scan {
                Action::AwaitScan
            } else if let Some(here) = known(
                seen,
                mirror,
                survey.records.get(target.uri.repository()),
                request,
            ) {
                Action::Tag {
                    upstream: seen.digest.clone(),
                    here,
                }
            } else {
                Action::Copy(seen.digest.clone())
            }
        }
    };
    Step {
        target: target.clone(),
        present,
        action,
    }
}

/// Whether `present` is upstream's image, or the part of it that is wanted.
pub fn is_up_to_date(
    seen: &UpstreamTag,
    present: Option<&Digest>,
    subset_of: Option<&SubsetOf>,
    platforms: &Platforms,
) -> bool {
    match present {
        None => false,
        Some(present) if platforms.is_all() || seen.is_index == Some(false) => {
            *present == seen.digest
        }
        Some(_) => subset_of
            .is_some_and(|subset_of| *subset_of == SubsetOf::new(seen.digest.clone(), platforms)),
    }
}

/// The digest in the mirror's repository that is what is wanted, under another tag.
fn known(
    seen: &UpstreamTag,
    mirror: &RepositoryTags,
    record: Option<&ResourceTags>,
    request: &Request,
) -> Option<Digest> {
    let holds = |digest: &Digest| mirror.values().any(|held| held == digest);
    if request.platforms.is_all() || seen.is_index == Some(false) {
        return Some(&seen.digest).filter(|digest| holds(digest)).cloned();
    }
    let choice = request.platforms.fingerprint();
    let entries = state::tag_records(record?)
        .into_values()
        .filter(|entry| entry.digest.as_ref() == Some(&seen.digest));
    let parts = entries
        .filter_map(|entry| entry.subset)
        .filter(|part| part.choice == choice);
    parts.map(|part| part.digest).find(holds)
}

/// Since when the record says that one of the places waits.
fn waits_since(request: &Request, survey: &Survey) -> Option<Timestamp> {
    let entry = |target: &Target| {
        state::tag_record(
            survey.records.get(target.uri.repository())?,
            target.uri.tag(),
        )
    };
    request
        .targets
        .iter()
        .filter_map(|target| entry(target)?.deferred_since())
        .min()
}

/// Puts off what `budget` has no room for. `priorities` has that of each image.
fn keep_within(budget: &Budget, planned: &mut [Planned], priorities: &[i32], now: Timestamp) {
    let (indexes, candidates): (Vec<usize>, Vec<Candidate<'_>>) = planned
        .iter()
        .zip(priorities)
        .enumerate()
        .filter_map(|(index, (planned, &priority))| {
            let Planned {
                image,
                upstream,
                platforms,
                price,
                waits_since,
                ..
            } = planned;
            let digest = upstream.as_ref().filter(|_| price.pulls > 0)?;
            Some((
                index,
                Candidate {
                    image,
                    digest,
                    platforms,
                    priority,
                    deferred_since: *waits_since,
                    price,
                },
            ))
        })
        .unzip();
    let allotments = allot(&candidates, budget, now);
    for (index, _) in indexes
        .into_iter()
        .zip(allotments)
        .filter(|(_, allotment)| *allotment == Allotment::Defer)
    {
        let error = out_of_pulls(&planned[index], budget);
        for step in planned[index]
            .steps
            .iter_mut()
            .filter(|step| matches!(step.action, Action::Copy(_)))
        {
            step.action = Action::Defer(error.clone());
        }
    }
}

fn out_of_pulls(planned: &Planned, budget: &Budget) -> Error {
    let why = format!(
        "it costs {}, and of {} pulls {} are left, {} of them for others",
        planned.price, budget.limit, budget.remaining, budget.reserve
    );
    Error::new(
        Side::Source,
        Cause::InsufficientPulls,
        format!("copy {}", planned.image),
    )
    .because(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::quota::Quota;
    use crate::request::TriggerKind;
    use crate::settings::Reserve;

    fn digest(character: char) -> Digest {
        format!("sha256:{}", character.to_string().repeat(64))
            .parse()
            .unwrap()
    }

    fn request(image: &str) -> Request {
        let image: ImageRef = image.parse().unwrap();
        let uri = format!(
            "127.0.0.1:5000/{}:{}",
            image.repository().name(),
            image.tag()
        )
        .parse()
        .unwrap();
        let target = Target {
            destination: "lab".to_owned(),
            uri,
            waits_for_scan: false,
        };
        Request {
            image,
            targets: vec![target],
            unplaced: Vec::new(),
            platforms: Platforms::ALL,
            priority: 0,
            origins: Vec::new(),
            trigger: Trigger {
                kind: TriggerKind::Schedule,
                id: "e".to_owned(),
            },
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    /// Plans node:1 for lab/node, where the mirror's tag `1` is at `present`.
    fn check(
        upstream: Result<Digest, Error>,
        mirror: Result<Option<Digest>, Error>,
        expected: &str,
    ) {
        let request = request("node:1");
        let mirror = mirror.map(|present| {
            present
                .map(|digest| ("1".to_owned(), digest))
                .into_iter()
                .collect()
        });
        let survey = Survey {
            upstream: [(request.image.clone(), upstream.map(UpstreamTag::from))].into(),
            mirrors: [(request.targets[0].uri.repository().clone(), mirror)].into(),
            ..Survey::default()
        };
        assert_eq!(
            plan(&[request], &survey, None, now()).to_string(),
            format!("{expected}\n")
        );
    }

    const PAIR: &str = "docker.io/library/node:1  →  127.0.0.1:5000/node:1";

    #[test]
    fn an_equal_digest_is_kept() {
        check(
            Ok(digest('a')),
            Ok(Some(digest('a'))),
            &format!("keep    {PAIR}  aaaaaaaaaaaa"),
        );
    }

    #[test]
    fn a_moved_or_new_tag_is_copied() {
        check(
            Ok(digest('b')),
            Ok(Some(digest('a'))),
            &format!("copy    {PAIR}  bbbbbbbbbbbb replaces aaaaaaaaaaaa"),
        );
        check(
            Ok(digest('b')),
            Ok(None),
            &format!("copy    {PAIR}  bbbbbbbbbbbb is new"),
        );
    }

    #[test]
    fn an_unknown_side_is_never_taken_for_level() {
        let limit = Error::new(Side::Source, Cause::PullLimit, "find");
        let denied = Error::new(Side::Destination, Cause::Denied, "list");
        check(
            Err(limit.clone()),
            Ok(Some(digest('a'))),
            &format!("refuse  {PAIR}  {}", limit.chain()),
        );
        check(
            Ok(digest('a')),
            Err(denied.clone()),
            &format!("refuse  {PAIR}  {}", denied.chain()),
        );
    }

    #[test]
    fn known_content_under_another_tag_is_only_tagged() {
        let request = request("node:1");
        let mirror: RepositoryTags = [("2".to_owned(), digest('a'))].into();
        let survey = Survey {
            upstream: [(request.image.clone(), Ok(digest('a').into()))].into(),
            mirrors: [(request.targets[0].uri.repository().clone(), Ok(mirror))].into(),
            ..Survey::default()
        };
        let text = plan(&[request], &survey, None, now()).to_string();
        assert_eq!(
            text,
            format!("tag     {PAIR}  aaaaaaaaaaaa is there under another tag\n")
        );
    }

    #[test]
    fn a_part_is_level_when_it_is_of_this_index_for_these_platforms() {
        let amd64 = Platforms::from(vec!["linux/amd64".parse().unwrap()]);
        let seen = UpstreamTag {
            is_index: Some(true),
            ..digest('a').into()
        };
        let subset_of = SubsetOf {
            upstream: digest('a'),
            choice: amd64.fingerprint(),
        };
        let part = digest('b');
        assert!(is_up_to_date(&seen, Some(&part), Some(&subset_of), &amd64));
        assert!(
            !is_up_to_date(&digest('c').into(), Some(&part), Some(&subset_of), &amd64),
            "upstream has moved"
        );
        let arm64 = Platforms::from(vec!["linux/arm64".parse().unwrap()]);
        assert!(
            !is_up_to_date(&seen, Some(&part), Some(&subset_of), &arm64),
            "other platforms are wanted"
        );
        assert!(
            !is_up_to_date(&seen, Some(&part), Some(&subset_of), &Platforms::ALL),
            "all platforms are wanted"
        );
        assert!(
            !is_up_to_date(&seen, Some(&digest('a')), None, &amd64),
            "the whole index is more than is wanted"
        );
        let single = UpstreamTag {
            is_index: Some(false),
            ..seen
        };
        assert!(is_up_to_date(&single, Some(&digest('a')), None, &amd64));
    }

    #[test]
    fn what_the_quota_has_no_room_for_is_put_off_with_the_numbers() {
        let requests = [request("node:1"), request("redis:1")];
        let metered = |character| {
            Ok(UpstreamTag {
                is_index: Some(false),
                is_metered: true,
                ..digest(character).into()
            })
        };
        let survey = Survey {
            upstream: [
                (requests[0].image.clone(), metered('a')),
                (requests[1].image.clone(), metered('b')),
            ]
            .into(),
            mirrors: requests
                .iter()
                .map(|r| {
                    (
                        r.targets[0].uri.repository().clone(),
                        Ok(RepositoryTags::new()),
                    )
                })
                .collect(),
            ..Survey::default()
        };
        let quota = Quota::parse(Some("100;w=21600"), Some("11;w=21600"));
        let budget = Budget::from_quota(Some(quota), Reserve::Percent(10));
        let text = plan(&requests, &survey, budget.as_ref(), now()).to_string();
        assert_eq!(
            text,
            format!(
                "copy    {PAIR}  aaaaaaaaaaaa is new, for 1 pull\n\
                 defer   docker.io/library/redis:1  →  127.0.0.1:5000/redis:1  source: cannot copy docker.io/library/redis:1: \
                 not enough Docker Hub pulls left: it costs 1 pull, and of 100 pulls 11 are left, 10 of them for others\n"
            )
        );
    }
}
