//! The world of `template.yaml` out of real parts: Docker Hub, ECR, the account with its queue, secret and catalogue.

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

/// Everything that the functions talk to.
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
    /// Starts all parts. The mirror is empty, and so is the catalogue's path.
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

    /// Publishes an image at Docker Hub.
    pub async fn publish(&self, repository: &str, tag: &str, image: &Image) {
        seed::push(
            &self.source,
            &self.tokens.owner(repository),
            (repository, tag),
            image,
        )
        .await;
    }

    /// Stores the catalogue, as a team would.
    pub async fn ask_for(&self, catalogue: &str) {
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

    /// Gives the queued messages to `replicate`, one by one, until there is none, and says how many there were.
    ///
    /// # Panics
    /// When the function wants a message back.
    pub async fn work_off_the_queue(&self, replicate: &mut Emulator) -> usize {
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

    /// One message from the queue, which stays in flight.
    pub async fn next_message(&self) -> Value {
        let events = self.moto.queued_events(&self.queue).await;
        events.into_iter().next().expect("a message is queued")
    }

    /// The bytes of the manifest that Docker Hub shows for `repository:tag`.
    pub async fn published(&self, image: &str) -> Vec<u8> {
        inspect(&format!("{USER}:{ACCESS_TOKEN}"), &self.source, image).await
    }

    /// The bytes of the manifest that the mirror shows for `repository:tag`.
    pub async fn mirrored(&self, image: &str) -> Vec<u8> {
        inspect(&format!("AWS:{}", self.password), &self.destination, image).await
    }

    /// Pulls an image with all its platforms by the URI that a build gets, which verifies each digest, and says how many
    /// blobs and child manifests arrived.
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

    /// What Docker Hub's token service and the mirror answer to a stranger.
    pub async fn statuses_without_login(&self) -> [u16; 2] {
        let ask = async |url: String| {
            reqwest::get(url)
                .await
                .expect("the server answers")
                .status()
                .as_u16()
        };
        let scope = "scope=repository:library/node:pull";
        [
            ask(format!("{}?{scope}", self.tokens.realm())).await,
            ask(format!("{}/v2/", self.destination.url())).await,
        ]
    }

    fn environment(&self) -> Vec<(String, String)> {
        let (source, destination) = (self.source.url(), self.destination.url());
        // Nobody is at home where the public gallery would be.
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

/// What the registry of the account is called in URIs.
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
