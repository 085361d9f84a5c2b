//! Requests: an image, its options, its targets, and what triggered it. Pure.
//!
//! * [`resolve`]: from the catalogue's images to requests, and from a target back to its image,
//! * [`refresh_event`]: what a `refresh` event asks for.

mod owners;
pub mod refresh_event;
pub mod resolve;
mod target;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::catalogue::Options;
use crate::error::Error;
use crate::image::platform::Platforms;
use crate::image::reference::{ImageRef, RepositoryRef};

/// One upstream image and the targets that it is requested for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The upstream tag or pin.
    pub image: ImageRef,
    /// How it is mirrored.
    pub options: Options,
    /// Where it is copied to, each target once.
    pub targets: Vec<Target>,
    /// Names under which origins may have the same bytes, best first.
    pub origins: Vec<ImageRef>,
    /// Why some of the destinations have no target.
    pub unresolved: Vec<Error>,
    /// What triggered it.
    pub trigger: Trigger,
}

impl Request {
    /// The platforms that are copied.
    pub fn platforms(&self) -> &Platforms {
        self.options.platforms()
    }
}

/// One reference at a destination that an image is copied to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The destination's name in the catalogue.
    pub destination: String,
    /// The image's name there, ready for `docker pull`.
    pub uri: ImageRef,
    /// Whether a scan of the private copy has to find nothing first (`publish: after-clean-scan`).
    #[serde(skip)]
    pub waits_for_scan: bool,
}

/// What triggered a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The kind of event.
    pub kind: TriggerKind,
    /// The event's own identifier, for tracing.
    pub id: String,
}

/// The kinds of event that lead to copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerKind {
    /// A schedule.
    Schedule,
    /// A failed pull.
    PullFailure,
    /// An image scan.
    Scan,
    /// A person, a build or another program.
    OnDemand,
}

/// Where the images of each destination are, by the destination's name: the registry's host, and the
/// path that all names begin with (the alias at ECR Public); or why that could not be found out.
pub type DestinationRoots = BTreeMap<String, Result<RepositoryRef, Error>>;
