//! AWS's Lambda runtime interface emulator around one of our function binaries.

use std::{net::SocketAddr, process::Command};

use reqwest::Client;
use serde_json::Value;

use super::{
    process::{Process, free_address, status},
    tools,
};

/// Seconds that an invocation may take: what `template.yaml` gives.
const TIMEOUT_SECONDS: &str = "900";

/// A function that waits for events.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    client: Client,
    process: Process,
}

impl Emulator {
    /// Starts the emulator for the function `name` with nothing but this environment.
    pub async fn start(name: &str, environment: &[(String, String)]) -> Self {
        let (address, runtime) = (free_address(), free_address());
        let mut command = Command::new(tools::lambda_emulator());
        command
            .args(["--runtime-interface-emulator-address", &address.to_string()])
            .args(["--runtime-api-address", &runtime.to_string()])
            .arg(tools::function(name))
            .env_clear()
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", TIMEOUT_SECONDS)
            .envs(environment.iter().cloned());
        Self {
            address,
            client: Client::new(),
            process: Process::serving(&mut command, address).await,
        }
    }

    /// Sends an event and gives the answer of the function. Exclusive, because the emulator dies of a second request.
    ///
    /// # Panics
    /// When the function ends with an error; the emulator reports that with status 200 as Lambda does.
    pub async fn invoke(&mut self, event: &Value) -> Value {
        let url = format!(
            "http://{}/2015-03-31/functions/function/invocations",
            self.address
        );
        let response = self
            .client
            .post(url)
            .body(event.to_string())
            .send()
            .await
            .expect("the emulator answers");
        let text = response
            .text()
            .await
            .expect("the emulator answers with text");
        let answer: Value = text
            .parse()
            .unwrap_or_else(|_| panic!("the function answers {text}"));
        assert!(
            answer.get("errorType").is_none(),
            "the function ends with {answer}"
        );
        answer
    }

    /// The most memory that the function's process has had resident, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let ids = self.process.children();
        let [function] = ids[..] else {
            panic!("the emulator has the children {ids:?}")
        };
        let status = status(function);
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        1024 * line
            .and_then(|number| number.trim().parse::<u64>().ok())
            .expect("the kernel counts memory")
    }

    /// What the function and the emulator have printed.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
