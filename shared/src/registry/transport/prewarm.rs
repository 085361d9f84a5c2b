//! Connections that are made before they are needed: their handshakes go on while something else is waited for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::registry::transport::connector::{BoxError, Connecting, Connection};

/// How long a connection waits for its first request: registries close those that stay silent.
const KEPT: Duration = Duration::from_secs(5);
/// For so long connections are kept after a request, so that no more need to be made ahead (hyper-util's default).
const IN_USE: Duration = Duration::from_secs(90);

/// Connections that were made ahead, for each place that they lead to.
#[derive(Default)]
pub(crate) struct Ahead(Mutex<HashMap<(Scheme, Authority), Made>>);

/// What was made for one place.
struct Made {
    since: Instant,
    count: usize,
    /// Those that nobody took yet, and since when each is there.
    waiting: VecDeque<(Instant, JoinHandle<Result<Connection, BoxError>>)>,
}

impl Ahead {
    /// Has `connect` make `count` connections to `uri`, less those that were made lately.
    pub(crate) fn make(&self, uri: &Uri, count: usize, connect: impl Fn() -> Connecting) {
        let Some(place) = place(uri) else { return };
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = places.entry(place).or_insert_with(Made::none);
        if made.since.elapsed() > IN_USE {
            *made = Made::none();
        }
        while made.count < count {
            made.count += 1;
            made.waiting
                .push_back((Instant::now(), tokio::spawn(connect())));
        }
    }

    /// A connection to `uri` that was made ahead, or is being made.
    pub(crate) fn take(&self, uri: &Uri) -> Option<JoinHandle<Result<Connection, BoxError>>> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = places.get_mut(&place(uri)?)?;
        made.waiting.retain(|(since, _)| since.elapsed() <= KEPT);
        made.waiting.pop_front().map(|(_, connection)| connection)
    }
}

impl Made {
    fn none() -> Self {
        Self {
            since: Instant::now(),
            count: 0,
            waiting: VecDeque::new(),
        }
    }
}

/// What connections are shared by.
fn place(uri: &Uri) -> Option<(Scheme, Authority)> {
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
    async fn connections_are_made_once_and_kept_for_a_while() {
        let (ahead, count_of_all) = (Ahead::default(), Cell::new(0));
        let uri = Uri::from_static("https://registry/v2/");
        let make = |count| {
            let connect = || -> Connecting {
                count_of_all.set(count_of_all.get() + 1);
                Box::pin(std::future::pending())
            };
            ahead.make(&uri, count, connect);
            count_of_all.get()
        };
        assert_eq!([make(2), make(2), make(3)], [2, 2, 3]);
        assert!(ahead.take(&Uri::from_static("http://registry/")).is_none());
        assert!(ahead.take(&Uri::from_static("https://registry/")).is_some());
        tokio::time::advance(KEPT * 2).await;
        assert!(ahead.take(&uri).is_none());
        assert_eq!(make(3), 3);
        tokio::time::advance(IN_USE).await;
        assert_eq!(make(3), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn each_connection_is_as_old_as_itself() {
        let (ahead, uri) = (Ahead::default(), Uri::from_static("https://registry/v2/"));
        let connect = || -> Connecting { Box::pin(std::future::pending()) };
        ahead.make(&uri, 1, connect);
        tokio::time::advance(KEPT * 2).await;
        ahead.make(&uri, 2, connect);
        assert!(ahead.take(&uri).is_some(), "the second was made just now");
        assert!(ahead.take(&uri).is_none(), "the first is too old");
    }

    /// A server that answers when `connections` wait for it, and counts how many there ever are.
    async fn serve(listener: TcpListener, connections: usize, seen: Arc<AtomicUsize>) {
        let all_have_asked = Arc::new(Barrier::new(connections));
        while let Ok((mut stream, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            let all_have_asked = Arc::clone(&all_have_asked);
            tokio::spawn(async move {
                while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                    all_have_asked.wait().await;
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                        .await;
                }
            });
        }
    }

    #[tokio::test]
    async fn requests_take_the_connections_that_were_made_ahead() {
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
        let ask = || transport.send(Request::new(Method::GET, url.clone()));
        let (first, second, third) = tokio::join!(ask(), ask(), ask());
        assert!(
            [first, second, third]
                .iter()
                .all(|answer| answer.as_ref().is_ok_and(|it| it.status().is_success()))
        );
        assert_eq!(seen.load(Ordering::SeqCst), 3);
    }
}
