//! Private registries of Amazon ECR, one a region, with their control plane.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};

use crate::aws::{Answer, AwsError};
use crate::control::{Desk, seconds};
use crate::downloads::{self, Downloads};
use crate::listener::{Listener, Server};
use crate::registry::{self, Dialect, Gate, Parts, Registry, Surroundings};
use crate::{ACCOUNT, Faults};

mod tokens;

pub(crate) use tokens::{Authorization, EcrTokens};

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
        surroundings: &Surroundings,
        tokens: &EcrTokens,
        servers: &mut Vec<Server>,
    ) -> Self {
        let faults = Faults::default();
        let mut registries = Vec::new();
        for region in REGIONS {
            let listeners = [Listener::bind().await, Listener::bind().await];
            registries.push((
                region,
                open(region, listeners, (surroundings, tokens, &faults), servers),
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

    /// What goes wrong in all regions, also at the bucket that blobs come from (whose requests are of the kind `s3.blob.get`).
    pub fn faults(&self) -> &Faults {
        self.registries[0].1.faults()
    }

    /// A password for user `AWS` in `region`, good for 12 hours: what `aws ecr get-login-password` prints.
    pub fn password(&self, region: &str) -> String {
        let decoded = BASE64
            .decode(self.tokens.issue(region).token)
            .unwrap_or_default();
        String::from_utf8_lossy(&decoded)
            .trim_start_matches("AWS:")
            .to_owned()
    }

    /// Answers the next `requests` manifest `PUT`s with 429, as when more than ten come in a second.
    pub fn throttle_put_image(&self, requests: u32) {
        self.throttle("manifest.put", requests);
    }

    /// Answers the next `times` requests of `kind` (`manifest.head`, `upload.post`; see [`Counts`](crate::Counts)) in any region
    /// with `429 TOOMANYREQUESTS: Rate exceeded`.
    pub fn throttle(&self, kind: &str, times: u32) {
        self.faults().status(kind, 429, times);
    }

    /// Answers an action of the control plane.
    pub(crate) fn call(&self, region: &str, action: &str, input: &Value) -> Answer {
        let elsewhere = || {
            AwsError::new(
                "InvalidParameterException",
                format!("the account has no registry in {region}"),
            )
        };
        let registry = self.at(region).ok_or_else(elsewhere)?;
        let desk = Desk::new(
            registry,
            format!("arn:aws:ecr:{region}:{ACCOUNT}:repository/"),
        );
        desk.permit("ecr", action, input)?;
        match action {
            "GetAuthorizationToken" => Ok(self.authorization(region, registry.host())),
            "PutAccountSetting" => desk.put_account_setting(input),
            "GetAccountSetting" => desk.account_setting(input),
            "PutImageTagMutability" => desk.put_mutability(input),
            "PutLifecyclePolicy" => desk.put_lifecycle_policy(input),
            "GetLifecyclePolicy" => desk.lifecycle_policy(input),
            "ListImages" => desk.list_images(input),
            "BatchGetImage" => desk.batch_get_image(input),
            _ => desk.common(action, input),
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

/// Opens the registry of one region: its front, and the bucket behind it.
fn open(
    region: &'static str,
    [front, bucket]: [Listener; 2],
    (surroundings, tokens, faults): (&Surroundings, &EcrTokens, &Faults),
    servers: &mut Vec<Server>,
) -> Registry {
    let host = format!("{ACCOUNT}.dkr.ecr.{region}.amazonaws.com");
    let downloads = Downloads {
        name: "s3",
        endpoint: bucket.url(),
        faults: faults.clone(),
        surroundings: surroundings.clone(),
    };
    let registry = Registry::new(Parts {
        name: "ecr",
        host: host.clone(),
        endpoint: front.url(),
        dialect: Dialect::Ecr,
        gate: Gate::EcrBasic {
            tokens: tokens.clone(),
            region,
            host,
        },
        downloads: Some(downloads.clone()),
        meter: None,
        faults: faults.clone(),
        surroundings: surroundings.clone(),
    });
    servers.push(front.serve(registry::router(registry.clone())));
    servers.push(bucket.serve(downloads::router(downloads)));
    registry
}
