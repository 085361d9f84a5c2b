//! TLS towards registries, directly and through a proxy: only certificates that the platform trusts are accepted.
//!
//! The command line runs as a process of its own, because both are set in the environment (`SSL_CERT_FILE`, `HTTPS_PROXY`).

use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use embedded_cloud::Image;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tests::world::{PRIVATE, World, output_text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// An authority in PEM form, and a TLS acceptor with a certificate for `name` of that authority.
fn create_certificate(name: &str) -> (String, TlsAcceptor) {
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

/// Puts a TLS server in front of Docker Hub: its address, and the number of connections so far.
async fn serve_tls(world: &World, acceptor: TlsAcceptor) -> (String, Arc<AtomicUsize>) {
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

/// A proxy that opens tunnels to this machine for user `ci` with password `secret`: its address, and the requests that it got.
async fn start_proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&requests);
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
                log.lock().expect("no holder panics").push(head);
                if !is_let_in || !target.starts_with("127.0.0.1:") {
                    return outside
                        .write_all(b"HTTP/1.1 403 no\r\n\r\n")
                        .await
                        .expect("the client reads");
                }
                let mut inside = TcpStream::connect(target)
                    .await
                    .expect("the target is there");
                outside
                    .write_all(b"HTTP/1.1 200 OK\r\n\r\n")
                    .await
                    .expect("the client reads");
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    (address.to_string(), requests)
}

/// Runs `replicator plan` with a Docker Hub whose certificate is for `name`, through `proxy` if there is one.
///
/// Returns its output, the number of connections to that server, and the number of HEADs that Docker Hub got.
async fn plan(name: &str, is_trusted: bool, proxy: Option<&str>) -> (Output, usize, u64) {
    let mut world = World::start().await;
    world.set_catalogue("images: [{ image: node, tags: ['21'] }]");
    world.publish("library/node", "21", &Image::docker(1, &[1000]));
    let (authority, acceptor) = create_certificate(name);
    let directory = tempfile::tempdir().expect("a directory is made");
    let file = directory.path().join("authority.pem");
    std::fs::write(&file, authority).expect("the file is written");
    let ecr = world.ecr().endpoint().to_owned();
    let (hub, connections) = serve_tls(&world, acceptor).await;
    world.set(
        "REPLICATOR_REGISTRY_ENDPOINTS",
        &format!("docker.io={hub},{PRIVATE}={ecr}"),
    );
    let output = {
        let mut command = world.command(&["plan"]);
        command.envs(is_trusted.then_some(("SSL_CERT_FILE", &file)));
        command.envs(proxy.map(|proxy| ("HTTPS_PROXY", proxy)));
        command.output().await.expect("the binary runs")
    };
    (
        output,
        connections.load(Ordering::Relaxed),
        world.count("hub.manifest.head"),
    )
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_is_used() {
    let (output, _, heads) = plan("127.0.0.1", true, None).await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(heads, 1, "{}", output_text(&output));
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_gets_no_request_and_no_retry() {
    let (output, connections, heads) = plan("127.0.0.1", false, None).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(connections, 1);
    assert_eq!(heads, 0, "{}", output_text(&output));
    assert!(
        output_text(&output).contains("UnknownIssuer"),
        "{}",
        output_text(&output)
    );
}

#[tokio::test]
async fn a_server_with_a_certificate_of_another_name_gets_no_request_and_no_retry() {
    let (output, connections, heads) = plan("registry.example.com", true, None).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(connections, 1);
    assert_eq!(heads, 0, "{}", output_text(&output));
    assert!(
        output_text(&output).contains("certificate not valid for name"),
        "{}",
        output_text(&output)
    );
}

#[tokio::test]
async fn registries_are_reached_through_tunnels_of_a_proxy() {
    let (address, requests) = start_proxy().await;
    let (output, connections, heads) = plan(
        "127.0.0.1",
        true,
        Some(&format!("http://ci:secret@{address}")),
    )
    .await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(heads, 1, "{}", output_text(&output));
    let requests = requests.lock().expect("no holder panics");
    let tunnels = requests
        .iter()
        .filter(|head| head.starts_with("CONNECT 127.0.0.1:"))
        .count();
    assert!(
        connections > 0 && tunnels == connections,
        "{connections}: {requests:?}"
    );
}

#[tokio::test]
async fn a_proxy_with_another_scheme_is_refused() {
    let (output, connections, _) = plan("127.0.0.1", true, Some("https://127.0.0.1:1")).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(connections, 0, "{}", output_text(&output));
    assert!(
        output_text(&output).contains("not the address of an HTTP proxy"),
        "{}",
        output_text(&output)
    );
}
