//! Amazon ECR Public: the account's registry in us-east-1, with the alias `my-alias`, and the gallery of what others publish.
//!
//! Both are behind one address, and everybody may read both; requests are counted as `ecr_public.…` and `public.…`. Those that
//! came with a token for anybody are also counted as `ecr_public.anonymous` and `public.anonymous`.

use serde_json::{Value, json};

use crate::aws::Answer;
use crate::control::{Desk, seconds};
use crate::downloads::{self, Downloads};
use crate::ecr::EcrTokens;
use crate::listener::{Listener, Server};
use crate::registry::{Dialect, Gate, Parts, Registry, Surroundings};
use crate::{ACCOUNT, Faults, Image};

mod front;

use front::Front;

/// The alias of the account's public registry.
pub const ALIAS: &str = "my-alias";

/// The public registry of the account and the gallery; clones share their contents.
#[derive(Clone)]
pub struct EcrPublic {
    registry: Registry,
    gallery: Registry,
    tokens: EcrTokens,
}

impl EcrPublic {
    pub(crate) async fn start(
        surroundings: &Surroundings,
        tokens: &EcrTokens,
        servers: &mut Vec<Server>,
    ) -> Self {
        let [front, cdn] = [Listener::bind().await, Listener::bind().await];
        let faults = Faults::default();
        let downloads = Downloads {
            name: "cloudfront",
            endpoint: cdn.url(),
            faults: faults.clone(),
            surroundings: surroundings.clone(),
        };
        let open = |name, dialect| {
            Registry::new(Parts {
                name,
                host: "public.ecr.aws".into(),
                endpoint: front.url(),
                dialect,
                gate: Gate::EcrBearer {
                    tokens: tokens.clone(),
                    realm: format!("{}/token/", front.url()),
                },
                downloads: Some(downloads.clone()),
                meter: None,
                faults: faults.clone(),
                surroundings: surroundings.clone(),
            })
        };
        let registry = open("ecr_public", Dialect::EcrPublic { alias: ALIAS });
        let gallery = open("public", Dialect::Gallery);
        let router = front::router(Front {
            registry: registry.clone(),
            gallery: gallery.clone(),
            tokens: tokens.clone(),
            counts: surroundings.counts.clone(),
        });
        servers.push(front.serve(router));
        servers.push(cdn.serve(downloads::router(downloads)));
        Self {
            registry,
            gallery,
            tokens: tokens.clone(),
        }
    }

    /// What is in the registry. Its repositories have their names without the alias.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Publishes an image under the alias of somebody else: `docker/library/node` is read as
    /// `public.ecr.aws/docker/library/node`, and nobody here may write it.
    pub fn publish_to_gallery(&self, repository: &str, tag: &str, image: &Image) {
        self.gallery.push(repository, tag, image);
    }

    /// What others published. Its repositories have their names with the aliases.
    pub fn gallery(&self) -> &Registry {
        &self.gallery
    }

    /// What goes wrong in the registry and in the gallery, at the token service (kind `token`), and at the CDN (whose requests
    /// are of the kind `cloudfront.blob.get`).
    pub fn faults(&self) -> &Faults {
        self.registry.faults()
    }

    /// Answers the next `times` requests of `kind` (`manifest.get`, `token`; see [`Counts`](crate::Counts)), to the registry or to
    /// the gallery, with `429 TOOMANYREQUESTS: Rate exceeded`.
    pub fn throttle(&self, kind: &str, times: u32) {
        self.faults().status(kind, 429, times);
    }

    /// Answers an action of the control plane.
    pub(crate) fn call(&self, action: &str, input: &Value) -> Answer {
        let desk = Desk::new(
            &self.registry,
            format!("arn:aws:ecr-public::{ACCOUNT}:repository/"),
        );
        desk.permit("ecr-public", action, input)?;
        match action {
            "GetAuthorizationToken" => Ok(self.authorization()),
            "DescribeRegistries" => Ok(registries()),
            "DescribeImageTags" => desk.describe_image_tags(input),
            _ => desk.common(action, input),
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
