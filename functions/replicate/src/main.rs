//! The Lambda function `replicate`.

use aws_lambda_events::sqs::SqsEvent;
use image_replicator::engine::Replicator;
use image_replicator::outcome::report::{Policy, Report};
use lambda_runtime::{LambdaEvent, run, service_fn};
use replicate::Worked;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let replicator = &Replicator::from_env().map_err(|error| error.chain())?;
    run(service_fn(async move |event: LambdaEvent<SqsEvent>| {
        let (event, context) = event.into_parts();
        let work = Box::pin(async {
            Ok::<_, lambda_runtime::Error>(
                replicate::handle(event, context.deadline(), replicator).await,
            )
        });
        let report = |worked: &Worked| {
            Report::from_outcomes(&worked.outcomes, Policy::Keep, replicator.quota())
        };
        let worked = replicator
            .measured(&context.env_config.function_name, work, report)
            .await;
        worked.map(Worked::response)
    }))
    .await
}
