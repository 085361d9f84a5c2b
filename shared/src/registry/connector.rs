//! Connections to registries: TLS where the address says so, and through a proxy where the environment names one.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use super::tls;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;
type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;
type Connecting = Pin<Box<dyn Future<Output = Result<Connection, BoxError>> + Send>>;

/// Makes connections. `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are read as curl reads them, but every proxy is asked
/// for a tunnel, so that TLS reaches from here to the registry.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Arc<ClientConfig>,
    proxies: Arc<Matcher>,
}

impl Connector {
    /// An error where the environment names a proxy that is not asked in plain HTTP.
    pub(super) fn new() -> Result<Self, BoxError> {
        let proxies = Matcher::from_env();
        for address in ["http://registry/", "https://registry/"] {
            let proxy = proxies.intercept(&Uri::from_static(address));
            if proxy.is_some_and(|proxy| proxy.uri().scheme_str() != Some("http")) {
                return Err(
                    "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is not the address of an HTTP proxy, http://host:port".into(),
                );
            }
        }
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Ok(Self { tcp, tls: Arc::new(tls::configuration()?), proxies: Arc::new(proxies) })
    }

    fn connect(&self, uri: Uri) -> Connecting {
        let (tcp, tls) = (self.tcp.clone(), Arc::clone(&self.tls));
        match self.proxies.intercept(&uri) {
            None => HttpsConnector::from((tcp, tls)).call(uri),
            Some(proxy) => HttpsConnector::from((tunnel(&proxy, tcp), tls)).call(uri),
        }
    }
}

fn tunnel(proxy: &Intercept, tcp: HttpConnector) -> Tunnel<HttpConnector> {
    let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
    match proxy.basic_auth() {
        Some(login) => tunnel.with_auth(login.clone()),
        None => tunnel,
    }
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let connecting = self.connect(uri);
        Box::pin(async {
            let late = || format!("no connection came about within {} s", CONNECT.as_secs());
            tokio::time::timeout(CONNECT, connecting).await.unwrap_or_else(|_| Err(late().into()))
        })
    }
}
