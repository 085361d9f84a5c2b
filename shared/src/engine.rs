//! The replicator: settings, AWS and registries put together, and the verbs that the functions and the command line call.
//!
//! `catalogue`, [`expand`](Replicator::expand) and `places` prepare, [`survey`](Replicator::survey) looks, [`carry_out`](Replicator::carry_out) copies or
//! [`enqueue`](Replicator::enqueue) hands over, [`record`](Replicator::record) remembers and announces.

mod copy;
mod defer;
mod enqueue;
mod enrich;
mod known_content;
mod metrics;
mod notify;
mod rate;
mod record;
mod session;
mod survey;
mod tag_lists;
mod wait;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
pub use record::Scope;
pub use session::Session;

use crate::aws::{Aws, AwsKeychain};
use crate::catalogue::{
    Catalogue, CatalogueImage, Destination, DestinationKind, Document, Origin, Problems,
};
use crate::error::{Cause, Error, Side};
use crate::image::host::{ECR_PUBLIC, Host, ecr_host};
use crate::image::reference::RepositoryRef;
use crate::outcome::report::Outcome;
use crate::plan::quota::Quota;
use crate::plan::{Plan, Survey, plan};
use crate::registry::Registries;
use crate::request::{self, DestinationRoots, Request, Trigger, TriggerKind};
use crate::settings::{Location, Settings};

/// Everything that a run needs. It holds connections and tokens, so that warm invocations use them again.
pub struct Replicator {
    settings: Settings,
    aws: Arc<Aws>,
    keychain: Arc<AwsKeychain>,
    registries: Registries,
    clock: Clock,
}

/// Tells what time it is.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

impl Replicator {
    /// A replicator that reaches AWS through `aws`. Nothing is sent yet.
    pub fn new(settings: Settings, aws: Aws) -> Result<Self, Error> {
        let aws = Arc::new(aws);
        let keychain = Arc::new(AwsKeychain::new(
            Arc::clone(&aws),
            settings.docker_hub_secret.clone(),
        ));
        let registries = Registries::new(&settings, Arc::clone(&keychain) as _)?;
        Ok(Self {
            settings,
            aws,
            keychain,
            registries,
            clock: Box::new(Timestamp::now),
        })
    }

    /// The same, but for `clock`, by which it plans and records. Deadlines are the machine's business, and stay on its own.
    #[must_use]
    pub fn on(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The replicator of this process: settings and AWS as the environment says.
    pub fn from_env() -> Result<Self, Error> {
        let settings = Settings::from_env().map_err(|problems| {
            Error::new(Side::Configuration, Cause::Invalid, "start").because(problems)
        })?;
        Self::new(settings, Aws::default())
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Docker Hub's quota as last seen; `None` when Docker Hub was not asked.
    pub fn quota(&self) -> Option<Quota> {
        self.registries.meter().quota()
    }

    /// The catalogue, which has to be there.
    pub async fn catalogue(&self) -> Result<Catalogue, Error> {
        if self.settings.catalogue.is_none() {
            return Err(invalid(
                "set REPLICATOR_CATALOGUE to ssm:/path or file:PATH".to_owned(),
            ));
        }
        self.any_catalogue().await
    }

    /// The catalogue, or where there is none, one without images and with the default destination.
    pub async fn any_catalogue(&self) -> Result<Catalogue, Error> {
        Catalogue::merge(&self.documents().await?).map_err(invalid)
    }

    /// The images of `text`, a document with the catalogue's shape, and where they go: as `text` says, else as the catalogue does.
    pub async fn inline(&self, text: &str) -> Result<Catalogue, Error> {
        let event = Document::parse("event", text).map_err(invalid)?;
        Catalogue::with_event(&self.documents().await?, &event).map_err(invalid)
    }

    async fn documents(&self) -> Result<Vec<Document>, Error> {
        let texts = match &self.settings.catalogue {
            None => Vec::new(),
            Some(Location::File(path)) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| invalid(format!("{}: {error}", path.display())))?;
                vec![(path.display().to_string(), text)]
            }
            Some(Location::Ssm(path)) => {
                let found = self.aws.parameters(path).await?;
                if found.is_empty() {
                    return Err(invalid(format!(
                        "there is no parameter below {path}; put one, for example {path}/default"
                    )));
                }
                found
            }
        };
        let (mut documents, mut problems) = (Vec::with_capacity(texts.len()), Problems::default());
        for (name, text) in &texts {
            match Document::parse(name, text) {
                Ok(document) => documents.push(document),
                Err(found) => problems.extend(found),
            }
        }
        problems.or(documents).map_err(invalid)
    }

