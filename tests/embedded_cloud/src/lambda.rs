//! The Lambda Runtime API: runs function binaries as Lambda does, one invocation at a time.
//!
//! A function polls for its next invocation and posts the response; this is the side of the service. The binary itself
//! is started by whoever uses this, with the variables that [`LambdaRuntime::environment`] names.
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

use api::Sandbox;
use invocation::Offer;

/// How long Lambda lets a function start before it gives up.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// One execution environment, whose server ends when this is dropped.
pub struct LambdaRuntime {
    address: String,
    sandbox: Arc<Sandbox>,
    /// Held during an invocation: an environment works on one at a time.
    turn: tokio::sync::Mutex<()>,
    _server: Server,
}

impl LambdaRuntime {
    /// Starts to serve on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = Listener::bind().await;
        let address = listener.url().trim_start_matches("http://").to_owned();
        let sandbox = Arc::new(Sandbox::new());
        let server = listener.serve(api::router(Arc::clone(&sandbox)));
        Self {
            address,
            sandbox,
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
    /// A function that has not asked for work within 10 seconds fails to initialise; one that does not answer within
    /// `deadline` after it took the event has timed out, and its process should be ended, as Lambda would.
    pub async fn invoke(&self, event: Value, deadline: Duration) -> Result<Value, FunctionError> {
        let _turn = self.turn.lock().await;
        let (offer, taken, answer) = Offer::new(event, deadline);
        let id = offer.id.clone();
        self.sandbox.offer(offer);
        // An offer that is refused is answered without being taken.
        if timeout(INIT_LIMIT, taken).await.is_err() {
            return Err(FunctionError::init_timed_out(&id, INIT_LIMIT));
        }
        let Ok(answer) = timeout(deadline, answer).await else {
            self.sandbox.abandon();
            return Err(FunctionError::timed_out(&id, deadline));
        };
        answer.unwrap_or_else(|_| Err(FunctionError::exited(&id)))
    }

    /// Tells the environment that the function's process has ended: what it worked on fails at once with
    /// `Runtime.ExitError`. Only whoever started the process can know.
    pub fn exited(&self) {
        self.sandbox.abandon();
    }

    /// From the start of this server to the first time that a function asked for work: the cold start.
    pub fn first_poll(&self) -> Option<Duration> {
        self.sandbox.first_poll()
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
