//! The Lambda function `ensure`.

use ensure::EnsureRequest;
use serde_json::Value;
use serve::Invocation;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve::serve(async |event: Value, invocation: &Invocation, replicator| {
        let request = EnsureRequest::parse(&event)?;
        ensure::handle(
            &request,
            &invocation.request_id,
            invocation.deadline,
            replicator,
        )
        .await
    })
    .await
}
