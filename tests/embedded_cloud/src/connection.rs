//! Connections that the server can close at any time.
//!
//! A disconnect must work for every method. A failing response body is not enough, because clients
//! read no body after `HEAD`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A listener whose connections can be closed.
pub(crate) struct Port(pub(crate) TcpListener);

/// A connection.
pub(crate) struct Connection {
    stream: TcpStream,
    closer: ConnectionCloser,
}

/// Closes one connection: nothing more is written to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionCloser(Arc<AtomicBool>);

/// Marks a response that must not be sent, because the connection is closed instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disconnect;

/// Closes the connection instead of sending a response that is marked with [`Disconnect`].
pub(crate) async fn disconnect(
    ConnectInfo(closer): ConnectInfo<ConnectionCloser>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    if response.extensions().get::<Disconnect>().is_some() {
        closer.0.store(true, Ordering::Release);
    }
    response
}

impl Listener for Port {
    type Io = Connection;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Connection, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (
            Connection {
                stream,
                closer: ConnectionCloser::default(),
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Port>> for ConnectionCloser {
    fn connect_info(stream: IncomingStream<'_, Port>) -> Self {
        stream.io().closer.clone()
    }
}

impl Connection {
    /// The stream, unless the connection was closed.
    fn open(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if self.closer.0.load(Ordering::Acquire) {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "connection cut on purpose",
            ));
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.open()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.open()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
