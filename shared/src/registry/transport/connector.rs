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
use crate::registry::transport::prewarm::Ahead;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection may be quiet before its other end is asked for a sign of life, and again after each silence.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long what was sent may stay unacknowledged, or untaken: a registry that is busy storing stops reading for a while.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_mins(2);

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;
pub(crate) type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;
pub(crate) type Connecting = Pin<Box<dyn Future<Output = Result<Connection, BoxError>> + Send>>;

/// The environment names a proxy that is not asked in plain HTTP.
#[derive(Debug, thiserror::Error)]
#[error(
    "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is not the address of an HTTP proxy, http://host:port"
)]
struct UnfitProxy;

/// Makes connections. `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are read as curl reads them, but every proxy is asked
/// for a tunnel, so that TLS reaches from here to the registry.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    tls: Arc<ClientConfig>,
    proxies: Arc<Matcher>,
    ahead: Arc<Ahead>,
}

impl Connector {
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Shared out among the addresses of a name: one that is silent leaves time for the next.
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(3));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        let (tls, proxies) = (
            Arc::new(tls::configuration()?),
            Arc::new(Matcher::from_env()),
        );
        Ok(Self {
            tcp,
            tls,
            proxies,
            ahead: Arc::default(),
        })
    }

    /// Sees to it that requests to `uri` soon find `count` connections, without a wait for handshakes.
    pub(crate) fn prewarm(&self, uri: &Uri, count: usize) {
        self.ahead
            .make(uri, count, || self.connect_in_time(uri.clone()));
    }

    fn connect_in_time(&self, uri: Uri) -> Connecting {
        let connecting = self.connect(uri);
        Box::pin(async {
            let late = || format!("no connection came about within {} s", CONNECT.as_secs());
            tokio::time::timeout(CONNECT, connecting)
                .await
                .unwrap_or_else(|_| Err(late().into()))
        })
    }

    fn connect(&self, uri: Uri) -> Connecting {
        let (tcp, tls) = (self.tcp.clone(), Arc::clone(&self.tls));
        match self.proxies.intercept(&uri) {
            None => HttpsConnector::from((tcp, tls)).call(uri),
            Some(proxy) if proxy.uri().scheme_str() == Some("http") => {
                HttpsConnector::from((tunnel(&proxy, tcp), tls)).call(with_port(uri))
            }
            Some(_) => Box::pin(async { Err(UnfitProxy.into()) }),
        }
    }
}

/// Whether what went wrong with a connection would go wrong again.
pub(crate) fn is_final(error: &(dyn StdError + 'static)) -> bool {
    tls::causes(error).any(|cause| cause.is::<UnfitProxy>() || tls::is_distrust(cause))
}

/// A tunnel is to port 443 unless something else is asked for.
fn with_port(uri: Uri) -> Uri {
    let authority = uri
        .host()
        .filter(|_| uri.port().is_none() && uri.scheme_str() == Some("http"));
    let Some(authority) = authority.map(|host| format!("{host}:80")) else {
        return uri;
    };
    let rebuilt = Uri::builder()
        .scheme("http")
        .authority(authority)
        .path_and_query("/")
        .build();
    rebuilt.unwrap_or(uri)
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
        match self.ahead.take(&uri) {
            Some(made) => Box::pin(async { made.await? }),
            None => self.connect_in_time(uri),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_for_plain_http_is_to_its_own_port() {
        let target = |uri: &'static str| {
            with_port(Uri::from_static(uri))
                .authority()
                .unwrap()
                .to_string()
        };
        assert_eq!(target("http://registry/v2/"), "registry:80");
        assert_eq!(target("http://[::1]/v2/"), "[::1]:80");
        assert_eq!(target("http://registry:5000/v2/"), "registry:5000");
        assert_eq!(target("https://registry/v2/"), "registry");
    }
}
