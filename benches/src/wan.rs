//! A network with a distance and a width, made of threads: a proxy that holds bytes back until they would have arrived.
//!
//! The client's machine has one line of a given rate in each direction, which all its connections share (`link`). A connection may
//! have only so much under way, which grows with what has arrived, as in TCP's slow start (`window`). What cannot be seen is left
//! out: losses, and the windows that shrink with them. A connection's first bytes wait one round trip more, for the handshake that loopback
//! does at once.

mod link;
mod proxy;
mod window;

pub(crate) use proxy::{Distance, Options, run};
