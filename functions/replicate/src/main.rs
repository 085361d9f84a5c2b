//! The Lambda function `replicate`.

use serve::Invocation;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve::serve(async |event, invocation: &Invocation, replicator| {
        Ok(replicate::handle(event, invocation.deadline, replicator).await)
    })
    .await
}
