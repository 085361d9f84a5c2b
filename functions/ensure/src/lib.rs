//! `ensure`: a build names images and gets back references that can be pulled.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use image_replicator::engine::{Job, Records, Replicator, Session};
use image_replicator::error::{Cause, Error, Side};
use image_replicator::image::reference::{ImageRef, InvalidReference};
use image_replicator::outcome::Outcome;
use image_replicator::outcome::report::{ImageReport, Policy, Report};
use image_replicator::request::{Request, Trigger, TriggerKind};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

/// The longest time to wait: more than a Lambda function can run.
const MAX_WAIT: Duration = Duration::from_hours(24);

/// What a build asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnsureRequest {
    /// Image references with a tag, a digest or both, as in a Dockerfile: `node:21-alpine`.
    pub images: Vec<String>,
    /// The longest time, in seconds, to wait for copies. The function's own deadline holds besides.
    #[serde(default = "default_wait_seconds")]
    pub wait_seconds: u64,
    /// Whether an older copy is good enough when upstream cannot be read.
    #[serde(default = "default_allow_stale")]
    pub allow_stale: bool,
}

fn default_wait_seconds() -> u64 {
    300
}

fn default_allow_stale() -> bool {
    true
}

impl EnsureRequest {
    /// Reads the event of an invocation. A request without images is an error: a build would go on
    /// without what it needs.
    pub fn parse(event: &Value) -> Result<Self, Error> {
        let request =
            Self::deserialize(event).map_err(|error| not_understood(&error.to_string()))?;
        if request.images.is_empty() {
            return Err(not_understood("it names no images"));
        }
        Ok(request)
    }

    fn wait(&self) -> Duration {
        Duration::from_secs(self.wait_seconds).min(MAX_WAIT)
    }
}

fn not_understood(why: &str) -> Error {
    let form = r#"{"images":["node:21-alpine"],"wait_seconds":300,"allow_stale":true}"#;
    let error = Error::new(
        Side::Configuration,
        Cause::Invalid,
        "understand the request",
    );
    error.because(format!("{why}; send {form}"))
}

/// Makes sure that the images are in the mirror and up to date, and answers for each, in their order.
///
/// With a queue, builds that start together share one copy: each sends its request to the queue and
/// waits until the digest is there. Without one, this function copies itself. An image goes to its
/// destinations in the catalogue, else to the default ones. An image that is up to date costs one HEAD
/// upstream and one read at the destination. A text that is no image affects no other.
pub async fn handle(
    request: &EnsureRequest,
    request_id: &str,
    deadline: SystemTime,
    replicator: &Replicator,
) -> Result<Report, Error> {
    let wait_until = Instant::now() + request.wait();
    let session = Session::until(deadline, Timestamp::now().into());
    let trigger = Trigger {
        kind: TriggerKind::OnDemand,
        id: request_id.to_owned(),
    };
    let images: Vec<Result<ImageRef, InvalidReference>> =
        request.images.iter().map(|text| text.parse()).collect();
    let unique: BTreeSet<&ImageRef> = images.iter().flatten().collect();
    let job = Job {
        records: Records::OwnCopies,
        wait_until: Some(wait_until),
        ..Job::new(
            requests(unique, &trigger, replicator).await?,
            trigger.clone(),
        )
    };
    let finished = replicator.run(job, &session).await;

    let policy = if request.allow_stale {
        Policy::UseStale
    } else {
        Policy::RefuseStale
    };
    let mut answers = Vec::with_capacity(images.len());
    for (image, text) in images.iter().zip(&request.images) {
        answers.push(match image {
            Ok(image) => ImageReport::from_outcome(find(&finished.outcomes, image), policy),
            Err(problem) => ImageReport::failed(text, problem.to_string()),
        });
    }
    let report = Report::new(answers, replicator.quota());
    report.log(&trigger);
    Ok(report)
}

fn find<'a>(outcomes: &'a [Outcome], image: &ImageRef) -> &'a Outcome {
    let outcome = outcomes.iter().find(|it| it.request.image == *image);
    outcome.expect("there is an outcome for each image")
}

async fn requests(
    images: BTreeSet<&ImageRef>,
    trigger: &Trigger,
    replicator: &Replicator,
) -> Result<Vec<Request>, Error> {
    let catalogue = replicator.catalogue_or_default().await?;
    let images = images.into_iter().cloned();
    let images: Vec<_> = images.map(|image| catalogue.resolve(image)).collect();
    let mut requests = replicator.requests(&catalogue, &images, trigger).await;
    for request in &mut requests {
        leave_out_scanned_targets(request);
    }
    Ok(requests)
}

/// A build cannot use a public copy that waits for a scan, as long as it has another copy.
fn leave_out_scanned_targets(request: &mut Request) {
    if request.targets.iter().any(|target| !target.waits_for_scan) {
        request.targets.retain(|target| !target.waits_for_scan);
    }
}
