//! The retry schedule: which deferred images are tried again, and when.
//!
//! There is one schedule for all images; images that are deferred later join it. Its time never moves
//! to a later one, so that new images cannot keep earlier ones waiting. What still does not fit then is
//! deferred again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::catalogue::Options;
use crate::image::reference::ImageRef;

/// The largest input that EventBridge Scheduler takes, in bytes
/// (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Target.html>).
const MAX_INPUT_BYTES: usize = 256 * 1024;

/// What is tried again, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySchedule {
    /// When.
    pub at: Timestamp,
    /// Which images, and with which options. `None` is the whole catalogue: there are too many images
    /// to name them.
    pub images: Option<BTreeMap<ImageRef, Options>>,
}

/// An image in the catalogue's shape. Options that are left out are the catalogue's.
#[derive(Serialize, Deserialize)]
struct ScheduledImage {
    image: ImageRef,
    #[serde(flatten)]
    options: Options,
}

impl RetrySchedule {
    /// A schedule for `images`.
    pub fn new(at: Timestamp, images: impl IntoIterator<Item = (ImageRef, Options)>) -> Self {
        let images = Some(join(BTreeMap::new(), images));
        Self { at, images }
    }

    /// This schedule together with the `known` one. A known one whose time has passed counts no more.
    #[must_use]
    pub fn join(self, known: Option<Self>, now: Timestamp) -> Self {
        let Some(known) = known.filter(|known| known.at > now) else {
            return self;
        };
        let images = match (self.images, known.images) {
            (Some(images), Some(known)) => Some(join(known, images)),
            _ => None,
        };
        let at = self.at.min(known.at);
        Self { at, images }
    }

    /// Whether everything that `other` tries again is tried again here.
    pub fn covers(&self, other: &Self) -> bool {
        match (&self.images, &other.images) {
            (None, _) => true,
            (Some(images), Some(others)) => join(images.clone(), others.clone()) == *images,
            (Some(_), None) => false,
        }
    }

    /// The event that `refresh` gets: a catalogue document with the images, or without images for the
    /// whole catalogue.
    pub fn input(&self) -> String {
        let mut event =
            json!({"command": "refresh", "execution_id": "<aws.scheduler.execution-id>"});
        let whole_catalogue = event.to_string();
        let images: Vec<Value> = self.scheduled_images().collect();
        if images.is_empty() {
            return whole_catalogue;
        }
        event["images"] = images.into();
        let input = event.to_string();
        if input.len() <= MAX_INPUT_BYTES {
            input
        } else {
            whole_catalogue
        }
    }

    fn scheduled_images(&self) -> impl Iterator<Item = Value> {
        let images = self.images.iter().flatten();
        images.map(|(image, options)| {
            let (image, options) = (image.clone(), options.clone());
            json!(ScheduledImage { image, options })
        })
    }

    /// Reads what [`RetrySchedule::input`] wrote. An input that cannot be read is the whole catalogue.
    pub fn parse(at: Timestamp, input: &str) -> Self {
        #[derive(Deserialize)]
        struct Event {
            images: Vec<ScheduledImage>,
        }
        let event: Option<Event> = serde_json::from_str(input).ok();
        let images = event.map(|event| {
            let images = event.images.into_iter();
            join(BTreeMap::new(), images.map(|it| (it.image, it.options)))
        });
        Self { at, images }
    }
}

