//! The Lambda function `replicate`.

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{LambdaEvent, run, service_fn};
use replicator::replicator::Replicator;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let replicator = &Replicator::of_the_environment().map_err(|error| error.chain())?;
    run(service_fn(async move |event: LambdaEvent<SqsEvent>| {
        let (event, context) = event.into_parts();
        let worked = Box::pin(replicate::handle(event, context.deadline(), replicator)).await;
        Ok::<_, lambda_runtime::Error>(worked.response())
    }))
    .await
}
