//! Events that AWS delivers: the samples in `events/`, and variations that scenarios need.

use serde_json::{Value, json};

/// What a container runtime reports when Docker Hub's pull limit is reached.
pub const PULL_LIMIT: &str =
    "toomanyrequests: You have reached your unauthenticated pull rate limit.";

/// The sample `events/NAME.json`.
pub fn sample(name: &str) -> Value {
    let path = format!("{}/../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the sample is there");
    text.parse().expect("the sample is JSON")
}

/// An ECS task in us-east-1 that could not pull `image`, for this reason.
pub fn stopped_task(image: &str, reason: &str) -> Value {
    json!({"version": "0", "id": "e1", "detail-type": "ECS Task State Change", "source": "aws.ecs", "account": "111122223333",
           "time": "2026-10-01T02:00:00Z", "region": "us-east-1", "resources": [],
           "detail": {"stopCode": "TaskFailedToStart", "taskArn": "arn:aws:ecs:us-east-1:111122223333:task/t/1", "version": 3,
                      "stoppedReason": format!("CannotPullContainerError: {reason}"), "containers": [{"image": image, "reason": reason}]}})
}

/// A completed scan of `docker-hub/library/node:21` in us-east-1, with the number of findings of each severity.
pub fn scan(digest: &str, severities: &Value) -> Value {
    json!({"version": "0", "id": "s1", "detail-type": "ECR Image Scan", "source": "aws.ecr", "account": "111122223333",
           "time": "2026-10-01T02:00:00Z", "region": "us-east-1", "resources": [],
           "detail": {"scan-status": "COMPLETE", "repository-name": "docker-hub/library/node", "image-digest": digest,
                      "image-tags": ["21"], "finding-severity-counts": severities}})
}
