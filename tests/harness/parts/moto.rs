//! moto: the AWS control plane in one process.

use std::{net::SocketAddr, process::Command};

use reqwest::Client;
use serde_json::Value;

use super::{
    process::{Process, free_address},
    tools::python_program,
};

/// The account that moto imitates.
pub const ACCOUNT: &str = "123456789012";
/// The region that the tests use.
pub const REGION: &str = "us-east-1";

/// A service of AWS, by its name in a signature and in `X-Amz-Target`.
#[derive(Clone, Copy, Debug)]
pub enum Service {
    /// Elastic Container Registry.
    Ecr,
    /// Secrets Manager.
    SecretsManager,
    /// Simple Queue Service.
    Sqs,
    /// Systems Manager, for its parameters.
    Ssm,
}

impl Service {
    fn name_and_target(self) -> (&'static str, &'static str) {
        match self {
            Self::Ecr => ("ecr", "AmazonEC2ContainerRegistry_V20150921"),
            Self::SecretsManager => ("secretsmanager", "secretsmanager"),
            Self::Sqs => ("sqs", "AmazonSQS"),
            Self::Ssm => ("ssm", "AmazonSSM"),
        }
    }
}

/// A running moto server.
#[derive(Debug)]
pub struct Moto {
    address: SocketAddr,
    client: Client,
    _process: Process,
}

impl Moto {
    /// Starts an empty AWS account.
    pub async fn start() -> Self {
        let address = free_address();
        let mut command = Command::new(python_program("moto_server"));
        command
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
            .env("MOTO_ACCOUNT_ID", ACCOUNT);
        Self {
            address,
            client: Client::new(),
            _process: Process::serving(&mut command, address).await,
        }
    }

    /// The address of all its APIs.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The variables that point an AWS SDK here.
    pub fn environment(&self) -> Vec<(String, String)> {
        let variables = [
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "testing".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "testing".to_owned()),
            ("AWS_SESSION_TOKEN", "testing".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    /// Calls an operation by its JSON protocol. moto routes by the scope of the signature and does not verify it.
    ///
    /// # Panics
    /// With the response, when it is an error.
    pub async fn call(&self, service: Service, operation: &str, input: &Value) -> Value {
        let (name, target) = service.name_and_target();
        let scope = format!("testing/20260101/{REGION}/{name}/aws4_request");
        let request = self
            .client
            .post(format!("http://{}/", self.address))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("{target}.{operation}"))
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
            )
            .body(input.to_string());
        let response = request.send().await.expect("moto answers");
        let (status, text) = (
            response.status(),
            response.text().await.expect("moto answers with text"),
        );
        assert!(status.is_success(), "{operation}: {status} {text}");
        if text.is_empty() {
            Value::Null
        } else {
            text.parse().expect("moto answers with JSON")
        }
    }
}
