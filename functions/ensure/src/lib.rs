//! `ensure`: a build asks for images and gets back names that are ready to be pulled.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use image_replicator::engine::{Replicator, Session};
use image_replicator::error::{Cause, Error, Side};
use image_replicator::image::reference::{ImageRef, InvalidReference};
use image_replicator::outcome::report::{Done, ImageReport, Outcome, Policy, Report};
use image_replicator::request::{Request, Trigger, TriggerKind};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

/// What a build asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Image references with a tag, a digest or both, as a Dockerfile has them: `node:21-alpine`.
    pub images: Vec<String>,
    /// The longest time, in seconds, until the answer where something is to be copied; the function's own deadline holds besides.
    #[serde(default = "five_minutes")]
    pub wait_seconds: u64,
    /// Whether an older copy is good enough when upstream cannot be read.
    #[serde(default = "yes")]
    pub allow_stale: bool,
}

fn five_minutes() -> u64 {
    300
}

fn yes() -> bool {
    true
}

impl Wanted {
    /// Reads the event of an invocation.
    pub fn parse(event: &Value) -> Result<Self, Error> {
        let not_understood = |why: &str| {
            let want = r#"{"images":["node:21-alpine"],"wait_seconds":300,"allow_stale":true}"#;
            let why = format!("{why}; want {want}");
            Error::new(
                Side::Configuration,
                Cause::Invalid,
                "understand the request",
            )
            .because(why)
        };
        let wanted =
            Self::deserialize(event).map_err(|error| not_understood(&error.to_string()))?;
        // An answer without images would be `ok`, and a build would go on without what it needs.
        if wanted.images.is_empty() {
            Err(not_understood("it names no images"))
        } else {
            Ok(wanted)
        }
    }
}

/// Makes sure that the images are in the mirror and level with upstream, and answers for each, in the order asked.
///
/// With a queue, builds that start at once share one copy: each hands its wish to the queue and waits for the digest to appear.
/// Without one this function copies by itself. An image goes where the catalogue sends it, else to the default destinations. What is level costs one HEAD upstream and
/// one look at the destination. A text that names no image hides no other.
pub async fn handle(
    wanted: &Wanted,
    request_id: &str,
    deadline: SystemTime,
    replicator: &Replicator,
) -> Result<Report, Error> {
    let trigger = Trigger {
        kind: TriggerKind::OnDemand,
        id: request_id.to_owned(),
    };
    let mut session = Session::until(deadline, Timestamp::now().into());
    let end = Instant::now().checked_add(Duration::from_secs(wanted.wait_seconds));
    let asked: Vec<Result<ImageRef, InvalidReference>> =
        wanted.images.iter().map(|text| text.parse()).collect();
    let unique: BTreeSet<&ImageRef> = asked.iter().flatten().collect();
    let mut outcomes = bring(
        unique.into_iter(),
        &trigger,
        (&mut session, end),
        replicator,
    )
    .await?;
    // With a queue the worker records what it did, and what it put off.
    if replicator.settings().queue_url.is_none() {
        replicator.postpone(&mut outcomes, None).await;
        let news: Vec<Outcome> = outcomes
            .iter()
            .filter(|outcome| !is_unchanged(outcome))
            .cloned()
            .collect();
        replicator.record(&news, &session).await;
    }

    let policy = if wanted.allow_stale {
        Policy::UseStale
    } else {
        Policy::RefuseStale
    };
    let answer = |(asked, text): (&Result<ImageRef, InvalidReference>, &String)| match asked {
        Ok(image) => {
            let outcome = outcomes.iter().find(|outcome| outcome.image == *image);
            ImageReport::from_outcome(outcome.expect("there is an outcome for each image"), policy)
        }
        Err(problem) => ImageReport::failed(text, problem.to_string()),
    };
    let images = asked.iter().zip(&wanted.images).map(answer).collect();
    let report = Report::new(images, replicator.quota());
    report.log(&trigger);
    Ok(report)
}

/// Looks for as long as `run` lasts; copying, or waiting for copies, ends at `end`.
async fn bring(
    images: impl Iterator<Item = &ImageRef>,
    trigger: &Trigger,
    (session, end): (&mut Session, Option<Instant>),
    replicator: &Replicator,
) -> Result<Vec<Outcome>, Error> {
    let catalogue = replicator.any_catalogue().await?;
    let images: Vec<_> = images
        .map(|image| catalogue.resolve(image.clone()))
        .collect();
    let mut requests = replicator.requests(&catalogue, &images, trigger).await;
    requests.iter_mut().for_each(leave_out_what_waits);
    let asked = replicator.now();
    let survey = replicator.survey(&requests, session).await;
    if let Some(end) = end {
        session.end_by(end);
    }
    let mut outcomes = replicator
        .act(replicator.plan(&requests, &survey), session)
        .await;
    replicator.await_copies(&mut outcomes, session, asked).await;
    Ok(outcomes)
}

/// A build has no use for a public copy that is not there yet, as long as it has another.
fn leave_out_what_waits(request: &mut Request) {
    if request.targets.iter().any(|target| !target.waits_for_scan) {
        request.targets.retain(|target| !target.waits_for_scan);
    }
}

fn is_unchanged(outcome: &Outcome) -> bool {
    outcome.places.iter().all(|place| {
        place
            .result
            .as_ref()
            .is_ok_and(|done| *done == Done::Unchanged)
    })
}
