//! The cloud: all services together.

use crate::control_plane::{self, Services};
use crate::ecr_tokens::EcrTokens;
use crate::listener::{Listener, Server};
use crate::shared_state::SharedState;
use crate::{
    Clock, Counts, Ecr, EcrPublic, Events, Failures, Hub, Logs, Parameters, Registry, Scheduler,
    Secrets, Sns, Sqs, UntrustedServer, oci_registries,
};

/// Every service of the embedded cloud, listening on free ports of 127.0.0.1 until this is dropped.
pub struct Cloud {
    /// Docker Hub.
    pub hub: Hub,
    /// Amazon ECR.
    pub ecr: Ecr,
    /// Amazon ECR Public.
    pub ecr_public: EcrPublic,
    /// A registry like quay.io: it requires tokens, which anyone can get.
    pub quay: Registry,
    /// An OCI registry without authentication.
    pub open: Registry,
    /// A pull-through cache of Docker Hub, like mirror.gcr.io: read-only and without
    /// authentication.
    pub hub_cache: Registry,
    /// A server that belongs to no registry. No credential may reach it.
    pub untrusted_server: UntrustedServer,
    /// AWS Secrets Manager.
    pub secrets: Secrets,
    /// AWS Systems Manager Parameter Store.
    pub parameters: Parameters,
    /// Amazon SQS.
    pub sqs: Sqs,
    /// Amazon EventBridge.
    pub events: Events,
    /// Amazon EventBridge Scheduler.
    pub scheduler: Scheduler,
    /// Amazon SNS.
    pub sns: Sns,
    /// Amazon `CloudWatch` Logs.
    pub logs: Logs,
    /// The counters of all services.
    pub counts: Counts,
    /// Planned failures of AWS actions.
    pub failures: Failures,
    /// The clock of all services.
    pub clock: Clock,
    control_plane: String,
    servers: Vec<Server>,
}

impl Cloud {
    /// Starts all services, empty.
    pub async fn start() -> Self {
        let shared = SharedState::default();
        let clock = shared.clock.clone();
        let tokens = EcrTokens::new(clock.clone());
        let mut servers = Vec::new();
        let listener = Listener::bind().await;
        let mut cloud = Self {
            hub: Hub::start(&shared, &mut servers).await,
            ecr: Ecr::start(&shared, &tokens, &mut servers).await,
            ecr_public: EcrPublic::start(&shared, &tokens, &mut servers).await,
            quay: oci_registries::start_with_tokens(&shared, &mut servers).await,
            open: oci_registries::start_open(&shared, &mut servers).await,
            hub_cache: oci_registries::start_hub_cache(&shared, &mut servers).await,
            untrusted_server: UntrustedServer::start(&shared, &mut servers).await,
            secrets: Secrets::new(clock.clone()),
            parameters: Parameters::new(),
            sqs: Sqs::new(clock.clone()),
            events: Events::default(),
            scheduler: Scheduler::new(clock.clone()),
            sns: Sns::default(),
            logs: Logs::new(clock.clone()),
            counts: shared.counts.clone(),
            failures: Failures::default(),
            clock,
            control_plane: listener.url(),
            servers,
        };
        cloud.sqs.base(&cloud.control_plane);
        cloud
            .servers
            .push(listener.serve(control_plane::router(cloud.services())));
        cloud
    }

    /// The variables that point the AWS SDK and the replicator at this cloud.
    pub fn environment(&self) -> Vec<(String, String)> {
        let registries = self
            .registries()
            .map(|(host, endpoint)| format!("{host}={endpoint}"));
        let variables = [
            ("AWS_ENDPOINT_URL", self.control_plane.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEMBEDDEDCLOUD"),
            ("AWS_SECRET_ACCESS_KEY", "embedded-cloud-secret"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            (
                "REPLICATOR_REGISTRY_ENDPOINTS",
                &registries.collect::<Vec<_>>().join(","),
            ),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// The address of the AWS APIs: the value of `AWS_ENDPOINT_URL`.
    pub fn control_plane(&self) -> &str {
        &self.control_plane
    }

    /// Every registry with a public host name, with its address here.
    fn registries(&self) -> impl Iterator<Item = (&str, &str)> {
        let ecr = self.ecr.regions().map(|(_, registry)| registry);
        let all = ecr.chain([
            self.hub.registry(),
            self.ecr_public.registry(),
            &self.quay,
            &self.hub_cache,
        ]);
        all.map(|registry| (registry.host(), registry.endpoint()))
    }

    fn services(&self) -> Services {
        Services {
            ecr: self.ecr.clone(),
            ecr_public: self.ecr_public.clone(),
            secrets: self.secrets.clone(),
            parameters: self.parameters.clone(),
            sqs: self.sqs.clone(),
            events: self.events.clone(),
            scheduler: self.scheduler.clone(),
            sns: self.sns.clone(),
            logs: self.logs.clone(),
            counts: self.counts.clone(),
            failures: self.failures.clone(),
        }
    }
}
