//! The Lambda Runtime API: runs function binaries as Lambda does, one invocation at a time.
//!
//! A function polls for its next invocation and posts the response. This module is the server. The
//! caller starts the binary, with the variables of [`LambdaRuntime::environment`].
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::aws::HOME_REGION;
use crate::listener::{Listener, Server};

mod answer;
mod api;
mod error;
mod invocation;

pub use error::FunctionError;

use api::ExecutionEnvironment;
use invocation::PendingInvocation;

/// How long a function may take to initialise.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// One execution environment. Its server ends when this is dropped.
pub struct LambdaRuntime {
    address: String,
    environment: Arc<ExecutionEnvironment>,
    /// Held during an invocation: an environment runs one invocation at a time.
    turn: tokio::sync::Mutex<()>,
    _server: Server,
}

impl LambdaRuntime {
    /// Starts to serve on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = Listener::bind().await;
        let address = listener.url().trim_start_matches("http://").to_owned();
        let environment = Arc::new(ExecutionEnvironment::new());
        let server = listener.serve(api::router(Arc::clone(&environment)));
        Self {
            address,
            environment,
            turn: tokio::sync::Mutex::default(),
            _server: server,
        }
    }

    /// `127.0.0.1:PORT`, the value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What Lambda sets for a function of this name with 512 MB, apart from region and credentials.
    pub fn environment(&self, name: &str) -> Vec<(String, String)> {
        let variables = [
            ("AWS_LAMBDA_RUNTIME_API", self.address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{name}")),
            (
                "AWS_LAMBDA_LOG_STREAM_NAME",
                "2026/01/31/[$LATEST]00000000000000000000000000000000",
            ),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ("LAMBDA_TASK_ROOT", "/var/task"),
            ("_HANDLER", "bootstrap"),
            ("TZ", ":UTC"),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// Invokes the function and waits for its response.
    ///
    /// A function that has not polled within 10 seconds fails to initialise. A function that does
    /// not respond within `deadline` of taking the event times out; the caller should end its
    /// process, as Lambda does.
    pub async fn invoke(&self, event: Value, deadline: Duration) -> Result<Value, FunctionError> {
        let _turn = self.turn.lock().await;
        let (offer, taken, answer) = PendingInvocation::new(event, deadline);
        let id = offer.id.clone();
        self.environment.offer(offer);
        // A pending invocation that fails early gets its result without being taken.
        if timeout(INIT_LIMIT, taken).await.is_err() {
            return Err(FunctionError::init_timed_out(&id, INIT_LIMIT));
        }
        let Ok(answer) = timeout(deadline, answer).await else {
            self.environment.abandon();
            return Err(FunctionError::timed_out(&id, deadline));
        };
        answer.unwrap_or_else(|_| Err(FunctionError::exited(&id)))
    }

    /// Reports that the process of the function has ended. Its invocation fails immediately with
    /// `Runtime.ExitError`. Only the caller that started the process can know this.
    pub fn exited(&self) {
        self.environment.abandon();
    }

    /// Time from the start of this server to the first poll of the function: the cold start.
    pub fn first_poll(&self) -> Option<Duration> {
        self.environment.first_poll()
    }
}

impl fmt::Debug for LambdaRuntime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LambdaRuntime")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

fn function_arn() -> String {
    format!(
        "arn:aws:lambda:{HOME_REGION}:{}:function:image-replicator",
        crate::ACCOUNT
    )
}