    /// The requests for `images`, each place spelled out.
    pub async fn requests(
        &self,
        catalogue: &Catalogue,
        images: &[CatalogueImage],
        trigger: &Trigger,
    ) -> Vec<Request> {
        let origins = catalogue.origins.iter().filter_map(|origin| match origin {
            Origin::Destination(name) => Some(name),
            Origin::Registry(_) => None,
        });
        let names: BTreeSet<&String> = images
            .iter()
            .flat_map(|wanted| &wanted.options.to)
            .chain(origins)
            .collect();
        let places = self
            .places(
                names
                    .into_iter()
                    .filter_map(|name| catalogue.destinations.get(name)),
            )
            .await;
        request::requests(catalogue, images, &places, trigger)
    }

    /// The last lines of a log stream, oldest first.
    pub async fn log_tail(&self, group: &str, stream: &str) -> Result<String, Error> {
        self.aws.log_tail(group, stream).await
    }

    /// Brings what `requests` want: looks, plans, and has the queue copy it, or copies it where there is no queue.
    pub async fn bring(&self, requests: &[Request], session: &Session) -> Vec<Outcome> {
        let survey = self.survey(requests, session).await;
        self.act(self.plan(requests, &survey), session).await
    }

    /// Decides what is to be done, within Docker Hub's budget as the survey has just seen it.
    ///
    /// A single wish that goes through the queue is judged by the worker that gets it: it sees what is left by then, and whoever
    /// waits for it hears of it from there.
    pub fn plan(&self, requests: &[Request], survey: &Survey) -> Plan {
        let is_scheduled = |request: &Request| request.trigger.kind == TriggerKind::Schedule;
        let is_judged_here = self.settings.queue_url.is_none() || requests.iter().all(is_scheduled);
        plan(
            requests,
            survey,
            self.budget().filter(|_| is_judged_here).as_ref(),
            self.now(),
        )
    }

    /// Decides what a worker does, within Docker Hub's budget as the survey has just seen it.
    pub fn plan_work(&self, requests: &[Request], survey: &Survey) -> Plan {
        plan(requests, survey, self.budget().as_ref(), self.now())
    }

    /// Has the queue copy what `plan` says, or copies it where there is no queue.
    pub async fn act(&self, plan: Plan, session: &Session) -> Vec<Outcome> {
        match &self.settings.queue_url {
            Some(queue) => self.enqueue(queue, plan).await,
            None => self.carry_out(plan, session, |_| ()).await,
        }
    }

    /// Where the images of each of `destinations` live.
    pub async fn places(
        &self,
        destinations: impl Iterator<Item = &Destination>,
    ) -> DestinationRoots {
        let mut places = DestinationRoots::new();
        for destination in destinations {
            places.insert(destination.name.clone(), self.place(destination).await);
        }
        places
    }

    /// Where the images of `destination` live. What the catalogue leaves open is this account's.
    async fn place(&self, destination: &Destination) -> Result<RepositoryRef, Error> {
        let at = |registry: String, path: String| RepositoryRef { registry, path };
        match &destination.kind {
            DestinationKind::Registry { host } => Ok(at(host.clone(), String::new())),
            DestinationKind::EcrPublic { alias: Some(alias) } => {
                Ok(at(ECR_PUBLIC.to_owned(), alias.clone()))
            }
            DestinationKind::EcrPublic { alias: None } => Ok(at(
                ECR_PUBLIC.to_owned(),
                self.aws.public_registry().await?.alias.clone(),
            )),
            DestinationKind::Ecr { account, region } => self
                .registry_of(account.as_deref(), region.as_deref())
                .await
                .map(|host| at(host, String::new())),
        }
    }

    /// The private registry of `account` in `region`; what is absent is our own.
    pub async fn registry_of(
        &self,
        account: Option<&str>,
        region: Option<&str>,
    ) -> Result<String, Error> {
        let region = match region {
            Some(region) => region.to_owned(),
            None => self.aws.region().await?,
        };
        match account {
            Some(account) => Ok(ecr_host(account, &region)),
            None => self.own_ecr(&region).await,
        }
    }

    /// The account's own registry names itself beside its token, which is needed anyway.
    async fn own_ecr(&self, region: &str) -> Result<String, Error> {
        let host = self.keychain.own_ecr_host(region).await?;
        host.filter(|host| matches!(Host::parse(host), Host::Ecr { .. }))
            .ok_or_else(|| {
                let error = Error::new(
                    Side::Destination,
                    Cause::Unexpected,
                    format!("find the ECR registry of {region}"),
                );
                error.because("the token names no registry; give `account` in the catalogue")
            })
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Side::Configuration, Cause::Invalid, "read the catalogue").because(why)
}
