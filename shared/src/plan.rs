//! The plan: what a survey found, turned into what is done. Pure: the plan is a value that can be
//! printed, and its text is the dry run.
//!
//! * [`survey`]: what was found,
//! * [`decide`]: from a survey to a plan,
//! * [`quota`], [`price`], [`budget`]: Docker Hub's limit, what a copy costs, and which copies fit,
//! * [`message`]: a copy as a message of the queue.

pub mod budget;
pub mod decide;
pub mod message;
pub mod price;
pub mod quota;
mod show;
pub mod survey;

use jiff::Timestamp;

use crate::error::Error;
use crate::image::digest::Digest;
use crate::image::reference::RepositoryRef;
use crate::plan::price::Price;
use crate::request::{Request, Target};

/// What is done, image by image, in the order of the requests.
#[derive(Debug, Default)]
pub struct Plan(pub Vec<Planned>);

/// What is done about one request.
#[derive(Debug)]
pub struct Planned {
    /// The request.
    pub request: Request,
    /// The digest of the upstream tag, where it could be found out.
    pub upstream: Option<Digest>,
    /// The pulls that the copy is estimated to cost.
    pub price: Price,
    /// Whether a GET of a manifest upstream is a pull that counts.
    pub is_metered: bool,
    /// A repository with the same digest that counts no pulls: content is read there first.
    pub origin: Option<RepositoryRef>,
    /// One step for each target.
    pub steps: Vec<Step>,
    /// Since when the record marks one of the targets as deferred; `None` if it does not.
    pub deferred_since: Option<Timestamp>,
}

/// What is done about one target.
#[derive(Debug)]
pub struct Step {
    /// The target.
    pub target: Target,
    /// The digest that it has now.
    pub present: Option<Digest>,
    /// What is done.
    pub action: Action,
}

impl Step {
    /// Whether something is sent to the target.
    pub fn is_due(&self) -> bool {
        self.action.write().is_some()
    }
}

/// What is done about one target.
#[derive(Debug)]
pub enum Action {
    /// Nothing: the target is up to date.
    Keep,
    /// Write to the target.
    Write(Write),
    /// Nothing yet: a scan of the private copy has to find nothing first.
    AwaitScan,
    /// Nothing now: the quota has too few pulls left.
    Defer(Error),
    /// Nothing: this error prevents it.
    Refuse(Error),
}

/// What is written to one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Copy this upstream digest.
    Copy(Digest),
    /// Only the tag: the repository has the content under another tag.
    Tag {
        /// The digest upstream.
        upstream: Digest,
        /// The digest in the repository.
        here: Digest,
    },
}

impl Action {
    /// What is written to the target, if anything is.
    pub fn write(&self) -> Option<&Write> {
        match self {
            Self::Write(write) => Some(write),
            _ => None,
        }
    }

    /// The upstream digest that is copied, if one is.
    pub fn copied(&self) -> Option<&Digest> {
        match self {
            Self::Write(Write::Copy(digest)) => Some(digest),
            _ => None,
        }
    }
}

impl Planned {
    /// Whether something is sent to one of the targets.
    pub fn is_due(&self) -> bool {
        self.steps.iter().any(Step::is_due)
    }
}
