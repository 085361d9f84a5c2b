//! From a survey to a plan.

use jiff::Timestamp;

use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::image::reference::RepositoryRef;
use crate::outcome::state;
use crate::plan::budget::{Allotment, Budget, Candidate, allot};
use crate::plan::price::{Hints, Price};
use crate::plan::survey::{Survey, UpstreamTag};
use crate::plan::{Action, Plan, Planned, Step, Write};
use crate::request::{Request, Target};

/// Decides what is done for `requests`, in their order. What `budget` has no pulls for is deferred.
///
/// `survey` covers every image and every target of the requests.
pub fn plan(
    requests: Vec<Request>,
    survey: &Survey,
    budget: Option<&Budget>,
    now: Timestamp,
) -> Plan {
    let mut all = Vec::with_capacity(requests.len());
    for request in requests {
        all.push(plan_image(request, survey));
    }
    if let Some(budget) = budget {
        keep_within(budget, &mut all, now);
    }
    Plan(all)
}

fn plan_image(request: Request, survey: &Survey) -> Planned {
    let found = &survey.upstream[&request.image];
    let upstream = found.as_ref().ok();
    let mut steps = Vec::with_capacity(request.targets.len());
    for target in &request.targets {
        steps.push(plan_target(&request, target, found, survey));
    }
    let found_origin = survey.origins.get(&request.image);
    let origin = found_origin.or_else(|| complete_target(&steps)).cloned();
    let is_metered = upstream.is_some_and(|upstream| upstream.is_metered);
    let is_copied = steps.iter().any(|step| step.action.copied().is_some());
    let price = match upstream {
        Some(upstream) if is_metered && is_copied && found_origin.is_none() => {
            estimate_price(&request, upstream, &steps, survey)
        }
        _ => Price::FREE,
    };
    Planned {
        upstream: upstream.map(|upstream| upstream.digest.clone()),
        deferred_since: deferred_since(&request, survey),
        request,
        price,
        is_metered,
        origin,
        steps,
    }
}

/// A target that already has the content, so that the others can be filled from there.
fn complete_target(steps: &[Step]) -> Option<&RepositoryRef> {
    let has_content = |step: &&Step| content(step).is_some();
    let step = steps.iter().find(has_content)?;
    Some(step.target.uri.repository())
}

/// The digest in the repository of the target, if that has all that is requested.
fn content(step: &Step) -> Option<&Digest> {
    match &step.action {
        Action::Keep => step.present.as_ref(),
        Action::Write(Write::Tag { here, .. }) => Some(here),
        _ => None,
    }
}

fn estimate_price(
    request: &Request,
    upstream: &UpstreamTag,
    steps: &[Step],
    survey: &Survey,
) -> Price {
    match steps.iter().find_map(content) {
        Some(digest) if *digest == upstream.digest => return Price::FREE,
        // Only the index itself is pulled: the target with the subset has the rest.
        Some(_) => {
            return Price {
                pulls: 1,
                is_exact: true,
                ..Price::FREE
            };
        }
        None => {}
    }
    let mut uris = request.targets.iter().map(|target| &target.uri);
    let predecessor = uris.find_map(|uri| survey.predecessors.get(uri));
    let hints = Hints {
        is_index: upstream.is_index,
        size_bytes: upstream.size_bytes,
        predecessor,
    };
    Price::estimate(&hints, request.platforms())
}

fn plan_target(
    request: &Request,
    target: &Target,
    found: &Result<UpstreamTag, Error>,
    survey: &Survey,
) -> Step {
    let action = match (found, &survey.destinations[target.uri.repository()]) {
        (_, Err(error)) | (Err(error), _) => Action::Refuse(error.clone()),
        (Ok(upstream), Ok(_)) => choose_action(request, target, upstream, survey),
    };
    Step {
        target: target.clone(),
        present: survey.present(target).cloned(),
        action,
    }
}

