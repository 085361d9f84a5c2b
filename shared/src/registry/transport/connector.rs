//! Connections to registries: TLS for https addresses, through a proxy if the environment names one.

use std::error::Error as StdError;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::ClientConfig;
use tower_service::Service;

use super::connection::{BoxError, Connecting, Connection};
use super::prewarm::Prewarmed;
use super::tls;

/// The longest time that opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be silent before TCP probes its other end, and the time between probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How many probes without an acknowledgement close a connection.
const KEEPALIVE_RETRIES: u32 = 3;
/// How long sent data may stay unacknowledged or unread: a registry that is busy storing a blob
/// stops reading.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_mins(2);

/// The environment names a proxy that is not reached over plain HTTP.
#[derive(Debug, thiserror::Error)]
#[error(
    "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is not the address of an HTTP proxy, http://host:port"
)]
struct UnsupportedProxy;

/// Opens connections. `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` have the meaning that
/// they have for curl, but every proxy is used as a tunnel, so that TLS is end to end.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    tls: Arc<ClientConfig>,
    proxies: Arc<Matcher>,
    prewarmed: Arc<Prewarmed>,
}

impl Connector {
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Divided among the addresses of a host: a silent one leaves time for the next.
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_keepalive(Some(KEEPALIVE_INTERVAL));
        tcp.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
        tcp.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT));
        Ok(Self {
            tcp,
            tls: Arc::new(tls::client_config()?),
            proxies: Arc::new(Matcher::from_env()),
            prewarmed: Arc::default(),
        })
    }

    /// Opens up to `count` connections to the origin of `uri`, so that later requests do not wait
    /// for handshakes.
    pub(crate) fn prewarm(&self, uri: &Uri, count: usize) {
        self.prewarmed
            .open(uri, count, || self.connect_in_time(uri.clone()));
    }

    fn connect_in_time(&self, uri: Uri) -> Connecting {
        let connecting = self.connect(uri);
        Box::pin(async {
            if let Ok(result) = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
                return result;
            }
            let seconds = CONNECT_TIMEOUT.as_secs();
            Err(format!("no connection within {seconds} s").into())
        })
    }

    fn connect(&self, uri: Uri) -> Connecting {
        let (tcp, tls) = (self.tcp.clone(), Arc::clone(&self.tls));
        match self.proxies.intercept(&uri) {
            None => HttpsConnector::from((tcp, tls)).call(uri),
            Some(proxy) if proxy.uri().scheme_str() == Some("http") => {
                HttpsConnector::from((tunnel(&proxy, tcp), tls)).call(with_port(uri))
            }
            Some(_) => Box::pin(async { Err(UnsupportedProxy.into()) }),
        }
    }
}

/// Whether a further attempt to connect would end with the same error.
pub(crate) fn is_final(error: &(dyn StdError + 'static)) -> bool {
    tls::causes(error).any(|cause| cause.is::<UnsupportedProxy>() || tls::is_distrust(cause))
}

/// `uri` with the port of plain HTTP. A tunnel leads to port 443 unless the address has a port.
fn with_port(uri: Uri) -> Uri {
    if uri.port().is_some() || uri.scheme_str() != Some("http") {
        return uri;
    }
    let Some(host) = uri.host() else {
        return uri;
    };
    let with_port = Uri::builder()
        .scheme("http")
        .authority(format!("{host}:80"))
        .path_and_query("/")
        .build();
    with_port.unwrap_or(uri)
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
        match self.prewarmed.take(&uri) {
            Some(connection) => Box::pin(async { connection.await? }),
            None => self.connect_in_time(uri),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_for_plain_http_leads_to_port_80_unless_the_address_has_one() {
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
