//! The Lambda Runtime API, called by the real runtime in a process of its own and by hand-written
//! requests.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use embedded_cloud::LambdaRuntime;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use reqwest::{Client, Response};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(20);

/// A child process that is killed when its test ends.
struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        self.0.kill().expect("the process is ours");
        self.0.wait().expect("a killed process ends");
    }
}

#[tokio::test]
#[ignore = "another test starts this function as a process of its own"]
async fn function() -> Result<(), Error> {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        match event.payload["fail"].as_str() {
            Some(reason) => Err(Error::from(reason.to_owned())),
            None => Ok(json!({ "echo": event.payload, "arn": event.context.invoked_function_arn })),
        }
    }))
    .await
}

#[tokio::test]
async fn the_real_runtime_processes_invocations_in_sequence() {
    let runtime = LambdaRuntime::start().await;
    let mut command = Command::new(std::env::current_exe().expect("a test knows its own file"));
    command
        .args(["--ignored", "--exact", "lambda::function"])
        .envs(runtime.environment("echo"))
        .stdout(Stdio::null());
    let _function = Function(command.spawn().expect("the test's own file can be run"));
    for number in 0..3 {
        let answer = runtime
            .invoke(json!({ "number": number }), DEADLINE)
            .await
            .expect("the function echoes");
        assert_eq!(answer["echo"]["number"], number);
        assert_eq!(
            answer["arn"],
            "arn:aws:lambda:us-east-1:111122223333:function:image-replicator"
        );
    }
    let error = runtime
        .invoke(json!({ "fail": "out of luck" }), DEADLINE)
        .await
        .expect_err("the function fails");
    assert_eq!(error.message, "out of luck");
    assert!(runtime.first_poll() < Some(DEADLINE) && runtime.first_poll().is_some());
}

/// Sends the requests of a Lambda runtime one by one.
struct Poller {
    http: Client,
    base: String,
}

impl Poller {
    fn new(runtime: &LambdaRuntime) -> Self {
        Self {
            http: Client::new(),
            base: format!("http://{}/2018-06-01/runtime", runtime.address()),
        }
    }

    async fn next(&self) -> Response {
        self.http
            .get(format!("{}/invocation/next", self.base))
            .send()
            .await
            .expect("the next event is delivered")
    }

    async fn next_id(&self) -> String {
        let response = self.next().await;
        let id = response
            .headers()
            .get("lambda-runtime-aws-request-id")
            .expect("an event has an identifier");
        id.to_str().expect("an identifier is text").to_owned()
    }

    async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> u16 {
        let request = self.http.post(format!("{}/{path}", self.base)).body(body);
        request
            .send()
            .await
            .expect("the Runtime API responds")
            .status()
            .as_u16()
    }
}

#[tokio::test]
async fn an_event_carries_its_deadline() {
    let runtime = LambdaRuntime::start().await;
    let poller = Poller::new(&runtime);
    let function = async {
        let response = poller.next().await;
        let header = |name: &str| {
            response.headers()[name]
                .to_str()
                .expect("a header is text")
                .to_owned()
        };
        let deadline: i64 = header("lambda-runtime-deadline-ms")
            .parse()
            .expect("milliseconds");
        assert!(header("lambda-runtime-trace-id").starts_with("Root=1-"));
        let id = header("lambda-runtime-aws-request-id");
        assert_eq!(
            poller.post(&format!("invocation/{id}/response"), "7").await,
            202
        );
        deadline
    };
    let before = embedded_cloud::Clock::default().now().as_millisecond();
    let (answer, deadline) = tokio::join!(runtime.invoke(json!({}), DEADLINE), function);
    assert_eq!(answer, Ok(json!(7)));
    assert!((20_000..30_000).contains(&(deadline - before)));
}

#[tokio::test]
async fn reports_in_the_wrong_state_are_refused() {
    let runtime = LambdaRuntime::start().await;
    let poller = Poller::new(&runtime);
    let function = async {
        assert_eq!(poller.post("invocation/none/response", "{}").await, 403);
        let id = poller.next_id().await;
        assert_eq!(poller.post("invocation/none/response", "{}").await, 400);
        assert_eq!(poller.next().await.status().as_u16(), 403);
        assert_eq!(poller.post("init/error", "{}").await, 403);
        assert_eq!(
            poller
                .post(&format!("invocation/{id}/response"), "{}")
                .await,
            202
        );
        assert_eq!(
            poller
                .post(&format!("invocation/{id}/response"), "{}")
                .await,
            403
        );
    };
    let (answer, ()) = tokio::join!(runtime.invoke(json!({}), DEADLINE), function);
    assert_eq!(answer, Ok(json!({})));
}

#[tokio::test]
async fn a_response_above_six_megabytes_fails_the_invocation() {
    let runtime = LambdaRuntime::start().await;
    let poller = Poller::new(&runtime);
    let function = async {
        let id = poller.next_id().await;
        poller
            .post(&format!("invocation/{id}/response"), vec![b' '; 6_291_557])
            .await
    };
    let (answer, status) = tokio::join!(runtime.invoke(json!({}), DEADLINE), function);
    assert_eq!(status, 413);
    assert_eq!(
        answer.expect_err("the response is too large").error_type,
        "Function.ResponseSizeTooLarge"
    );
}

#[tokio::test]
async fn a_function_that_cannot_start_fails_every_invocation() {
    let runtime = LambdaRuntime::start().await;
    let body = r#"{"errorType":"Runtime.InitError","errorMessage":"no catalogue"}"#;
    assert_eq!(Poller::new(&runtime).post("init/error", body).await, 202);
    for _ in 0..2 {
        let error = runtime
            .invoke(json!({}), DEADLINE)
            .await
            .expect_err("it never started");
        assert_eq!(error.to_string(), "Runtime.InitError: no catalogue");
    }
}

#[tokio::test]
async fn a_late_response_is_refused_and_the_next_invocation_is_served() {
    let runtime = LambdaRuntime::start().await;
    let poller = Poller::new(&runtime);
    let (late, id) = tokio::join!(
        runtime.invoke(json!(1), Duration::from_millis(200)),
        poller.next_id()
    );
    assert_eq!(
        late.expect_err("the function sent no response").error_type,
        "Sandbox.Timedout"
    );
    assert_eq!(
        poller.post(&format!("invocation/{id}/response"), "1").await,
        403
    );
    let function = async {
        let id = poller.next_id().await;
        poller.post(&format!("invocation/{id}/response"), "2").await
    };
    let (answer, _) = tokio::join!(runtime.invoke(json!(2), DEADLINE), function);
    assert_eq!(answer, Ok(json!(2)));
}

#[tokio::test]
async fn a_process_that_ends_fails_its_invocation() {
    let runtime = LambdaRuntime::start().await;
    let poller = Poller::new(&runtime);
    let function = async {
        poller.next_id().await;
        runtime.exited();
    };
    let (response, ()) = tokio::join!(runtime.invoke(json!({}), DEADLINE), function);
    assert_eq!(
        response.expect_err("the process has ended").error_type,
        "Runtime.ExitError"
    );
}