fn choose_action(
    request: &Request,
    target: &Target,
    upstream: &UpstreamTag,
    survey: &Survey,
) -> Action {
    if survey.is_up_to_date(target, upstream, request.platforms()) {
        return Action::Keep;
    }
    if target.waits_for_scan {
        return Action::AwaitScan;
    }
    let digest = upstream.digest.clone();
    Action::Write(match same_content(request, target, upstream, survey) {
        Some(here) => Write::Tag {
            upstream: digest,
            here,
        },
        None => Write::Copy(digest),
    })
}

/// The digest in the target's repository that has the requested content, under another tag.
fn same_content(
    request: &Request,
    target: &Target,
    upstream: &UpstreamTag,
    survey: &Survey,
) -> Option<Digest> {
    let tags = survey.repository_tags(target)?;
    let holds = |digest: &Digest| tags.values().any(|held| held == digest);
    let platforms = request.platforms();
    if platforms.is_all() || upstream.is_index == Some(false) {
        return holds(&upstream.digest).then(|| upstream.digest.clone());
    }
    let choice = platforms.fingerprint();
    let record = survey.records.get(target.uri.repository())?;
    for entry in state::tag_records(record).into_values() {
        if entry.digest.as_ref() != Some(&upstream.digest) {
            continue;
        }
        match entry.subset {
            Some(subset) if subset.choice == choice && holds(&subset.digest) => {
                return Some(subset.digest);
            }
            _ => {}
        }
    }
    None
}

/// The earliest time since which the record marks one of the targets as deferred.
fn deferred_since(request: &Request, survey: &Survey) -> Option<Timestamp> {
    let since = |target: &Target| {
        let record = survey.records.get(target.uri.repository())?;
        state::tag_record(record, target.uri.tag())?.deferred_since()
    };
    request.targets.iter().filter_map(since).min()
}

/// Defers what `budget` has no pulls for.
fn keep_within(budget: &Budget, all: &mut [Planned], now: Timestamp) {
    let mut indexes = Vec::new();
    let mut candidates = Vec::new();
    for (index, planned) in all.iter().enumerate() {
        if let Some(candidate) = candidate(planned) {
            indexes.push(index);
            candidates.push(candidate);
        }
    }
    let allotments = allot(&candidates, budget, now);
    for (index, allotment) in indexes.into_iter().zip(allotments) {
        if allotment == Allotment::Defer {
            defer(&mut all[index], budget);
        }
    }
}

fn candidate(planned: &Planned) -> Option<Candidate<'_>> {
    let digest = planned.upstream.as_ref()?;
    (planned.price.pulls > 0).then(|| Candidate {
        image: &planned.request.image,
        digest,
        platforms: planned.request.platforms(),
        priority: planned.request.options.priority,
        deferred_since: planned.deferred_since,
        price: &planned.price,
    })
}

