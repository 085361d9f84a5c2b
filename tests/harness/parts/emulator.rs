//! The Lambda runtime interface emulator of AWS with one of our function binaries.

use std::{net::SocketAddr, process::Command};

use reqwest::Client;
use serde_json::Value;

use super::{
    process::{Process, free_address, status},
    tools,
};

/// The timeout of an invocation, as in `template.yaml`.
const TIMEOUT_SECONDS: &str = "900";

/// A function that is ready for events.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    client: Client,
    process: Process,
}

impl Emulator {
    /// Starts the emulator for the function `name` with this environment alone.
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

    /// Sends an event and returns the response of the function. Exclusive, because a concurrent request crashes the emulator.
    ///
    /// # Panics
    /// When the function returns an error, which the emulator reports with status 200, as Lambda does.
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
            .unwrap_or_else(|_| panic!("the response is not JSON: {text}"));
        assert!(
            answer.get("errorType").is_none(),
            "the function returned an error: {answer}"
        );
        answer
    }

    /// The peak resident memory of the function's process, in bytes.
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

    /// Everything that the function and the emulator have printed.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
