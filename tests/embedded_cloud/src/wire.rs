//! Connections that can be closed in the middle of things.
//!
//! A fake that hangs up must do so for every method. A response body that fails is not enough: nobody reads the body of an
//! answer to `HEAD`.

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

/// A port whose connections can be closed.
pub(crate) struct Port(pub(crate) TcpListener);

/// A connection.
pub(crate) struct Wire {
    stream: TcpStream,
    cutter: Cutter,
}

/// Closes one connection: nothing more is written to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cutter(Arc<AtomicBool>);

/// Marks a response that must not be sent, because the connection is to be closed instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsent;

/// Closes the connection instead of sending a response that is [`Unsent`].
pub(crate) async fn hang_up(
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    if response.extensions().get::<Unsent>().is_some() {
        cutter.0.store(true, Ordering::Release);
    }
    response
}

impl Listener for Port {
    type Io = Wire;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Wire, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (
            Wire {
                stream,
                cutter: Cutter::default(),
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Port>> for Cutter {
    fn connect_info(stream: IncomingStream<'_, Port>) -> Self {
        stream.io().cutter.clone()
    }
}

impl Wire {
    /// The stream, unless it was cut.
    fn open(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if self.cutter.0.load(Ordering::Acquire) {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "connection cut on purpose",
            ));
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.open()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
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
