//! TLS towards registries: what the platform trusts is trusted, and nothing else; through a proxy too. By the command line as a
//! process of its own, because both are matters of the environment (`SSL_CERT_FILE`, `HTTPS_PROXY`).

use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use embedded_cloud::Image;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tests::parts::tools::function;
use tests::world::{PRIVATE, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;

/// An authority in PEM form, and a server's certificate for `name` by it.
fn certified(name: &str) -> (String, TlsAcceptor) {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names are good names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = || KeyPair::generate().expect("a key is generated");
    let issuer = CertifiedIssuer::self_signed(authority, key()).expect("it signs itself");
    let server = key();
    let certificate = CertificateParams::new([name.to_owned()]).expect("the name is good");
    let certificate = certificate
        .signed_by(&server, &issuer)
        .expect("it is signed");
    let private = PrivateKeyDer::try_from(server.serialize_der()).expect("it is a key");
    let configuration = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("the provider knows them")
    .with_no_client_auth()
    .with_single_cert(vec![certificate.der().clone()], private)
    .expect("certificate and key belong together");
    (issuer.pem(), TlsAcceptor::from(Arc::new(configuration)))
}

/// Docker Hub of the embedded cloud behind TLS: the new address, and how many connections there were so far.
async fn secured(world: &World, acceptor: TlsAcceptor) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let hub = world.cloud.hub.registry().address().to_owned();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            let (acceptor, hub) = (acceptor.clone(), hub.clone());
            tokio::spawn(async move {
                let mut inside = TcpStream::connect(hub).await.expect("the hub is there");
                if let Ok(mut outside) = acceptor.accept(stream).await {
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                }
            });
        }
    });
    (format!("https://{address}"), connections)
}

/// A proxy that makes tunnels to this machine for whoever logs in as `ci` with `secret`: its address, and what it was asked.
async fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut outside, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(outside.read_u8().await.expect("the head is whole"));
                }
                let head = String::from_utf8(head).expect("it is text");
                let target = head
                    .split(' ')
                    .nth(1)
                    .expect("the line has a target")
                    .to_owned();
                let is_let_in = head.contains("\r\nProxy-Authorization: Basic Y2k6c2VjcmV0\r\n");
                log.lock().expect("nobody panics with it").push(head);
                if !is_let_in || !target.starts_with("127.0.0.1:") {
                    return outside
                        .write_all(b"HTTP/1.1 403 no\r\n\r\n")
                        .await
                        .expect("it is heard");
                }
                let mut inside = TcpStream::connect(target)
                    .await
                    .expect("the target is there");
                outside
                    .write_all(b"HTTP/1.1 200 OK\r\n\r\n")
                    .await
                    .expect("it is heard");
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    (address.to_string(), asked)
}

/// What `replicator plan` says of an image at a Docker Hub behind a certificate for `name`, through a `proxy` where there is one; the
/// connections that it took, and how often Docker Hub was asked.
async fn plan(name: &str, is_trusted: bool, proxy: Option<&str>) -> (Output, usize, u64) {
    let mut world = World::start().await;
    world.catalogue("images: [{ image: node, tags: ['21'] }]");
    world
        .cloud
        .hub
        .push("library/node", "21", &Image::docker(1, &[1000]));
    let (authority, acceptor) = certified(name);
    let directory = tempfile::tempdir().expect("a directory is made");
    let file = directory.path().join("authority.pem");
    std::fs::write(&file, authority).expect("the file is written");
    let ecr = world.cloud.ecr.region("us-east-1").endpoint().to_owned();
    let (hub, connections) = secured(&world, acceptor).await;
    world.set(
        "REPLICATOR_REGISTRY_ENDPOINTS",
        &format!("docker.io={hub},{PRIVATE}={ecr}"),
    );
    let output = replicator(&world, is_trusted.then_some(&file), proxy).await;
    (
        output,
        connections.load(Ordering::Relaxed),
        world.cloud.counts.get("hub.manifest.head"),
    )
}

async fn replicator(world: &World, authority: Option<&Path>, proxy: Option<&str>) -> Output {
    let mut command = Command::new(function("replicator"));
    command.env_clear().envs(world.environment()).arg("plan");
    command
        .envs(authority.map(|file| ("SSL_CERT_FILE", file)))
        .envs(proxy.map(|proxy| ("HTTPS_PROXY", proxy)));
    command.output().await.expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

#[tokio::test]
async fn a_server_that_the_platform_trusts_is_asked() {
    let (output, _, heads) = plan("127.0.0.1", true, None).await;
    assert_eq!(
        (output.status.code(), heads),
        (Some(0), 1),
        "{}",
        said(&output)
    );
}

#[tokio::test]
async fn a_server_by_an_unknown_authority_is_left_at_once_without_a_request() {
    let (output, connections, heads) = plan("127.0.0.1", false, None).await;
    assert_eq!(
        (output.status.code(), connections, heads),
        (Some(1), 1, 0),
        "{}",
        said(&output)
    );
    assert!(said(&output).contains("UnknownIssuer"), "{}", said(&output));
}

#[tokio::test]
async fn a_server_with_the_certificate_of_another_is_left_at_once_without_a_request() {
    let (output, connections, heads) = plan("registry.example.com", true, None).await;
    assert_eq!(
        (output.status.code(), connections, heads),
        (Some(1), 1, 0),
        "{}",
        said(&output)
    );
    assert!(
        said(&output).contains("certificate not valid for name"),
        "{}",
        said(&output)
    );
}

#[tokio::test]
async fn a_proxy_makes_tunnels_to_what_is_trusted() {
    let (address, asked) = proxy().await;
    let (output, connections, heads) = plan(
        "127.0.0.1",
        true,
        Some(&format!("http://ci:secret@{address}")),
    )
    .await;
    assert_eq!(
        (output.status.code(), heads),
        (Some(0), 1),
        "{}",
        said(&output)
    );
    let asked = asked.lock().expect("nobody panics with it");
    let tunnels = asked
        .iter()
        .filter(|head| head.starts_with("CONNECT 127.0.0.1:"))
        .count();
    assert!(
        connections > 0 && tunnels == connections,
        "{connections}: {asked:?}"
    );
}

#[tokio::test]
async fn a_proxy_of_another_kind_is_said_to_be_one() {
    let (output, connections, _) = plan("127.0.0.1", true, Some("https://127.0.0.1:1")).await;
    assert_eq!(
        (output.status.code(), connections),
        (Some(1), 0),
        "{}",
        said(&output)
    );
    assert!(
        said(&output).contains("not the address of an HTTP proxy"),
        "{}",
        said(&output)
    );
}
