//! The token service beside a registry, as `auth.docker.io` is beside Docker Hub.
//!
//! It issues the tokens that distribution accepts: a JWT signed with ES256 whose header carries the certificate that the registry trusts
//! (<https://distribution.github.io/distribution/spec/auth/jwt/>).

use std::{
    collections::BTreeMap,
    fs::read_to_string,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use axum::{
    Router,
    extract::{Query, State},
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    response::IntoResponse,
    routing::get,
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokio::{net::TcpListener, task::AbortHandle};

use super::tools::program;

const ISSUER: &str = "token service";
const SERVICE: &str = "registry.docker.io";
const LIFETIME_SECONDS: u64 = 300;

/// A running token service.
///
/// Only its users may pull. It refuses an anonymous request, so that a test notices missing credentials.
pub struct TokenService {
    address: SocketAddr,
    certificate: PathBuf,
    server: AbortHandle,
    signer: Arc<Signer>,
    _directory: TempDir,
}

impl TokenService {
    /// Starts the service with these users and their passwords.
    pub async fn start(users: &[(&str, &str)]) -> Self {
        let directory = tempdir().expect("a directory can be made");
        let (key, certificate) = (
            directory.path().join("key.pem"),
            directory.path().join("certificate.pem"),
        );
        make_certificate(&key, &certificate);
        let signer = Arc::new(Signer::new(&pem(&key), &pem(&certificate), users));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let router = Router::new()
            .route("/token", get(token))
            .with_state(Arc::clone(&signer));
        let server =
            tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self {
            address,
            certificate,
            server,
            signer,
            _directory: directory,
        }
    }

    /// A token for the owner of a repository, who may push.
    pub fn owner(&self, repository: &str) -> String {
        self.signer.sign(&[access(repository, &["pull", "push"])])
    }

    /// The URL of the token endpoint.
    pub fn realm(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// The `auth.token` section of a registry that trusts this service.
    pub(super) fn configuration(&self) -> Value {
        json!({"realm": self.realm(), "service": SERVICE, "issuer": ISSUER, "rootcertbundle": self.certificate})
    }
}

impl Drop for TokenService {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Signer {
    key: EcdsaKeyPair,
    certificate: String,
    users: BTreeMap<String, String>,
}

impl Signer {
    fn new(key: &str, certificate: &str, users: &[(&str, &str)]) -> Self {
        let key = BASE64_STANDARD.decode(key).expect("a PEM file is base64");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key)
            .expect("openssl makes PKCS #8");
        let users = users
            .iter()
            .map(|(user, password)| ((*user).to_owned(), (*password).to_owned()))
            .collect();
        Self {
            key,
            certificate: certificate.to_owned(),
            users,
        }
    }

    /// The user whose name and password the request carries.
    fn user(&self, headers: &HeaderMap) -> Option<&str> {
        let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let credentials = String::from_utf8(
            BASE64_STANDARD
                .decode(header.strip_prefix("Basic ")?)
                .ok()?,
        )
        .ok()?;
        let (name, password) = credentials.split_once(':')?;
        let (name, _) = self
            .users
            .get_key_value(name)
            .filter(|(_, known)| *known == password)?;
        Some(name)
    }

    fn sign(&self, access: &[Value]) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("the clock is past 1970")
            .as_secs();
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [self.certificate]});
        let claims = json!({
            "iss": ISSUER, "aud": SERVICE, "sub": "", "jti": now.to_string(),
            "nbf": now, "iat": now, "exp": now + LIFETIME_SECONDS, "access": access,
        });
        let encode = |part: Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let payload = format!("{}.{}", encode(header), encode(claims));
        let signature = self
            .key
            .sign(&SystemRandom::new(), payload.as_bytes())
            .expect("the key signs");
        format!("{payload}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn token(
    State(signer): State<Arc<Signer>>,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, StatusCode> {
    signer.user(&headers).ok_or(StatusCode::UNAUTHORIZED)?;
    let scopes = parameters.iter().filter(|(name, _)| name == "scope");
    let access: Vec<Value> = scopes.filter_map(|(_, scope)| grant(scope)).collect();
    let answer = json!({"token": signer.sign(&access), "expires_in": LIFETIME_SECONDS});
    Ok(([(CONTENT_TYPE, "application/json")], answer.to_string()))
}

/// The access that a user gets for a scope such as `repository:library/node:pull,push`: `pull` alone.
///
/// Other actions are left out without an error; the registry refuses them later.
fn grant(scope: &str) -> Option<Value> {
    let (name, actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
    actions
        .split(',')
        .any(|action| action == "pull")
        .then(|| access(name, &["pull"]))
}

fn access(repository: &str, actions: &[&str]) -> Value {
    json!({"type": "repository", "name": repository, "actions": actions})
}

fn make_certificate(key: &Path, certificate: &Path) {
    let arguments =
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=tokens";
    let mut command = Command::new(program("openssl"));
    command
        .args(arguments.split(' '))
        .arg("-keyout")
        .arg(key)
        .arg("-out")
        .arg(certificate);
    let made = command.output().expect("openssl runs");
    assert!(
        made.status.success(),
        "openssl: {}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// The base64 between the first and the last line.
fn pem(path: &Path) -> String {
    let text = read_to_string(path).expect("openssl has written the file");
    text.lines().filter(|line| !line.starts_with('-')).collect()
}
