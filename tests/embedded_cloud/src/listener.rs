//! Servers on loopback.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::middleware::from_fn;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::connection::{self, ConnectionCloser, Port};

/// A bound port that does not serve yet: routers contain addresses, so ports are bound first.
pub(crate) struct Listener {
    address: SocketAddr,
    listener: TcpListener,
}

/// A server that ends when this is dropped.
pub(crate) struct Server(AbortHandle);

impl Listener {
    /// Binds a free port of 127.0.0.1.
    pub(crate) async fn bind() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        Self { address, listener }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves `router`.
    pub(crate) fn serve(self, router: Router) -> Server {
        let service = router
            .layer(from_fn(connection::disconnect))
            .into_make_service_with_connect_info::<ConnectionCloser>();
        Server(
            tokio::spawn(async move { axum::serve(Port(self.listener), service).await })
                .abort_handle(),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}
