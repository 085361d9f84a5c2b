//! HTTP/1.1: requests, answers, and the redirects between them.
//!
//! hyper-util's client, and not reqwest, which wraps it: hyper reads and writes through buffers of up to 400 KiB, of which a blob on
//! its way fills several, and reqwest has no setting for that. Many images at once took 10 MB more by it, at the same speed.

mod connector;
mod prewarm;
mod redirect;
pub(crate) mod refusal;
pub(crate) mod retry;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::header::{HeaderName, HeaderValue, LOCATION, USER_AGENT};
use http::{HeaderMap, Method, StatusCode, response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::BlobStream;
use crate::error::{Cause, Error, Side};
use crate::registry::transport::connector::{BoxError, Connector};

/// What a connection buffers, in bytes, of what it reads, and again of what it writes.
const BUFFER: usize = 32 * 1024;
/// The same of a connection for large blobs: a tenth less processor time for each byte.
const LARGE_BUFFER: usize = 256 * 1024;
/// From so many bytes on a blob is large. Few such are on their way at once, and a connection of their own is soon paid for.
const LARGE: u64 = 4_000_000;
/// The same over TLS, which has buffers of its own, and of which a read brings 16 KiB at most: there larger ones gain less.
const LARGE_OVER_TLS: u64 = 16_000_000;
/// How long an answer may take, with its body unless that is a blob's.
const ANSWER: Duration = Duration::from_secs(30);
/// How many redirects are followed.
const REDIRECTS: usize = 5;
const WHO_ASKS: HeaderValue =
    HeaderValue::from_static(concat!("image-replicator/", env!("CARGO_PKG_VERSION")));

type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Sends requests. Clones share the connections.
#[derive(Clone)]
pub(crate) struct Transport {
    connector: Connector,
    client: Client<Connector, Body>,
    for_large_blobs: Client<Connector, Body>,
}

/// A request that can be sent again.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    headers: HeaderMap,
    body: Bytes,
    /// The size of the blob that it is for.
    blob_bytes: Option<u64>,
}

/// An answer whose body is still to be read.
pub(crate) struct Response {
    url: Url,
    head: response::Parts,
    body: Body,
    deadline: Option<Instant>,
}

/// Why there was no whole answer. No address is in it: those can carry signatures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no whole answer came in time")]
    Late,
    #[error("{0}")]
    Refused(&'static str),
    #[error(transparent)]
    Broken(BoxError),
}

impl Failure {
    /// The error of a request that `action` describes.
    pub(crate) fn into_error(self, side: Side, action: &str) -> Error {
        let cause = if self.is_final() {
            Cause::Invalid
        } else {
            Cause::Interrupted
        };
        Error::new(side, cause, action).because(self)
    }

    /// Whether asking again would end in the same way.
    fn is_final(&self) -> bool {
        match self {
            Self::Late => false,
            Self::Refused(_) => true,
            Self::Broken(error) => connector::is_final(error.as_ref()),
        }
    }
}

impl Transport {
    /// No connection is made yet.
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let connector = Connector::new()?;
        let client = |buffer| {
            let mut client = Client::builder(TokioExecutor::new());
            client
                .pool_timer(TokioTimer::new())
                .http1_max_buf_size(buffer)
                .build(connector.clone())
        };
        let (client, for_large_blobs) = (client(BUFFER), client(LARGE_BUFFER));
        Ok(Self {
            connector,
            client,
            for_large_blobs,
        })
    }

    /// Sees to it that requests to the origin of `url` soon find `count` connections.
    pub(crate) fn prewarm(&self, url: &Url, count: usize) {
        if let Ok(uri) = url.as_str().parse() {
            self.connector.prewarm(&uri, count);
        }
    }

    /// Sends `request`, and follows redirects. Whoever reads a blob watches the time from its first byte on.
    pub(crate) async fn send(&self, mut request: Request) -> Result<Response, Failure> {
        let deadline = Some(Instant::now() + ANSWER);
        for _ in 0..=REDIRECTS {
            let body = Full::new(request.body.clone())
                .map_err(|never| match never {})
                .boxed_unsync();
            let response = self.once(&request, body, deadline).await?;
            match redirect::next(request, response.status(), response.headers().get(LOCATION))? {
                Some(onward) => request = onward,
                None => return Ok(response),
            }
        }
        Err(Failure::Refused("too many redirects"))
    }

    /// Sends `request` with `body`, once, for as long as that takes.
    pub(crate) async fn stream(
        &self,
        request: Request,
        body: BlobStream,
    ) -> Result<Response, Failure> {
        self.once(&request, streamed(body), None).await
    }

    async fn once(
        &self,
        request: &Request,
        body: Body,
        deadline: Option<Instant>,
    ) -> Result<Response, Failure> {
        let mut sent = http::Request::new(body);
        *sent.method_mut() = request.method.clone();
        *sent.uri_mut() = request
            .url
            .as_str()
            .parse()
            .map_err(|_| Failure::Refused("this is no address for HTTP"))?;
        *sent.headers_mut() = request.headers.clone();
        sent.headers_mut().insert(USER_AGENT, WHO_ASKS);
        let client = if request.is_for_large_blob() {
            &self.for_large_blobs
        } else {
            &self.client
        };
        let answer = in_time(deadline, client.request(sent)).await?;
        let (head, body) = answer
            .map_err(|error| Failure::Broken(error.into()))?
            .into_parts();
        let body = body.map_err(BoxError::from).boxed_unsync();
        let is_blob = request.blob_bytes.is_some() && head.status.is_success();
        let deadline = deadline.filter(|_| !is_blob);
        Ok(Response {
            url: request.url.clone(),
            head,
            body,
            deadline,
        })
    }
}

fn streamed(bytes: BlobStream) -> Body {
    BodyExt::boxed_unsync(StreamBody::new(
        bytes.map_ok(http_body::Frame::data).map_err(BoxError::from),
    ))
}

async fn in_time<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    match deadline {
        Some(deadline) => timeout_at(deadline, work).await.map_err(|_| Failure::Late),
        None => Ok(work.await),
    }
}

impl Request {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            blob_bytes: None,
        }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.insert(name, value.into());
        self
    }

    pub(crate) fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    /// Makes this a request for or with a blob of so many bytes.
    pub(crate) fn blob(mut self, size_bytes: u64) -> Self {
        self.blob_bytes = Some(size_bytes);
        self
    }

    fn is_for_large_blob(&self) -> bool {
        let least = if self.url.scheme() == "https" {
            LARGE_OVER_TLS
        } else {
            LARGE
        };
        self.blob_bytes.is_some_and(|bytes| bytes >= least)
    }
}

impl Response {
    pub(crate) fn status(&self) -> StatusCode {
        self.head.status
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Where the answer came from, behind all redirects.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The next bytes of the body; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            match in_time(self.deadline, self.body.frame()).await? {
                None => return Ok(None),
                Some(Err(error)) => return Err(Failure::Broken(error)),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// An answer that nobody gave.
    #[cfg(test)]
    pub(crate) fn made_up(body: BlobStream) -> Self {
        let (head, ()) = http::Response::new(()).into_parts();
        let url = Url::parse("http://127.0.0.1/").expect("it is an address");
        Self {
            url,
            head,
            body: streamed(body),
            deadline: None,
        }
    }
}
