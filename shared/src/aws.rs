//! Amazon Web Services: clients that are created when they are first needed, and the calls.
//!
//! * `keychain`: credentials of registries, from Secrets Manager and ECR;
//! * `ecr`, `ecr_public`: repositories and their resource tags;
//! * `repository`: a repository of either service (`control_plane`: what both services share);
//! * `parameters`, `queue`, `scheduler`, `logs`, `notices`: one service each.

mod control_plane;
mod ecr;
mod ecr_public;
mod keychain;
mod logs;
mod mutability;
mod notices;
mod parameters;
mod queue;
mod repository;
mod scheduler;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecr::config::{Credentials, RuntimeComponents, SharedHttpClient};
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use tokio::sync::OnceCell;

pub use control_plane::{MAX_LAYERS_PER_CALL, Prepared};
pub use ecr_public::PublicRegistry;
pub use keychain::AwsKeychain;
pub use mutability::Mutability;
pub use repository::Repository;

use crate::error::{Cause, Error, Side};
use crate::sync::lock;

/// How long one attempt of a call may take. The SDK's default is no limit.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// AWS, reached with the credentials of the environment.
#[derive(Default)]
pub struct Aws {
    emulator: Option<String>,
    config: OnceCell<SdkConfig>,
    /// Clients by region: each image needs one.
    ecr: Mutex<HashMap<String, aws_sdk_ecr::Client>>,
    ecr_public: OnceCell<aws_sdk_ecrpublic::Client>,
    public_registry: OnceCell<PublicRegistry>,
}

impl Aws {
    /// An emulator of AWS at `endpoint`, in us-east-1, with credentials that no other endpoint accepts.
    pub fn emulated_at(endpoint: &str) -> Self {
        Self {
            emulator: Some(endpoint.to_owned()),
            ..Self::default()
        }
    }

    async fn config(&self) -> &SdkConfig {
        // Boxed: the futures of all callers would otherwise hold these 11 KB, mostly once per image.
        self.config
            .get_or_init(|| Box::pin(load(self.emulator.as_deref())))
            .await
    }

    /// The region of this process.
    pub async fn region(&self) -> Result<String, Error> {
        let region = self.config().await.region().map(ToString::to_string);
        region.ok_or_else(|| {
            Error::new(Side::Configuration, Cause::Invalid, "find the AWS region")
                .because("set AWS_REGION")
        })
    }

    async fn ecr(&self, region: &str) -> aws_sdk_ecr::Client {
        let config = self.config().await;
        let mut clients = lock(&self.ecr);
        let client = clients.entry(region.to_owned()).or_insert_with(|| {
            let region = Region::new(region.to_owned());
            let config = aws_sdk_ecr::config::Builder::from(config).region(region);
            aws_sdk_ecr::Client::from_conf(config.build())
        });
        client.clone()
    }

    /// The API of ECR Public exists in us-east-1 only, whatever the region of its callers.
    async fn ecr_public(&self) -> aws_sdk_ecrpublic::Client {
        let create = || async {
            let region = Region::from_static("us-east-1");
            let config = aws_sdk_ecrpublic::config::Builder::from(self.config().await);
            aws_sdk_ecrpublic::Client::from_conf(config.region(region).build())
        };
        self.ecr_public.get_or_init(create).await.clone()
    }
}

async fn load(emulator: Option<&str>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .timeout_config(timeouts);
    match emulator {
        None => loader.load().await,
        Some(endpoint) => {
            let credentials = Credentials::new("AKIDEMULATOR", "emulator", None, None, "emulator");
            let region = Region::from_static("us-east-1");
            loader
                .endpoint_url(endpoint)
                .region(region)
                .credentials_provider(credentials)
                .load()
                .await
        }
    }
}

/// One HTTP client for all SDK clients, which share its connections. By default the SDK creates one
/// for each of its clients: each would connect, and read the system's certificates, again.
fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

/// The error of an SDK call. The SDK has already retried what is worth a retry.
fn error<E>(side: Side, action: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let mut cause = match (error.code(), error) {
        (Some(code), _) => cause(code),
        (None, SdkError::ServiceError(_) | SdkError::ConstructionFailure(_)) => Cause::Unexpected,
        (None, SdkError::ResponseError(_)) => Cause::Interrupted,
        (None, _) if messages(error).contains("credentials") => Cause::BadCredential,
        (None, _) => Cause::Interrupted,
    };
    let is_server_error = error
        .raw_response()
        .is_some_and(|response| response.status().is_server_error());
    if cause == Cause::Unexpected && is_server_error {
        cause = Cause::Unavailable;
    }
    let why = match error.message() {
        Some(message) => format!("{}: {message}", error.code().unwrap_or("error")),
        None => messages(error),
    };
    Error::new(side, cause, action).because(why)
}

/// The messages of an error and its causes. Never their `Debug`, which can hold a response's body.
fn messages(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// The cause that an error code means. The AWS APIs use the same codes, with or without `Exception`
/// at the end.
fn cause(code: &str) -> Cause {
    match code.trim_end_matches("Exception") {
        "Throttling" | "Throttled" | "TooManyRequests" | "RequestThrottled" => {
            Cause::Throttled { retry_after: None }
        }
        "AccessDenied" | "NotAuthorized" | "KMSAccessDenied" => Cause::Denied,
        "UnrecognizedClient"
        | "InvalidClientTokenId"
        | "ExpiredToken"
        | "InvalidSignature"
        | "MissingAuthenticationToken" => Cause::BadCredential,
        "RepositoryNotFound" | "ResourceNotFound" | "ParameterNotFound" | "ImageNotFound"
        | "RegistryNotFound" => Cause::NotFound,
        "Server"
        | "InternalFailure"
        | "InternalService"
        | "ServiceUnavailable"
        | "InternalServerError" => Cause::Unavailable,
        code if code.ends_with("NonExistentQueue") || code.ends_with("QueueDoesNotExist") => {
            Cause::NotFound
        }
        code if code.contains("Invalid") || code.contains("Validation") => Cause::Invalid,
        _ => Cause::Unexpected,
    }
}
