//! Amazon ECR Public: the registry of the account in us-east-1, with the alias `my-alias`, and the
//! ECR Public gallery, which holds the images of other publishers.
//!
//! Both have one address, and everyone may read both. Requests are counted as `ecr_public.…` and
//! `public.…`. Requests with an anonymous token are also counted as `ecr_public.anonymous` and
//! `public.anonymous`.

use serde_json::{Value, json};

use crate::aws::ActionResult;
use crate::downloads::{self, Downloads};
use crate::ecr_api::{EcrApi, seconds};
use crate::ecr_tokens::EcrTokens;
use crate::listener::{Listener, Server};
use crate::registry::{Authentication, Registry, RegistryConfig, RegistryKind};
use crate::shared_state::SharedState;
use crate::{ACCOUNT, Faults, Image};

mod endpoint;

use endpoint::Endpoint;

/// The alias of the account's public registry.
pub const ALIAS: &str = "my-alias";

/// The public registry of the account and the ECR Public gallery; clones share their contents.
#[derive(Clone)]
pub struct EcrPublic {
    registry: Registry,
    gallery: Registry,
    tokens: EcrTokens,
}

impl EcrPublic {
    pub(crate) async fn start(
        shared: &SharedState,
        tokens: &EcrTokens,
        servers: &mut Vec<Server>,
    ) -> Self {
        let [front, cdn] = [Listener::bind().await, Listener::bind().await];
        let faults = Faults::default();
        let downloads = Downloads {
            name: "cloudfront",
            endpoint: cdn.url(),
            faults: faults.clone(),
            shared: shared.clone(),
        };
        let open = |name, kind| {
            Registry::new(RegistryConfig {
                name,
                host: "public.ecr.aws".into(),
                endpoint: front.url(),
                kind,
                authentication: Authentication::EcrBearer {
                    tokens: tokens.clone(),
                    realm: format!("{}/token/", front.url()),
                },
                downloads: Some(downloads.clone()),
                meter: None,
                faults: faults.clone(),
                shared: shared.clone(),
            })
        };
        let registry = open("ecr_public", RegistryKind::EcrPublic { alias: ALIAS });
        let gallery = open("public", RegistryKind::Gallery);
        let router = endpoint::router(Endpoint {
            registry: registry.clone(),
            gallery: gallery.clone(),
            tokens: tokens.clone(),
            counts: shared.counts.clone(),
        });
        servers.push(front.serve(router));
        servers.push(cdn.serve(downloads::router(downloads)));
        Self {
            registry,
            gallery,
            tokens: tokens.clone(),
        }
    }

    /// The registry of the account. Its repository names have no alias.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Publishes an image under the alias of another publisher: `docker/library/node` is read as
    /// `public.ecr.aws/docker/library/node`. The account cannot write it.
    pub fn publish_to_gallery(&self, repository: &str, tag: &str, image: &Image) {
        self.gallery.push(repository, tag, image);
    }

    /// The ECR Public gallery. Its repository names begin with the aliases of the publishers.
    pub fn gallery(&self) -> &Registry {
        &self.gallery
    }

    /// The faults of both registries, of the token service (kind `token`), and of the CDN (kind
    /// `cloudfront.blob.get`).
    pub fn faults(&self) -> &Faults {
        self.registry.faults()
    }

    /// Answers the next `times` requests of `kind` (`manifest.get`, `token`; see
    /// [`Counts`](crate::Counts)) with `429 TOOMANYREQUESTS: Rate exceeded`. It applies to both
    /// registries.
    pub fn throttle(&self, kind: &str, times: u32) {
        self.faults().status(kind, 429, times);
    }

    /// Runs an API action.
    pub(crate) fn call(&self, action: &str, input: &Value) -> ActionResult {
        let api = EcrApi::new(
            &self.registry,
            format!("arn:aws:ecr-public::{ACCOUNT}:repository/"),
        );
        api.permit("ecr-public", action, input)?;
        match action {
            "GetAuthorizationToken" => Ok(self.authorization()),
            "DescribeRegistries" => Ok(registries()),
            "DescribeImageTags" => api.describe_image_tags(input),
            _ => api.common(action, input),
        }
    }

    fn authorization(&self) -> Value {
        let authorization = self.tokens.issue_public();
        json!({ "authorizationData": {
            "authorizationToken": authorization.token,
            "expiresAt": seconds(authorization.expires_at),
        } })
    }
}

fn registries() -> Value {
    json!({ "registries": [{
        "registryId": ACCOUNT,
        "registryArn": format!("arn:aws:ecr-public::{ACCOUNT}:registry/{ACCOUNT}"),
        "registryUri": format!("public.ecr.aws/{ALIAS}"),
        "verified": false,
        "aliases": [{ "name": ALIAS, "status": "ACTIVE", "primaryRegistryAlias": true, "defaultRegistryAlias": true }],
    }] })
}
