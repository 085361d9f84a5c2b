//! The registries of the embedded cloud, as their clients see them. Each quirk of a registry has a
//! test.

mod control;
mod control_images;
mod ecr;
mod ecr_public;
mod faults;
mod gallery;
mod hub;
mod hub_cache;
mod hub_limits;
mod images;
mod oci;
mod origin_faults;
mod uploads;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecr::config::Credentials;
use embedded_cloud::{Cloud, Image, Registry};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

/// An `Accept` header with every manifest type, so that the registry converts nothing.
const MANIFESTS: &str = "application/vnd.docker.distribution.manifest.v2+json,\
                         application/vnd.docker.distribution.manifest.list.v2+json,\
                         application/vnd.oci.image.manifest.v1+json,application/vnd.oci.image.index.v1+json";

/// A client that returns redirects instead of following them.
fn http() -> Client {
    Client::builder()
        .redirect(Policy::none())
        .build()
        .expect("the client can be built")
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("the server answers")
}

/// The status and the code of the first error of a response.
async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = json(response).await;
    (
        status,
        body["errors"][0]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    )
}

async fn json(response: Response) -> Value {
    serde_json::from_str(&response.text().await.expect("a body")).expect("JSON")
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().expect("visible ASCII"))
}

/// The `Authorization` header for pulls from one repository of Docker Hub.
async fn hub_token(cloud: &Cloud, repository: &str, login: Option<(&str, &str)>) -> String {
    let ping = send(http().get(format!("{}/v2/", cloud.hub.endpoint()))).await;
    let challenge = header(&ping, "www-authenticate")
        .expect("a challenge")
        .to_owned();
    let realm = challenge.split('"').nth(1).expect("a realm");
    let request = http().get(format!(
        "{realm}?service=registry.docker.io&scope=repository:{repository}:pull"
    ));
    let request = match login {
        Some((user, password)) => request.basic_auth(user, Some(password)),
        None => request,
    };
    format!(
        "Bearer {}",
        json(send(request).await).await["token"]
            .as_str()
            .expect("a token")
    )
}

/// Configuration of SDK clients. They do not retry, because a retry would hide errors.
async fn sdk(cloud: &Cloud, region: &'static str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static(region))
        .endpoint_url(cloud.control_plane())
        .credentials_provider(Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI",
            None,
            None,
            "test",
        ))
        .retry_config(RetryConfig::disabled())
        .load()
        .await
}

/// The `Authorization` header for a private registry.
async fn ecr_login(cloud: &Cloud, region: &'static str) -> String {
    let client = aws_sdk_ecr::Client::new(&sdk(cloud, region).await);
    let response = client
        .get_authorization_token()
        .send()
        .await
        .expect("a token");
    format!(
        "Basic {}",
        response.authorization_data()[0]
            .authorization_token()
            .expect("a token")
    )
}

/// A private registry with the repository `mirror/node`, and its `Authorization` header.
async fn ecr(cloud: &Cloud) -> (&Registry, String) {
    let registry = cloud.ecr.region("us-east-1");
    registry.create_repository("mirror/node", false);
    (registry, ecr_login(cloud, "us-east-1").await)
}

fn get(registry: &Registry, path: &str, authorization: &str) -> RequestBuilder {
    let request = http().get(format!("{}/v2/{path}", registry.endpoint()));
    request
        .header(ACCEPT, MANIFESTS)
        .header(AUTHORIZATION, authorization)
}

fn head(registry: &Registry, path: &str, authorization: &str) -> RequestBuilder {
    let request = http().head(format!("{}/v2/{path}", registry.endpoint()));
    request
        .header(ACCEPT, MANIFESTS)
        .header(AUTHORIZATION, authorization)
}

/// Pushes one manifest under a reference.
async fn put(registry: &Registry, path: &str, authorization: &str, image: &Image) -> Response {
    let request = http()
        .put(format!("{}/v2/{path}", registry.endpoint()))
        .header(AUTHORIZATION, authorization);
    send(
        request
            .header(CONTENT_TYPE, image.media_type())
            .body(image.manifest().clone()),
    )
    .await
}

/// Uploads all blobs of an image, each with `POST` and one `PUT`.
async fn upload_blobs(registry: &Registry, repository: &str, authorization: &str, image: &Image) {
    for (digest, blob) in image.blobs() {
        let location = start_upload(registry, repository, authorization).await;
        let request = http()
            .put(format!("{location}?digest={digest}"))
            .header(AUTHORIZATION, authorization);
        let response = send(request.body(bytes(&blob))).await;
        assert_eq!(response.status(), 201);
    }
}

/// Starts an upload session and returns its absolute URL.
async fn start_upload(registry: &Registry, repository: &str, authorization: &str) -> String {
    let url = format!("{}/v2/{repository}/blobs/uploads/", registry.endpoint());
    let response = send(http().post(url).header(AUTHORIZATION, authorization)).await;
    assert_eq!(response.status(), 202);
    header(&response, "location")
        .expect("a location")
        .to_owned()
}

fn bytes(blob: &embedded_cloud::Blob) -> bytes::Bytes {
    match blob {
        embedded_cloud::Blob::Bytes(bytes) => bytes.clone(),
        embedded_cloud::Blob::Generated { .. } => panic!("the blobs of these tests are small"),
    }
}
