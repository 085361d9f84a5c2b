//! Private registries of Amazon ECR, one per region, with their API.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};

use crate::aws::{ActionResult, AwsError};
use crate::downloads::{self, Downloads};
use crate::ecr_api::{EcrApi, seconds};
use crate::ecr_tokens::EcrTokens;
use crate::listener::{Listener, Server};
use crate::registry::{self, Authentication, Registry, RegistryConfig, RegistryKind};
use crate::shared_state::SharedState;
use crate::{ACCOUNT, Faults};

/// The regions in which the account has a registry.
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// Amazon ECR of the account [`ACCOUNT`]; clones share its contents.
#[derive(Clone)]
pub struct Ecr {
    registries: Vec<(&'static str, Registry)>,
    tokens: EcrTokens,
}

impl Ecr {
    pub(crate) async fn start(
        shared: &SharedState,
        tokens: &EcrTokens,
        servers: &mut Vec<Server>,
    ) -> Self {
        let faults = Faults::default();
        let mut registries = Vec::new();
        for region in REGIONS {
            let listeners = [Listener::bind().await, Listener::bind().await];
            registries.push((
                region,
                open(region, listeners, (shared, tokens, &faults), servers),
            ));
        }
        Self {
            registries,
            tokens: tokens.clone(),
        }
    }

    /// The registry of a region: `us-east-1` or `eu-west-1`.
    ///
    /// # Panics
    /// In any other region.
    pub fn region(&self, region: &str) -> &Registry {
        self.at(region)
            .unwrap_or_else(|| panic!("no registry in {region}"))
    }

    /// Every region with its registry.
    pub fn regions(&self) -> impl Iterator<Item = (&'static str, &Registry)> {
        self.registries
            .iter()
            .map(|(region, registry)| (*region, registry))
    }

    /// The faults of all regions and of the blob bucket (whose requests have the kind
    /// `s3.blob.get`).
    pub fn faults(&self) -> &Faults {
        self.registries[0].1.faults()
    }

    /// A password of the user `AWS` in `region`, valid for 12 hours, as `aws ecr
    /// get-login-password` prints it.
    pub fn password(&self, region: &str) -> String {
        let decoded = BASE64
            .decode(self.tokens.issue(region).token)
            .unwrap_or_default();
        String::from_utf8_lossy(&decoded)
            .trim_start_matches("AWS:")
            .to_owned()
    }

    /// Answers the next `requests` manifest `PUT`s with 429, as for more than ten per second.
    pub fn throttle_put_image(&self, requests: u32) {
        self.throttle("manifest.put", requests);
    }

    /// Answers the next `times` requests of `kind` (`manifest.head`, `upload.post`; see
    /// [`Counts`](crate::Counts)) in any region with `429 TOOMANYREQUESTS: Rate exceeded`.
    pub fn throttle(&self, kind: &str, times: u32) {
        self.faults().status(kind, 429, times);
    }

    /// Runs an API action.
    pub(crate) fn call(&self, region: &str, action: &str, input: &Value) -> ActionResult {
        let elsewhere = || {
            AwsError::new(
                "InvalidParameterException",
                format!("the account has no registry in {region}"),
            )
        };
        let registry = self.at(region).ok_or_else(elsewhere)?;
        let api = EcrApi::new(
            registry,
            format!("arn:aws:ecr:{region}:{ACCOUNT}:repository/"),
        );
        api.permit("ecr", action, input)?;
        match action {
            "GetAuthorizationToken" => Ok(self.authorization(region, registry.host())),
            "PutAccountSetting" => api.put_account_setting(input),
            "GetAccountSetting" => api.account_setting(input),
            "PutImageTagMutability" => api.put_mutability(input),
            "PutLifecyclePolicy" => api.put_lifecycle_policy(input),
            "GetLifecyclePolicy" => api.lifecycle_policy(input),
            "ListImages" => api.list_images(input),
            "BatchGetImage" => api.batch_get_image(input),
            _ => api.common(action, input),
        }
    }

    fn authorization(&self, region: &str, host: &str) -> Value {
        let authorization = self.tokens.issue(region);
        json!({ "authorizationData": [{
            "authorizationToken": authorization.token,
            "expiresAt": seconds(authorization.expires_at),
            "proxyEndpoint": format!("https://{host}"),
        }] })
    }

    fn at(&self, region: &str) -> Option<&Registry> {
        self.registries
            .iter()
            .find(|(name, _)| *name == region)
            .map(|(_, registry)| registry)
    }
}

/// Starts the registry of one region and its blob bucket.
fn open(
    region: &'static str,
    [front, bucket]: [Listener; 2],
    (shared, tokens, faults): (&SharedState, &EcrTokens, &Faults),
    servers: &mut Vec<Server>,
) -> Registry {
    let host = format!("{ACCOUNT}.dkr.ecr.{region}.amazonaws.com");
    let downloads = Downloads {
        name: "s3",
        endpoint: bucket.url(),
        faults: faults.clone(),
        shared: shared.clone(),
    };
    let registry = Registry::new(RegistryConfig {
        name: "ecr",
        host: host.clone(),
        endpoint: front.url(),
        kind: RegistryKind::Ecr,
        authentication: Authentication::EcrBasic {
            tokens: tokens.clone(),
            region,
            host,
        },
        downloads: Some(downloads.clone()),
        meter: None,
        faults: faults.clone(),
        shared: shared.clone(),
    });
    servers.push(front.serve(registry::router(registry.clone())));
    servers.push(bucket.serve(downloads::router(downloads)));
    registry
}
