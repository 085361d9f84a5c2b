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

    use http::Method;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::Barrier;

    use super::*;
    use crate::registry::transport::{Request, Transport};

    #[tokio::test(start_paused = true)]
    async fn connections_are_opened_once_within_90_seconds_and_kept_for_five() {
        let (prewarmed, opened) = (Prewarmed::default(), Cell::new(0));
        let uri = Uri::from_static("https://registry/v2/");
        let open = |count| {
            let connect = || -> Connecting {
                opened.set(opened.get() + 1);
                Box::pin(std::future::pending())
            };
            prewarmed.open(&uri, count, connect);
            opened.get()
        };
        assert_eq!([open(2), open(2), open(3)], [2, 2, 3]);
        assert!(
            prewarmed
                .take(&Uri::from_static("http://registry/"))
                .is_none()
        );
        assert!(
            prewarmed
                .take(&Uri::from_static("https://registry/"))
                .is_some()
        );
        tokio::time::advance(UNUSED_TIMEOUT * 2).await;
        assert!(prewarmed.take(&uri).is_none());
        assert_eq!(open(3), 3);
        tokio::time::advance(POOL_IDLE_TIMEOUT).await;
        assert_eq!(open(3), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn each_connection_has_an_age_of_its_own() {
        let (prewarmed, uri) = (
            Prewarmed::default(),
            Uri::from_static("https://registry/v2/"),
        );
        let connect = || -> Connecting { Box::pin(std::future::pending()) };
        prewarmed.open(&uri, 1, connect);
        tokio::time::advance(UNUSED_TIMEOUT * 2).await;
        prewarmed.open(&uri, 2, connect);
        assert!(
            prewarmed.take(&uri).is_some(),
            "the second was opened just now"
        );
        assert!(prewarmed.take(&uri).is_none(), "the first is too old");
    }

    /// A server that responds once `connections` have sent a request, and counts all connections.
    async fn serve(listener: TcpListener, connections: usize, seen: Arc<AtomicUsize>) {
        let all_have_sent = Arc::new(Barrier::new(connections));
        while let Ok((mut stream, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            let all_have_sent = Arc::clone(&all_have_sent);
            tokio::spawn(async move {
                while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                    all_have_sent.wait().await;
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                        .await;
                }
            });
        }
    }

    #[tokio::test]
    async fn requests_use_the_prewarmed_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: url::Url = format!("http://{}/v2/", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        tokio::spawn(serve(listener, 3, Arc::clone(&seen)));
        let transport = Transport::new().unwrap();
        transport.prewarm(&url, 3);
        while seen.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        let get = || transport.send(Request::new(Method::GET, url.clone()));
        let (first, second, third) = tokio::join!(get(), get(), get());
        assert!([first, second, third].iter().all(|response| {
            response
                .as_ref()
                .is_ok_and(|response| response.status().is_success())
        }));
        assert_eq!(seen.load(Ordering::SeqCst), 3);
    }
}
