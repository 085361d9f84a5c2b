//! The containers of a task or job, and which of their images an error is about.
//!
//! Often only the first container that failed has a reason, or only the task as a whole has one.

use serde_json::Value;

use super::classify::{classify, is_pull_error};
use super::json::string;
use super::{FailureKind, FailureSource, PullFailure, Signal, images, text};
use crate::image::reference;

/// A task or job: its containers, and the messages of its event.
pub(super) struct Workload<'a> {
    pub(super) containers: Vec<Container<'a>>,
    /// Messages about the workload as a whole, the most reliable first.
    pub(super) messages: Vec<&'a str>,
    /// Whether no container ever ran. Then every message may be about a pull; otherwise only those
    /// with an error code of a pull are.
    pub(super) never_started: bool,
}

/// One container: its image, and the reason why it stopped. Either may be empty.
pub(super) struct Container<'a> {
    image: &'a str,
    reason: &'a str,
}

/// An image that could not be pulled, and the message that reports it.
pub(super) struct FailedImage<'a> {
    image: String,
    kind: FailureKind,
    message: &'a str,
}

impl FailedImage<'_> {
    pub(super) fn into_signal(self, source: FailureSource, id: &str) -> Signal {
        Signal::PullFailure(PullFailure {
            image: self.image,
            kind: self.kind,
            message: text::excerpt(self.message),
            source,
            id: text::to_line(id, 300),
        })
    }
}

impl<'a> Container<'a> {
    pub(super) fn new(value: &'a Value) -> Self {
        Self {
            image: string(value, "image"),
            reason: string(value, "reason"),
        }
    }

    /// Whether `text` contains the path of this container's repository.
    fn is_named_in(&self, text: &str) -> bool {
        match reference::parse(self.image) {
            Ok(name) => text.contains(&name.repository.path),
            Err(_) => false,
        }
    }
}

impl<'a> Workload<'a> {
    /// The images that could not be pulled: by the reasons of their own containers, or else by the
    /// first message about a pull.
    pub(super) fn failed_images(&self) -> Vec<FailedImage<'a>> {
        let failed = self.failed_by_own_reason();
        if failed.is_empty() {
            self.failed_by_any_message()
        } else {
            failed
        }
    }

    fn failed_by_own_reason(&self) -> Vec<FailedImage<'a>> {
        let mut failed = Vec::new();
        for container in &self.containers {
            if let Some(kind) = self.classify(container.reason) {
                failed.extend(images_of(&[container], container.reason, kind));
            }
        }
        failed
    }

    /// Blames the containers that the first message about a pull names, or all if it names none.
    fn failed_by_any_message(&self) -> Vec<FailedImage<'a>> {
        for message in self.reasons().chain(self.messages.iter().copied()) {
            if let Some(kind) = self.classify(message) {
                return images_of(&self.suspects(message), message, kind);
            }
        }
        Vec::new()
    }

    fn suspects(&self, message: &str) -> Vec<&Container<'a>> {
        let all = || self.containers.iter();
        let named: Vec<_> = all()
            .filter(|container| container.is_named_in(message))
            .collect();
        if named.is_empty() {
            all().collect()
        } else {
            named
        }
    }

    fn reasons(&self) -> impl Iterator<Item = &'a str> {
        self.containers.iter().map(|container| container.reason)
    }

    fn classify(&self, message: &str) -> Option<FailureKind> {
        if self.never_started || is_pull_error(message) {
            classify(message)
        } else {
            None
        }
    }

    /// Why an event without a failed image is ignored. `what` is a task or a job, `status_reason`
    /// what its event gives as the reason of `status`.
    pub(super) fn reason_to_ignore(&self, what: &str, status: &str, status_reason: &str) -> String {
        let mut reasons = self.reasons().chain([status_reason]);
        if let Some(reason) = reasons.find(|reason| is_pull_error(reason)) {
            return format!("a copy of the image does not resolve this pull error: {reason}");
        }
        if status_reason.is_empty() {
            format!("the {what} is {status}, and no pull failed")
        } else {
            format!("the {what} is {status}, and no pull failed: {status_reason}")
        }
    }
}

/// The images of `containers`, each once. Where the event has no image, those that `message` names.
fn images_of<'a>(
    containers: &[&Container<'_>],
    message: &'a str,
    kind: FailureKind,
) -> Vec<FailedImage<'a>> {
    let mut images: Vec<_> = containers
        .iter()
        .filter_map(|container| text::image(container.image))
        .map(|image| (image, kind))
        .collect();
    images.sort_unstable();
    images.dedup();
    if images.is_empty() {
        images = images::failures(message);
    }
    images
        .into_iter()
        .map(|(image, kind)| FailedImage {
            image,
            kind,
            message,
        })
        .collect()
}
