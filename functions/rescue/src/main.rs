//! The Lambda function `rescue`.

use serde_json::Value;
use serve::Invocation;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve::serve(async |event: Value, invocation: &Invocation, replicator| {
        rescue::handle(
            &event,
            &invocation.request_id,
            invocation.deadline,
            replicator,
        )
        .await
    })
    .await
}
