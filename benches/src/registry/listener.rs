//! Connections, with or without TLS. TLS handshakes run concurrently.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::serve::{Listener, ListenerExt};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::counts::Counters;

/// Serves `router` on `tcp`. With `identity`, a PEM file with certificate and key, it uses TLS.
pub(super) fn serve(
    tcp: TcpListener,
    identity: Option<&Path>,
    counters: Arc<Counters>,
    router: Router,
) -> Result<JoinHandle<std::io::Result<()>>, String> {
    let counted = tcp.tap_io(move |stream| {
        // Responses are written whole, so Nagle's algorithm would only delay them. An error means
        // that the peer has gone.
        let _ = stream.set_nodelay(true);
        counters.count_connection();
    });
    let Some(identity) = identity else {
        return Ok(tokio::spawn(
            async move { axum::serve(counted, router).await },
        ));
    };
    let listener = TlsListener::new(counted, acceptor(identity)?)?;
    Ok(tokio::spawn(
        async move { axum::serve(listener, router).await },
    ))
}

/// Connections whose handshake is complete.
struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    fn new<L>(mut tcp: L, acceptor: TlsAcceptor) -> Result<Self, String>
    where
        L: Listener<Io = TcpStream, Addr = SocketAddr>,
    {
        let address = tcp.local_addr().map_err(|error| error.to_string())?;
        let (sender, ready) = mpsc::channel(64);
        tokio::spawn(async move {
            while !sender.is_closed() {
                let (stream, peer) = tcp.accept().await;
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = sender.send((stream, peer)).await;
                    }
                });
            }
        });
        Ok(Self { address, ready })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Without ALPN, so that clients use HTTP/1.1.
fn acceptor(identity: &Path) -> Result<TlsAcceptor, String> {
    let describe = |error: &dyn std::fmt::Display| format!("{}: {error}", identity.display());
    let chain = CertificateDer::pem_file_iter(identity)
        .and_then(Iterator::collect)
        .map_err(|error| describe(&error))?;
    let key = PrivateKeyDer::from_pem_file(identity).map_err(|error| describe(&error))?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| describe(&error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
