//! Connections that are opened before they are needed: their handshakes run while something else
//! is awaited.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::connection::{BoxError, Connecting, Connection};
use crate::sync::lock;

/// How long a prewarmed connection waits for its first request: registries close silent ones.
const UNUSED_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an origin is not prewarmed again: hyper-util's default for how long connections stay open after a request.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The prewarmed connections of each origin.
#[derive(Default)]
pub(crate) struct Prewarmed(Mutex<HashMap<Origin, Connections>>);

/// What requests must have in common to share connections.
type Origin = (Scheme, Authority);

/// The prewarmed connections of one origin.
struct Connections {
    since: Instant,
    opened: usize,
    unused: VecDeque<Unused>,
}

/// A connection that no request has used yet.
struct Unused {
    since: Instant,
    connection: JoinHandle<Result<Connection, BoxError>>,
}

impl Prewarmed {
    /// Opens connections to the origin of `uri` with `connect`: `count` less those that were
    /// prewarmed in the last 90 seconds.
    pub(crate) fn open(&self, uri: &Uri, count: usize, connect: impl Fn() -> Connecting) {
        let Some(origin) = origin(uri) else { return };
        let mut origins = lock(&self.0);
        let connections = origins.entry(origin).or_insert_with(Connections::none);
        if connections.since.elapsed() > POOL_IDLE_TIMEOUT {
            *connections = Connections::none();
        }
        while connections.opened < count {
            connections.opened += 1;
            connections.unused.push_back(Unused {
                since: Instant::now(),
                connection: tokio::spawn(connect()),
            });
        }
    }

    /// A connection to the origin of `uri` that was prewarmed, or is being opened.
    pub(crate) fn take(&self, uri: &Uri) -> Option<JoinHandle<Result<Connection, BoxError>>> {
        let mut origins = lock(&self.0);
        let connections = origins.get_mut(&origin(uri)?)?;
        connections
            .unused
            .retain(|unused| unused.since.elapsed() <= UNUSED_TIMEOUT);
        let unused = connections.unused.pop_front()?;
        Some(unused.connection)
    }
}

impl Connections {
    fn none() -> Self {
        Self {
            since: Instant::now(),
            opened: 0,
            unused: VecDeque::new(),
        }
    }
}

fn origin(uri: &Uri) -> Option<Origin> {
    Some((uri.scheme()?.clone(), uri.authority()?.clone()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use http::Method;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::Barrier;

    use super::*;
    use crate::registry::transport::{Request, Transport};

    #[tokio::test(start_paused = true)]
    async fn connections_are_opened_once_within_90_seconds_and_kept_for_five() {
        let prewarmed = Prewarmed::default();
        let opened = Cell::new(0);
        let uri = Uri::from_static("https://registry/v2/");
        let open = |count| {
            let connect = || -> Connecting {
                opened.set(opened.get() + 1);
                Box::pin(std::future::pending())
            };
            prewarmed.open(&uri, count, connect);
            opened.get()
        };
        assert_eq!(open(2), 2);
        assert_eq!(open(2), 2);
        assert_eq!(open(3), 3);
        let plain = Uri::from_static("http://registry/");
        assert!(prewarmed.take(&plain).is_none());
        let same_origin = Uri::from_static("https://registry/");
        assert!(prewarmed.take(&same_origin).is_some());
        tokio::time::advance(UNUSED_TIMEOUT * 2).await;
        assert!(prewarmed.take(&uri).is_none());
        assert_eq!(open(3), 3);
        tokio::time::advance(POOL_IDLE_TIMEOUT).await;
        assert_eq!(open(3), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn each_connection_has_an_age_of_its_own() {
        let prewarmed = Prewarmed::default();
        let uri = Uri::from_static("https://registry/v2/");
        let connect = || -> Connecting { Box::pin(std::future::pending()) };
        prewarmed.open(&uri, 1, connect);
        tokio::time::advance(UNUSED_TIMEOUT * 2).await;
        prewarmed.open(&uri, 2, connect);
        let second = prewarmed.take(&uri);
        assert!(second.is_some(), "it was opened just now");
        let first = prewarmed.take(&uri);
        assert!(first.is_none(), "it is too old");
    }

    const EMPTY_RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

    /// A server that responds once `connections` have sent a request, and counts all connections.
    async fn serve(listener: TcpListener, connections: usize, seen: Arc<AtomicUsize>) {
        let all_have_sent = Arc::new(Barrier::new(connections));
        while let Ok((mut stream, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            let all_have_sent = Arc::clone(&all_have_sent);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer).await {
                    all_have_sent.wait().await;
                    let _ = stream.write_all(EMPTY_RESPONSE).await;
                }
            });
        }
    }

    #[tokio::test]
    async fn requests_use_the_prewarmed_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url: url::Url = format!("http://{address}/v2/").parse().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        tokio::spawn(serve(listener, 3, Arc::clone(&seen)));
        let transport = Transport::new().unwrap();
        transport.prewarm(&url, 3);
        while seen.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        let get = || transport.send(Request::new(Method::GET, url.clone()));
        for response in join_all([get(), get(), get()]).await {
            assert!(response.unwrap().status().is_success());
        }
        assert_eq!(seen.load(Ordering::SeqCst), 3);
    }
}
