//! What an administrator and Lambda do in the account: secrets, catalogues, queues, and reading the records.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::moto::{ACCOUNT, Moto, REGION, Service};

impl Moto {
    /// Stores a secret and returns its ARN.
    pub async fn put_secret(&self, name: &str, value: &Value) -> String {
        let input = json!({"Name": name, "SecretString": value.to_string()});
        text(
            &self
                .call(Service::SecretsManager, "CreateSecret", &input)
                .await["ARN"],
        )
    }

    /// Stores a parameter, such as a catalogue.
    pub async fn put_parameter(&self, name: &str, value: &str) {
        let input = json!({"Name": name, "Value": value, "Type": "String"});
        self.call(Service::Ssm, "PutParameter", &input).await;
    }

    /// The password of the user `AWS` for the registry of the account.
    pub async fn registry_password(&self) -> String {
        let answer = self
            .call(Service::Ecr, "GetAuthorizationToken", &json!({}))
            .await;
        let token =
            BASE64_STANDARD.decode(text(&answer["authorizationData"][0]["authorizationToken"]));
        let credentials =
            String::from_utf8(token.expect("the token is base64")).expect("the token is text");
        credentials
            .strip_prefix("AWS:")
            .expect("the user is AWS")
            .to_owned()
    }

    /// The resource tags of a repository.
    pub async fn repository_tags(&self, repository: &str) -> BTreeMap<String, String> {
        let input = json!({"resourceArn": format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository}")});
        let answer = self.call(Service::Ecr, "ListTagsForResource", &input).await;
        let tags = answer["tags"].as_array().expect("tags are a list").iter();
        tags.map(|tag| (text(&tag["Key"]), text(&tag["Value"])))
            .collect()
    }

    /// Creates a FIFO queue and returns its URL.
    pub async fn create_queue(&self, name: &str) -> String {
        let attributes = json!({"FifoQueue": "true", "VisibilityTimeout": "5400"});
        let input = json!({"QueueName": name, "Attributes": attributes});
        text(&self.call(Service::Sqs, "CreateQueue", &input).await["QueueUrl"])
    }

    /// Receives up to ten messages of a queue, each as the event that Lambda sends with a batch size of one.
    pub async fn queued_events(&self, queue: &str) -> Vec<Value> {
        let input =
            json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "AttributeNames": ["All"]});
        let answer = self.call(Service::Sqs, "ReceiveMessage", &input).await;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        messages
            .iter()
            .map(|message| event(queue, message))
            .collect()
    }

    /// Deletes the message of an event, as Lambda does after the function has handled it.
    pub async fn delete_message(&self, queue: &str, event: &Value) {
        let input =
            json!({"QueueUrl": queue, "ReceiptHandle": event["Records"][0]["receiptHandle"]});
        self.call(Service::Sqs, "DeleteMessage", &input).await;
    }
}

fn event(queue: &str, message: &Value) -> Value {
    let name = queue.rsplit('/').next().expect("a queue has a name");
    json!({"Records": [{
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"),
        "awsRegion": REGION,
    }]})
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is not text"))
        .to_owned()
}
