//! The Lambda function `refresh`.

use image_replicator::engine::Replicator;
use lambda_runtime::{Diagnostic, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let replicator = &Replicator::from_env().map_err(|error| error.chain())?;
    run(service_fn(async move |event: LambdaEvent<Value>| {
        let (event, context) = event.into_parts();
        let work = Box::pin(refresh::handle(
            &event,
            &context.request_id,
            context.deadline(),
            replicator,
        ));
        let result = replicator
            .measured(&context.env_config.function_name, work, Clone::clone)
            .await;
        result.map_err(|error| Diagnostic {
            error_type: error.name(),
            error_message: error.chain(),
        })
    }))
    .await
}
