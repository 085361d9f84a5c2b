//! The wake-up: what was put off for want of pulls, and when it is tried again.
//!
//! One schedule, whatever its images: what is put off later joins it. Its time never moves away from those that wait already, so
//! that new wishes cannot keep old ones waiting for ever; what still does not fit then is put off again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::catalogue::Options;
use crate::catalogue::document::PlatformsSpec;
use crate::image::reference::ImageRef;

/// The largest input that EventBridge Scheduler takes, in bytes
/// (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Target.html>).
const MAX_INPUT: usize = 256 * 1024;

/// What is tried again, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySchedule {
    /// When.
    pub at: Timestamp,
    /// Which images, and how; `None`: all of the catalogue, because there are too many to be named.
    pub images: Option<BTreeMap<ImageRef, Options>>,
}

impl RetrySchedule {
    /// A wake-up for `images`.
    pub fn new(at: Timestamp, images: impl IntoIterator<Item = (ImageRef, Options)>) -> Self {
        Self {
            at,
            images: Some(join(BTreeMap::new(), images)),
        }
    }

    /// This one together with the `known` one that was asked for before. One whose time has come wakes nobody any more.
    #[must_use]
    pub fn join(self, known: Option<Self>, now: Timestamp) -> Self {
        let Some(known) = known.filter(|known| known.at > now) else {
            return self;
        };
        let images = self
            .images
            .zip(known.images)
            .map(|(images, known)| join(known, images));
        Self {
            at: self.at.min(known.at),
            images,
        }
    }

    /// Whether everything that `wanted` names is waited for here.
    pub fn covers(&self, wanted: &Self) -> bool {
        match (&self.images, &wanted.images) {
            (None, _) => true,
            (Some(images), Some(wanted)) => join(images.clone(), wanted.clone()) == *images,
            (Some(_), None) => false,
        }
    }

    /// The event that `refresh` gets: a catalogue document with the images, or none for everything.
    pub fn input(&self) -> String {
        let event = json!({"command": "refresh", "execution_id": "<aws.scheduler.execution-id>"});
        let images = self
            .images
            .iter()
            .flatten()
            .map(|(image, options)| json!(Entry::of(image, options)))
            .collect::<Vec<Value>>();
        if images.is_empty() {
            return event.to_string();
        }
        let mut named = event.clone();
        named["images"] = images.into();
        let text = named.to_string();
        if text.len() <= MAX_INPUT {
            text
        } else {
            event.to_string()
        }
    }

    /// Reads what [`RetrySchedule::input`] wrote. What cannot be read is taken for everything.
    pub fn read(at: Timestamp, input: &str) -> Self {
        #[derive(Deserialize)]
        struct Event {
            images: Vec<Entry>,
        }
        let event: Option<Event> = serde_json::from_str(input).ok();
        Self {
            at,
            images: event.map(|event| {
                join(
                    BTreeMap::new(),
                    event.images.into_iter().map(Entry::options),
                )
            }),
        }
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

/// An image in the catalogue's shape. What is left out, the catalogue says.
#[derive(Serialize, Deserialize)]
struct Entry {
    image: ImageRef,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    to: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platforms: Option<PlatformsSpec>,
}

impl Entry {
    fn of(image: &ImageRef, options: &Options) -> Self {
        let platforms = options.platforms.clone().map(PlatformsSpec);
        Self {
            image: image.clone(),
            to: options.to.clone(),
            platforms,
        }
    }

    fn options(self) -> (ImageRef, Options) {
        let platforms = self.platforms.map(|PlatformsSpec(platforms)| platforms);
        (
            self.image,
            Options {
                to: self.to,
                platforms,
                ..Options::default()
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Catalogue, Document};
    use crate::image::platform::Platforms;
    use crate::request::{RefreshScope, TriggerKind, wish};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    fn wake_up(seconds: i64, images: &[&str]) -> RetrySchedule {
        wake_up_for(seconds, &["private"], images)
    }

    fn wake_up_for(seconds: i64, to: &[&str], images: &[&str]) -> RetrySchedule {
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
        let wake_up = wake_up(9, &["node:21", "redis:7"]);
        assert_eq!(
            wake_up.input(),
            r#"{"command":"refresh","execution_id":"<aws.scheduler.execution-id>","images":[{"image":"docker.io/library/node:21","platforms":"all","to":["private"]},{"image":"docker.io/library/redis:7","platforms":"all","to":["private"]}]}"#
        );
        assert_eq!(RetrySchedule::read(at(9), &wake_up.input()), wake_up);
    }

    #[test]
    fn the_sample_is_what_the_scheduler_delivers_and_refresh_understands() {
        let sample: Value = include_str!("../../../events/wake-up-delivered.json")
            .parse()
            .unwrap();
        let asked = wake_up(9, &["nginx:1.27-alpine", "node:24-alpine"]);
        let delivered = asked
            .input()
            .replace("<aws.scheduler.execution-id>", "d32c5kddcf5bb8c3");
        assert_eq!(delivered.parse::<Value>().unwrap(), sample);
        let (wish, trigger) = wish(&sample, "request").unwrap();
        assert_eq!(
            (trigger.kind, trigger.id.as_str()),
            (TriggerKind::Schedule, "d32c5kddcf5bb8c3")
        );
        let RefreshScope::Inline(document) = wish else {
            panic!("not these images alone")
        };
        let catalogue = Catalogue::merge(&[Document::parse("event", &document).unwrap()]).unwrap();
        let images = catalogue
            .images
            .into_iter()
            .map(|wanted| (wanted.image, wanted.options))
            .collect();
        assert_eq!(Some(images), asked.images);
    }

    #[test]
    fn what_is_put_off_later_joins_and_the_time_never_moves_away() {
        let known = wake_up(100, &["node:21"]);
        let joined = wake_up(500, &["redis:7"]).join(Some(known.clone()), at(0));
        assert_eq!(joined, wake_up(100, &["node:21", "redis:7"]));
        assert_eq!(
            wake_up(50, &["node:21"]).join(Some(known.clone()), at(0)),
            wake_up(50, &["node:21"])
        );
        assert_eq!(
            wake_up(500, &["redis:7"]).join(Some(known), at(100)),
            wake_up(500, &["redis:7"]),
            "it has passed"
        );
    }

    #[test]
    fn an_image_that_is_asked_for_twice_goes_wherever_either_wants_it() {
        let (private, public) = (
            wake_up_for(9, &["private"], &["node:21"]),
            wake_up_for(9, &["public"], &["node:21"]),
        );
        assert!(!private.covers(&public));
        let both = public.clone().join(Some(private.clone()), at(0));
        assert_eq!(both, wake_up_for(9, &["private", "public"], &["node:21"]));
        assert!(both.covers(&private) && both.covers(&public));
    }

    #[test]
    fn more_images_than_can_be_named_are_all() {
        let names: Vec<String> = (0..9000)
            .map(|n| format!("team/application-with-a-long-name-{n}:1"))
            .collect();
        let many = wake_up(1, &names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(
            many.input(),
            r#"{"command":"refresh","execution_id":"<aws.scheduler.execution-id>"}"#
        );
        let all = RetrySchedule::read(at(1), &many.input());
        assert_eq!(all.images, None);
        assert!(all.covers(&many) && !many.covers(&all));
        assert_eq!(wake_up(1, &["node:21"]).join(Some(all), at(0)).images, None);
    }
}