/// `known` with `more`: each image with the options of both.
fn join(
    mut known: BTreeMap<ImageRef, Options>,
    more: impl IntoIterator<Item = (ImageRef, Options)>,
) -> BTreeMap<ImageRef, Options> {
    for (image, options) in more {
        known
            .entry(image)
            .or_insert_with(|| options.clone())
            .join(&options);
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Catalogue, Document};
    use crate::image::platform::Platforms;
    use crate::request::TriggerKind;
    use crate::request::refresh_event::{self, RefreshScope};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    fn schedule(seconds: i64, images: &[&str]) -> RetrySchedule {
        schedule_for(seconds, &["private"], images)
    }

    fn schedule_for(seconds: i64, to: &[&str], images: &[&str]) -> RetrySchedule {
        let to = to.iter().map(|&name| name.to_owned()).collect();
        let options = Options {
            to,
            platforms: Some(Platforms::ALL),
            ..Options::default()
        };
        RetrySchedule::new(
            at(seconds),
            images
                .iter()
                .map(|image| (image.parse().unwrap(), options.clone())),
        )
    }

    #[test]
    fn an_input_is_read_back_as_it_was_written() {
        let written = schedule(9, &["node:21", "redis:7"]);
        assert_eq!(
            written.input(),
            concat!(
                r#"{"command":"refresh","#,
                r#""execution_id":"<aws.scheduler.execution-id>","#,
                r#""images":["#,
                r#"{"image":"docker.io/library/node:21","#,
                r#""platforms":"all","to":["private"]},"#,
                r#"{"image":"docker.io/library/redis:7","#,
                r#""platforms":"all","to":["private"]}"#,
                "]}",
            )
        );
        assert_eq!(RetrySchedule::parse(at(9), &written.input()), written);
    }

    #[test]
    fn the_sample_is_what_the_scheduler_delivers_and_refresh_reads() {
        let sample: Value = include_str!("../../../events/retry-schedule-delivered.json")
            .parse()
            .unwrap();
        let asked = schedule(9, &["nginx:1.27-alpine", "node:24-alpine"]);
        let delivered = asked
            .input()
            .replace("<aws.scheduler.execution-id>", "d32c5kddcf5bb8c3");
        assert_eq!(delivered.parse::<Value>().unwrap(), sample);
        let (scope, trigger) = refresh_event::parse(&sample, "request").unwrap();
        assert_eq!(
            (trigger.kind, trigger.id.as_str()),
            (TriggerKind::Schedule, "d32c5kddcf5bb8c3")
        );
        let RefreshScope::Inline(document) = scope else {
            panic!("not these images alone")
        };
        let catalogue = Catalogue::merge(&[Document::parse("event", &document).unwrap()]).unwrap();
        let images = catalogue
            .images
            .into_iter()
            .map(|image| (image.image, image.options))
            .collect();
        assert_eq!(Some(images), asked.images);
    }

    #[test]
    fn images_that_are_deferred_later_join_and_the_time_never_moves_to_a_later_one() {
        let known = schedule(100, &["node:21"]);
        let joined = schedule(500, &["redis:7"]).join(Some(known.clone()), at(0));
        assert_eq!(joined, schedule(100, &["node:21", "redis:7"]));
        assert_eq!(
            schedule(50, &["node:21"]).join(Some(known.clone()), at(0)),
            schedule(50, &["node:21"])
        );
        assert_eq!(
            schedule(500, &["redis:7"]).join(Some(known), at(100)),
            schedule(500, &["redis:7"]),
            "it has passed"
        );
    }

    #[test]
    fn an_image_that_is_scheduled_twice_goes_to_the_destinations_of_both() {
        let private = schedule_for(9, &["private"], &["node:21"]);
        let public = schedule_for(9, &["public"], &["node:21"]);
        assert!(!private.covers(&public));
        let both = public.clone().join(Some(private.clone()), at(0));
        assert_eq!(both, schedule_for(9, &["private", "public"], &["node:21"]));
        assert!(both.covers(&private) && both.covers(&public));
    }

    #[test]
    fn more_images_than_fit_into_the_input_are_the_whole_catalogue() {
        let names: Vec<String> = (0..9000)
            .map(|n| format!("team/application-with-a-long-name-{n}:1"))
            .collect();
        let many = schedule(1, &names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(
            many.input(),
            r#"{"command":"refresh","execution_id":"<aws.scheduler.execution-id>"}"#
        );
        let all = RetrySchedule::parse(at(1), &many.input());
        assert_eq!(all.images, None);
        assert!(all.covers(&many) && !many.covers(&all));
        assert_eq!(
            schedule(1, &["node:21"]).join(Some(all), at(0)).images,
            None
        );
    }
}
