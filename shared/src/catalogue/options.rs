//! The options of an image: one value, which travels from the catalogue to the plan, the queue, the
//! report and the retry.
//!
//! A new option is a field here. `join` says what two statements of it come to, and serde carries it
//! through the queue's message and the retry schedule; a default value is left out there.

use serde::{Deserialize, Serialize};

use crate::catalogue::document::PlatformsSpec;
use crate::image::platform::Platforms;

/// How an image, or each tag that a selector takes, is mirrored. Serialized in the catalogue's shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Names of destinations, in order, each once. Empty if the document does not set it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Images of a higher priority are copied first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i32,
    /// The platforms that are copied. `None` if the document does not set it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "platforms_spec"
    )]
    pub platforms: Option<Platforms>,
}

impl Options {
    /// Adds what another statement wants of the same image: it goes to the destinations of both, with
    /// the platforms of both, at the higher priority.
    pub fn join(&mut self, other: &Self) {
        self.platforms = match (self.platforms.take(), other.platforms.clone()) {
            (Some(mine), Some(theirs)) => Some(mine.or(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        self.priority = self.priority.max(other.priority);
        for name in &other.to {
            if !self.to.contains(name) {
                self.to.push(name.clone());
            }
        }
    }

    /// The platforms that are copied; all where nothing else is set.
    pub fn platforms(&self) -> &Platforms {
        static ALL: Platforms = Platforms::ALL;
        self.platforms.as_ref().unwrap_or(&ALL)
    }

    /// The options as the queue's message carries them: it names its targets, and all platforms are
    /// the default.
    #[must_use]
    pub fn for_message(&self) -> Self {
        let mut options = self.clone();
        options.to.clear();
        options.priority = 0;
        options.platforms = options.platforms.filter(|platforms| !platforms.is_all());
        options
    }

    /// The options with which a retry asks for the image again, at the destinations `to` only.
    #[must_use]
    pub fn for_retry(&self, to: Vec<String>) -> Self {
        let mut options = self.clone();
        options.to = to;
        options.priority = 0;
        options.platforms = Some(self.platforms().clone());
        options
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Platforms in the shape of the catalogue: `all`, or a list.
mod platforms_spec {
    use super::{Deserialize, Platforms, PlatformsSpec, Serialize};

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(super) fn serialize<S: serde::Serializer>(
        platforms: &Option<Platforms>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        platforms.clone().map(PlatformsSpec).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Platforms>, D::Error> {
        let spec = Option::<PlatformsSpec>::deserialize(deserializer)?;
        Ok(spec.map(|PlatformsSpec(platforms)| platforms))
    }
}
