//! Amazon ECR Public: one registry in us-east-1, with the alias `my-alias`.

use serde_json::{Value, json};

use crate::aws::Answer;
use crate::control::{Desk, seconds};
use crate::downloads::{self, Downloads};
use crate::ecr::EcrTokens;
use crate::listener::{Listener, Server};
use crate::registry::{self, Dialect, Gate, Parts, Registry, Surroundings};
use crate::{ACCOUNT, Faults};

/// The alias of the account's public registry.
pub const ALIAS: &str = "my-alias";

/// The public registry of the account; clones share its contents.
#[derive(Clone)]
pub struct EcrPublic {
    registry: Registry,
    tokens: EcrTokens,
}

impl EcrPublic {
    pub(crate) async fn start(surroundings: &Surroundings, tokens: &EcrTokens, servers: &mut Vec<Server>) -> Self {
        let [front, cdn] = [Listener::bind().await, Listener::bind().await];
        let faults = Faults::default();
        let downloads = Downloads {
            name: "cloudfront",
            endpoint: cdn.url(),
            faults: faults.clone(),
            surroundings: surroundings.clone(),
        };
        let registry = Registry::new(Parts {
            name: "ecr_public",
            host: "public.ecr.aws".into(),
            endpoint: front.url(),
            dialect: Dialect::EcrPublic { alias: ALIAS },
            gate: Gate::EcrBearer { tokens: tokens.clone(), realm: format!("{}/token/", front.url()) },
            downloads: Some(downloads.clone()),
            meter: None,
            faults,
            surroundings: surroundings.clone(),
        });
        servers.push(front.serve(registry::router(registry.clone())));
        servers.push(cdn.serve(downloads::router(downloads)));
        Self { registry, tokens: tokens.clone() }
    }

    /// What is in the registry. Its repositories have their names without the alias.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Answers an action of the control plane.
    pub(crate) fn call(&self, action: &str, input: &Value) -> Answer {
        let desk = Desk::new(&self.registry, format!("arn:aws:ecr-public::{ACCOUNT}:repository/"));
        desk.permit("ecr-public", action, input)?;
        match action {
            "GetAuthorizationToken" => Ok(self.authorization()),
            "DescribeRegistries" => Ok(registries()),
            "DescribeImageTags" => desk.describe_image_tags(input),
            _ => desk.common(action, input),
        }
    }

    fn authorization(&self) -> Value {
        let authorization = self.tokens.issue("public");
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
