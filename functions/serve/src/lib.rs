//! Serves one handler as a Lambda function: the composition root of all five binaries.

use std::time::SystemTime;

use image_replicator::engine::Replicator;
use image_replicator::error::Error;
use image_replicator::outcome::report::Answer;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, run, service_fn};
use serde::de::DeserializeOwned;

/// The context of an invocation, from Lambda.
pub struct Invocation {
    /// The identifier of the request, for tracing.
    pub request_id: String,
    /// When Lambda ends the invocation.
    pub deadline: SystemTime,
}

/// Serves `handle` until Lambda ends the process. Settings come from the environment; an invalid
/// setting ends the process before the first invocation.
///
/// Every invocation writes its metrics. An error of the handler fails the invocation.
pub async fn serve<Event, A, Handle>(handle: Handle) -> Result<(), lambda_runtime::Error>
where
    Event: DeserializeOwned,
    A: Answer,
    Handle: AsyncFn(Event, &Invocation, &Replicator) -> Result<A, Error>,
{
    lambda_runtime::tracing::init_default_subscriber();
    let replicator = &Replicator::from_env().map_err(|error| error.chain())?;
    let handle = &handle;
    run(service_fn(async move |event: LambdaEvent<Event>| {
        let (event, context) = event.into_parts();
        let invocation = invocation(&context);
        // Boxed: a handler's future is large.
        let work = Box::pin(handle(event, &invocation, replicator));
        let function = &context.env_config.function_name;
        let result = replicator.with_metrics(function, work).await;
        result
            .map(Answer::into_response)
            .map_err(|error| diagnostic(&error))
    }))
    .await
}

fn invocation(context: &Context) -> Invocation {
    Invocation {
        request_id: context.request_id.clone(),
        deadline: context.deadline(),
    }
}

fn diagnostic(error: &Error) -> Diagnostic {
    Diagnostic {
        error_type: error.name(),
        error_message: error.chain(),
    }
}
