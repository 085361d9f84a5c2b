//! The engine: everything that a run needs, and the run itself.
//!
//! * [`run`]: survey → plan → act → defer → record → notify; only it knows the order,
//! * `catalogue`, `roots`, `tag_lists`: what the requests are made of,
//! * `survey`, `enrich`: what is there, upstream and at the destinations,
//! * `enqueue`, `wait`: the queue, and waiting for its workers,
//! * `copy`: copying here, with what one [`Session`] shares: `known_content`, `rate`,
//! * `defer`, `record`, `notify`, `metrics`: what is made of the outcomes.

mod catalogue;
mod copy;
mod defer;
mod enqueue;
mod enrich;
mod known_content;
mod metrics;
mod notify;
mod rate;
mod record;
mod roots;
pub mod run;
mod session;
mod survey;
mod tag_lists;
mod wait;

use std::sync::Arc;

use jiff::Timestamp;

pub use run::{Finished, Job, Prepared, Records, Retry, Route, Scope, Upstream};
pub use session::Session;

use crate::aws::{Aws, AwsKeychain};
use crate::error::Error;
use crate::plan::budget::Budget;
use crate::plan::quota::Quota;
use crate::registry::Registries;
use crate::settings::Settings;

/// Everything that a run needs. It holds connections and tokens, which warm invocations use again.
pub struct Replicator {
    settings: Settings,
    aws: Arc<Aws>,
    keychain: Arc<AwsKeychain>,
    registries: Registries,
    clock: Clock,
}

/// Gives the current time.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

impl Replicator {
    /// A replicator that reaches AWS through `aws`. Nothing is sent yet.
    pub fn new(settings: Settings, aws: Aws) -> Result<Self, Error> {
        let aws = Arc::new(aws);
        let secret = settings.docker_hub_secret.clone();
        let keychain = Arc::new(AwsKeychain::new(Arc::clone(&aws), secret));
        let registries = Registries::new(&settings, Arc::clone(&keychain) as _)?;
        Ok(Self {
            settings,
            aws,
            keychain,
            registries,
            clock: Box::new(Timestamp::now),
        })
    }

    /// The replicator of this process, with settings and AWS from the environment.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(Settings::from_env()?, Aws::default())
    }

    /// The same with `clock`, by which it plans and records. Deadlines are kept by the machine's own.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Docker Hub's quota as last seen; `None` when no request went to Docker Hub.
    pub fn quota(&self) -> Option<Quota> {
        self.registries.meter().quota()
    }

    /// The pulls that may be spent, as far as Docker Hub has sent its quota.
    pub fn budget(&self) -> Option<Budget> {
        self.registries.meter().budget()
    }

    /// The last lines of a log stream, oldest first.
    pub async fn log_tail(&self, group: &str, stream: &str) -> Result<String, Error> {
        self.aws.log_tail(group, stream).await
    }
}
