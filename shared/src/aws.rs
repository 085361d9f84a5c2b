//! Amazon Web Services: clients that are made when they are first needed, and what is asked of them.
//!
//! * `keychain`: credentials of registries, from Secrets Manager and ECR,
//! * `ecr`, `ecr_public`: repositories and their resource tags,
//! * `repository`: one repository, of either kind,
//! * `parameters`, `queue`, `scheduler`, `logs`, `notices`.

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
use std::sync::{Mutex, PoisonError};
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

pub use ecr_public::PublicRegistry;
pub use keychain::AwsKeychain;
pub use mutability::Mutability;
pub use repository::{MAX_LAYERS_PER_CALL, Prepared, Repository};

use crate::error::{Cause, Error, Side};
use crate::image::digest::Digest;
use crate::plan::survey::RepositoryTags;

/// How long one attempt of a call may take, and its connection to come about: the SDK itself waits for an answer without end.
const ATTEMPT: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(5);

/// AWS, reached with the credentials of the environment.
#[derive(Default)]
pub struct Aws {
    emulator: Option<String>,
    config: OnceCell<SdkConfig>,
    /// Clients by region: each image that is copied needs one.
    ecr: Mutex<HashMap<String, aws_sdk_ecr::Client>>,
    ecr_public: OnceCell<aws_sdk_ecrpublic::Client>,
    public_registry: OnceCell<PublicRegistry>,
}

impl Aws {
    /// An emulator of AWS at `endpoint`, in us-east-1, with credentials that mean nothing elsewhere.
    pub fn emulated_at(endpoint: &str) -> Self {
        Self {
            emulator: Some(endpoint.to_owned()),
            ..Self::default()
        }
    }

    async fn config(&self) -> &SdkConfig {
        // Boxed: whatever reaches AWS would carry these 11 KB, most of it once for each image.
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
        let mut clients = self.ecr.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let config =
                aws_sdk_ecr::config::Builder::from(config).region(Region::new(region.to_owned()));
            aws_sdk_ecr::Client::from_conf(config.build())
        };
        clients
            .entry(region.to_owned())
            .or_insert_with(make)
            .clone()
    }

    /// ECR Public has its API in us-east-1 alone, whatever region its callers are in.
    async fn ecr_public(&self) -> aws_sdk_ecrpublic::Client {
        let make = || async {
            let config = aws_sdk_ecrpublic::config::Builder::from(self.config().await);
            aws_sdk_ecrpublic::Client::from_conf(
                config.region(Region::from_static("us-east-1")).build(),
            )
        };
        self.ecr_public.get_or_init(make).await.clone()
    }
}

async fn load(emulator: Option<&str>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
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

/// What the SDK would make for each of its clients, made once: all of them share its connections. Else each would connect, and read
/// the system's certificates, for every repository that is looked at.
fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

/// Takes in one image of a page: each of its tags stands for its digest.
fn take_in(mirror: &mut RepositoryTags, digest: Option<&str>, tags: &[String]) {
    if let Some(digest) = digest.and_then(|digest| digest.parse::<Digest>().ok()) {
        mirror.extend(tags.iter().map(|tag| (tag.clone(), digest.clone())));
    }
}

/// What an SDK's error means, by its code. The SDK has retried what is worth it by the time it answers.
fn error<E>(side: Side, action: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let cause = match (error.code(), error) {
        (Some(code), _) => cause(code),
        (None, SdkError::ServiceError(_) | SdkError::ConstructionFailure(_)) => Cause::Unexpected,
        (None, SdkError::ResponseError(_)) => Cause::Interrupted,
        (None, _) if said(error).contains("credentials") => Cause::BadCredential,
        (None, _) => Cause::Interrupted,
    };
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    let cause = if cause == Cause::Unexpected && status.is_some_and(|status| status >= 500) {
        Cause::Unavailable
    } else {
        cause
    };
    let message = error
        .message()
        .map(|message| format!("{}: {message}", error.code().unwrap_or("error")));
    Error::new(side, cause, action).because(message.unwrap_or_else(|| said(error)))
}

/// The messages of an error and its causes, and never their `Debug`, which can hold the body of an answer.
fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Codes that the AWS APIs share, with and without `Exception` at their end.
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
