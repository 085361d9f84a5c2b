//! The deployment of `template.yaml` in real parts: Docker Hub, ECR, and the account with queue, secret and catalogue.

use embedded_cloud::Image;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{
    Access, Distribution, Emulator, Moto, TokenService,
    moto::{ACCOUNT, REGION},
    seed, skopeo,
};

const USER: &str = "mirror";
const ACCESS_TOKEN: &str = "dckr_pat_of-the-mirror";

/// All services that the functions use.
pub struct World {
    /// The AWS control plane.
    pub moto: Moto,
    tokens: TokenService,
    source: Distribution,
    destination: Distribution,
    password: String,
    queue: String,
    secret: String,
}

impl World {
    /// Starts all parts. The mirror is empty, and no catalogue is stored.
    pub async fn start() -> Self {
        let moto = Moto::start().await;
        let tokens = TokenService::start(&[(USER, ACCESS_TOKEN)]).await;
        let password = moto.registry_password().await;
        Self {
            source: Distribution::start(&Access::Tokens(&tokens)).await,
            destination: Distribution::start(&Access::Password("AWS", &password)).await,
            queue: moto.create_queue("work.fifo").await,
            secret: moto
                .put_secret(
                    "docker-hub",
                    &json!({"username": USER, "accessToken": ACCESS_TOKEN}),
                )
                .await,
            moto,
            tokens,
            password,
        }
    }

    /// Pushes an image to Docker Hub.
    pub async fn publish(&self, repository: &str, tag: &str, image: &Image) {
        seed::push(
            &self.source,
            &self.tokens.owner(repository),
            (repository, tag),
            image,
        )
        .await;
    }

    /// Stores the catalogue.
    pub async fn store_catalogue(&self, catalogue: &str) {
        self.moto
            .put_parameter("/image-replicator/catalogue/default", catalogue)
            .await;
    }

    /// A function with the environment that the template gives it: only `refresh` knows the queue.
    pub async fn function(&self, name: &str) -> Emulator {
        let mut environment = self.environment();
        if name == "refresh" {
            environment.push(("REPLICATOR_QUEUE_URL".to_owned(), self.queue.clone()));
        }
        Emulator::start(name, &environment).await
    }

    /// Invokes `replicate` with each queued message until the queue is empty, and returns their number.
    ///
    /// # Panics
    /// When the function reports a failed message.
    pub async fn drain_queue(&self, replicate: &mut Emulator) -> usize {
        let mut handled = 0;
        loop {
            let events = self.moto.queued_events(&self.queue).await;
            if events.is_empty() {
                return handled;
            }
            for event in events {
                let answer = replicate.invoke(&event).await;
                assert_eq!(
                    answer,
                    json!({"batchItemFailures": []}),
                    "{}",
                    replicate.log()
                );
                self.moto.delete_message(&self.queue, &event).await;
                handled += 1;
            }
        }
    }

    /// Receives one message of the queue and does not delete it.
    pub async fn next_message(&self) -> Value {
        let events = self.moto.queued_events(&self.queue).await;
        events.into_iter().next().expect("a message is queued")
    }

    /// The bytes of the manifest of `repository:tag` at Docker Hub.
    pub async fn published(&self, image: &str) -> Vec<u8> {
        inspect(&format!("{USER}:{ACCESS_TOKEN}"), &self.source, image).await
    }

    /// The bytes of the manifest of `repository:tag` in the mirror.
    pub async fn mirrored(&self, image: &str) -> Vec<u8> {
        inspect(&format!("AWS:{}", self.password), &self.destination, image).await
    }

    /// Pulls all platforms of an image by the URI that a build gets, and returns the number of blobs and child
    /// manifests. skopeo verifies each digest.
    pub async fn pull(&self, uri: &str) -> usize {
        let image = uri
            .strip_prefix(&mirror_host())
            .expect("the URI is of the mirror");
        let (directory, credentials) = (
            tempdir().expect("a directory can be made"),
            format!("AWS:{}", self.password),
        );
        let source = format!("docker://{}{image}", self.destination.host());
        let target = format!("dir:{}", directory.path().display());
        let options = [
            "--insecure-policy",
            "copy",
            "--all",
            "--src-tls-verify=false",
            "--src-creds",
            &credentials,
        ];
        skopeo(&[&options[..], &[&source, &target]].concat()).await;
        let files = directory
            .path()
            .read_dir()
            .expect("skopeo has filled the directory")
            .flatten();
        files
            .filter(|file| !matches!(file.file_name().to_str(), Some("manifest.json" | "version")))
            .count()
    }

    /// The status codes of Docker Hub's token service and of the mirror without a login.
    pub async fn statuses_without_login(&self) -> [u16; 2] {
        let status = async |url: String| {
            reqwest::get(url)
                .await
                .expect("the server answers")
                .status()
                .as_u16()
        };
        let scope = "scope=repository:library/node:pull";
        [
            status(format!("{}?{scope}", self.tokens.realm())).await,
            status(format!("{}/v2/", self.destination.url())).await,
        ]
    }

    fn environment(&self) -> Vec<(String, String)> {
        let (source, destination) = (self.source.url(), self.destination.url());
        // No server listens at the address of the public gallery.
        let endpoints = format!(
            "docker.io={source},{}={destination},public.ecr.aws=http://127.0.0.1:9",
            mirror_host()
        );
        let variables = [
            (
                "REPLICATOR_CATALOGUE",
                "ssm:/image-replicator/catalogue".to_owned(),
            ),
            ("REPLICATOR_DOCKER_HUB_SECRET", self.secret.clone()),
            ("REPLICATOR_REGISTRY_ENDPOINTS", endpoints),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ];
        let ours = variables.map(|(name, value)| (name.to_owned(), value));
        self.moto.environment().into_iter().chain(ours).collect()
    }
}

/// The host of the account's registry in URIs.
fn mirror_host() -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com")
}

async fn inspect(credentials: &str, registry: &Distribution, image: &str) -> Vec<u8> {
    let reference = format!("docker://{}/{image}", registry.host());
    skopeo(&[
        "inspect",
        "--raw",
        "--tls-verify=false",
        "--creds",
        credentials,
        &reference,
    ])
    .await
}