fn defer(planned: &mut Planned, budget: &Budget) {
    let why = format!(
        "it costs {}, and {} of {} pulls are left, of which {} are reserved for others",
        planned.price, budget.remaining, budget.limit, budget.reserve
    );
    let action = format!("copy {}", planned.request.image);
    let error = Error::new(Side::Source, Cause::InsufficientPulls, action).because(why);
    for step in &mut planned.steps {
        if step.action.copied().is_some() {
            step.action = Action::Defer(error.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Options;
    use crate::image::reference::ImageRef;
    use crate::plan::quota::Quota;
    use crate::plan::survey::RepositoryTags;
    use crate::request::{Trigger, TriggerKind};
    use crate::settings::Reserve;

    const NODE: &str = "docker.io/library/node:1  →  127.0.0.1:5000/node:1";
    const REDIS: &str = "docker.io/library/redis:1  →  127.0.0.1:5000/redis:1";

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
        );
        Request {
            image,
            options: Options::default(),
            targets: vec![Target {
                destination: "lab".to_owned(),
                uri: uri.parse().unwrap(),
                waits_for_scan: false,
            }],
            origins: Vec::new(),
            unresolved: Vec::new(),
            trigger: Trigger {
                kind: TriggerKind::Schedule,
                id: "e".to_owned(),
            },
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn repository(request: &Request) -> RepositoryRef {
        request.targets[0].uri.repository().clone()
    }

    /// Plans node:1 for lab/node, where the tag `1` has the digest `present`.
    fn check(
        upstream: Result<Digest, Error>,
        present: Result<Option<Digest>, Error>,
        expected: &str,
    ) {
        let tag = |digest| ("1".to_owned(), digest);
        let tags = present.map(|present| present.map(tag).into_iter().collect());
        let request = request("node:1");
        let survey = Survey {
            upstream: [(request.image.clone(), upstream.map(UpstreamTag::from))].into(),
            destinations: [(repository(&request), tags)].into(),
            ..Survey::default()
        };
        let text = plan(vec![request], &survey, None, now()).to_string();
        assert_eq!(text, format!("{expected}\n"));
    }

    #[test]
    fn an_equal_digest_is_kept() {
        let expected = format!("keep    {NODE}  aaaaaaaaaaaa");
        check(Ok(digest('a')), Ok(Some(digest('a'))), &expected);
    }

    #[test]
    fn a_moved_or_new_tag_is_copied() {
        let moved = format!("copy    {NODE}  bbbbbbbbbbbb replaces aaaaaaaaaaaa");
        check(Ok(digest('b')), Ok(Some(digest('a'))), &moved);
        let new = format!("copy    {NODE}  bbbbbbbbbbbb is new");
        check(Ok(digest('b')), Ok(None), &new);
    }

    #[test]
    fn an_unknown_side_never_counts_as_up_to_date() {
        let limit = Error::new(Side::Source, Cause::PullLimit, "find");
        let expected = format!("refuse  {NODE}  {}", limit.chain());
        check(Err(limit), Ok(Some(digest('a'))), &expected);
        let denied = Error::new(Side::Destination, Cause::Denied, "list");
        let expected = format!("refuse  {NODE}  {}", denied.chain());
        check(Ok(digest('a')), Err(denied), &expected);
    }

    #[test]
    fn content_under_another_tag_is_only_tagged() {
        let request = request("node:1");
        let tags: RepositoryTags = [("2".to_owned(), digest('a'))].into();
        let survey = Survey {
            upstream: [(request.image.clone(), Ok(digest('a').into()))].into(),
            destinations: [(repository(&request), Ok(tags))].into(),
            ..Survey::default()
        };
        let text = plan(vec![request], &survey, None, now()).to_string();
        let expected = format!("tag     {NODE}  aaaaaaaaaaaa is there under another tag\n");
        assert_eq!(text, expected);
    }

    #[test]
    fn what_the_budget_has_no_pulls_for_is_deferred_with_the_numbers() {
        let requests = vec![request("node:1"), request("redis:1")];
        let mut survey = Survey::default();
        for (request, character) in requests.iter().zip(['a', 'b']) {
            let tag = UpstreamTag {
                is_index: Some(false),
                is_metered: true,
                ..digest(character).into()
            };
            survey.upstream.insert(request.image.clone(), Ok(tag));
            let tags = Ok(RepositoryTags::new());
            survey.destinations.insert(repository(request), tags);
        }
        let quota = Quota::parse(Some("100;w=21600"), Some("11;w=21600"));
        let budget = Budget::from_quota(Some(quota), Reserve::Percent(10));
        let text = plan(requests, &survey, budget.as_ref(), now()).to_string();
        let why = "source: cannot copy docker.io/library/redis:1: not enough Docker Hub pulls left: \
                   it costs 1 pull, and 11 of 100 pulls are left, of which 10 are reserved for others";
        let expected =
            format!("copy    {NODE}  aaaaaaaaaaaa is new, for 1 pull\ndefer   {REDIS}  {why}\n");
        assert_eq!(text, expected);
    }
}
