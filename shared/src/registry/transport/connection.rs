//! The types of a connection to a registry.

use std::error::Error as StdError;
use std::pin::Pin;

use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An error of hyper, rustls or the operating system.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// An open connection.
pub(crate) type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The attempt to open a connection.
pub(crate) type Connecting = Pin<Box<dyn Future<Output = Result<Connection, BoxError>> + Send>>;
