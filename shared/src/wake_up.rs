//! The wake-up: what was put off for want of pulls, and when it is tried again.
//!
//! One schedule, whatever its images: what is put off later joins it. Its time never moves away from those that wait already, so
//! that new wishes cannot keep old ones waiting for ever; what still does not fit then is put off again.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::reference::ImageRef;

/// The largest input that EventBridge Scheduler takes, in bytes
/// (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Target.html>).
const MAX_INPUT: usize = 256 * 1024;

/// What is tried again, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WakeUp {
    /// When.
    pub at: Timestamp,
    /// Which images; `None`: all of the catalogue, because there are too many to be named.
    pub images: Option<BTreeSet<ImageRef>>,
}

impl WakeUp {
    /// A wake-up for `images`.
    pub fn new(at: Timestamp, images: impl IntoIterator<Item = ImageRef>) -> Self {
        Self { at, images: Some(images.into_iter().collect()) }
    }

    /// This one together with the `known` one that was asked for before. One whose time has come wakes nobody any more.
    #[must_use]
    pub fn join(self, known: Option<Self>, now: Timestamp) -> Self {
        let Some(known) = known.filter(|known| known.at > now) else { return self };
        let images = self.images.zip(known.images).map(|(images, known)| &images | &known);
        Self { at: self.at.min(known.at), images }
    }

    /// Whether everything that `wanted` names is waited for here.
    pub fn covers(&self, wanted: &Self) -> bool {
        match (&self.images, &wanted.images) {
            (None, _) => true,
            (Some(images), Some(wanted)) => wanted.is_subset(images),
            (Some(_), None) => false,
        }
    }

    /// The event that `refresh` gets: a catalogue document with the images, or none for everything.
    pub fn input(&self) -> String {
        let event = json!({"command": "refresh", "execution_id": "<aws.scheduler.execution-id>"});
        let images = self.images.iter().flatten().map(|image| json!({"image": image})).collect::<Vec<Value>>();
        if images.is_empty() {
            return event.to_string();
        }
        let mut named = event.clone();
        named["images"] = images.into();
        let text = named.to_string();
        if text.len() <= MAX_INPUT { text } else { event.to_string() }
    }

    /// Reads what [`WakeUp::input`] wrote. What cannot be read is taken for everything.
    pub fn read(at: Timestamp, input: &str) -> Self {
        #[derive(Deserialize)]
        struct Event {
            images: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            image: ImageRef,
        }
        let event: Option<Event> = serde_json::from_str(input).ok();
        Self { at, images: event.map(|event| event.images.into_iter().map(|entry| entry.image).collect()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Catalogue, Document};
    use crate::request::{TriggerKind, Wish, wish};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    fn wake_up(seconds: i64, images: &[&str]) -> WakeUp {
        WakeUp::new(at(seconds), images.iter().map(|image| image.parse().unwrap()))
    }

    #[test]
    fn an_input_is_read_back_as_it_was_written() {
        let wake_up = wake_up(9, &["node:21", "redis:7"]);
        assert_eq!(
            wake_up.input(),
            r#"{"command":"refresh","execution_id":"<aws.scheduler.execution-id>","images":[{"image":"docker.io/library/node:21"},{"image":"docker.io/library/redis:7"}]}"#
        );
        assert_eq!(WakeUp::read(at(9), &wake_up.input()), wake_up);
    }

    #[test]
    fn the_sample_is_what_the_scheduler_delivers_and_refresh_understands() {
        let sample: Value = include_str!("../../events/wake-up-delivered.json").parse().unwrap();
        let asked = wake_up(9, &["nginx:1.27-alpine", "node:24-alpine"]);
        let delivered = asked.input().replace("<aws.scheduler.execution-id>", "d32c5kddcf5bb8c3");
        assert_eq!(delivered.parse::<Value>().unwrap(), sample);
        let (wish, trigger) = wish(&sample, "request").unwrap();
        assert_eq!((trigger.kind, trigger.id.as_str()), (TriggerKind::Schedule, "d32c5kddcf5bb8c3"));
        let Wish::Inline(document) = wish else { panic!("not these images alone") };
        let catalogue = Catalogue::merge(&[Document::parse("event", &document).unwrap()]).unwrap();
        let images: BTreeSet<ImageRef> = catalogue.images.into_iter().map(|wanted| wanted.image).collect();
        assert_eq!(Some(images), asked.images);
    }

    #[test]
    fn what_is_put_off_later_joins_and_the_time_never_moves_away() {
        let known = wake_up(100, &["node:21"]);
        let joined = wake_up(500, &["redis:7"]).join(Some(known.clone()), at(0));
        assert_eq!(joined, wake_up(100, &["node:21", "redis:7"]));
        assert_eq!(wake_up(50, &["node:21"]).join(Some(known.clone()), at(0)), wake_up(50, &["node:21"]));
        assert_eq!(wake_up(500, &["redis:7"]).join(Some(known), at(100)), wake_up(500, &["redis:7"]), "it has passed");
    }

    #[test]
    fn more_images_than_can_be_named_are_all() {
        let names = (0..9000).map(|n| format!("team/application-with-a-long-name-{n}:1").parse().unwrap());
        let many = WakeUp::new(at(1), names);
        assert_eq!(many.input(), r#"{"command":"refresh","execution_id":"<aws.scheduler.execution-id>"}"#);
        let all = WakeUp::read(at(1), &many.input());
        assert_eq!(all.images, None);
        assert!(all.covers(&many) && !many.covers(&all));
        assert_eq!(wake_up(1, &["node:21"]).join(Some(all), at(0)).images, None);
    }
}
