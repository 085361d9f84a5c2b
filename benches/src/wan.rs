//! A simulated wide area network: a proxy that delays bytes until they would have arrived.
//!
//! The client's machine has one line per direction with a fixed rate, which all its connections
//! share (`link`). A window limits the bytes that a connection has in flight. It grows with each
//! acknowledgement, as in TCP's slow start (`window`). Packet loss, and the windows that shrink
//! with it, are not simulated. The first bytes of a connection wait for one more round trip: the
//! TCP handshake, which takes no time on loopback.

mod link;
mod proxy;
mod window;

pub(crate) use proxy::{Distance, Options, run};
