//! HTTP/1.1: requests, responses, and redirects.
//!
//! This uses hyper-util's client, not reqwest, which wraps it. hyper reads and writes through buffers
//! of up to 400 KiB, of which a blob in flight fills several, and reqwest has no setting for that.
//! With many concurrent images it took 10 MB more, at the same speed.

pub(crate) mod connection;
mod connector;
mod prewarm;
mod redirect;
pub(crate) mod refusal;
pub(crate) mod retry;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::header::{AsHeaderName, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use http::{HeaderMap, Method, StatusCode, response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::blob::BlobStream;
use crate::error::{Cause, Error, Side};
use connection::BoxError;
use connector::Connector;

/// The buffer of a connection, in each direction.
const BUFFER_BYTES: usize = 32 * 1024;
/// The buffer of a connection for large blobs: a tenth less processor time for each byte.
const LARGE_BUFFER_BYTES: usize = 256 * 1024;
/// The size from which a blob is large. Few large blobs are in flight at a time, and a separate
/// connection soon pays off.
const LARGE_BLOB_BYTES: u64 = 4_000_000;
/// The same over TLS, which has buffers of its own, and of which a read returns at most 16 KiB: a
/// larger buffer gains less.
const LARGE_BLOB_OVER_TLS_BYTES: u64 = 16_000_000;
/// How long a response may take, including its body unless that is a blob.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// The most redirects that are followed.
const MAX_REDIRECTS: usize = 5;
const USER_AGENT_VALUE: HeaderValue =
    HeaderValue::from_static(concat!("image-replicator/", env!("CARGO_PKG_VERSION")));

type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Sends requests. Clones share the connections.
#[derive(Clone)]
pub(crate) struct Transport {
    connector: Connector,
    client: Client<Connector, Body>,
    large_blob_client: Client<Connector, Body>,
}

/// A request that can be sent again.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    headers: HeaderMap,
    body: Bytes,
    /// The size of the blob that it sends or gets.
    blob_bytes: Option<u64>,
}

/// A response whose body is not read yet.
pub(crate) struct Response {
    url: Url,
    head: response::Parts,
    body: Body,
    deadline: Option<Instant>,
}

/// Why there is no complete response. It never contains an address, which can carry a signature.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no complete response in time")]
    Timeout,
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

    /// Whether another attempt would end with the same failure.
    fn is_final(&self) -> bool {
        match self {
            Self::Timeout => false,
            Self::Refused(_) => true,
            Self::Broken(error) => connector::is_final(error.as_ref()),
        }
    }
}

impl Transport {
    /// A transport without connections.
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let connector = Connector::new()?;
        let client = |buffer_bytes| {
            let mut builder = Client::builder(TokioExecutor::new());
            builder
                .pool_timer(TokioTimer::new())
                .http1_max_buf_size(buffer_bytes)
                .build(connector.clone())
        };
        Ok(Self {
            client: client(BUFFER_BYTES),
            large_blob_client: client(LARGE_BUFFER_BYTES),
            connector,
        })
    }

    /// Opens up to `count` connections to the origin of `url` before they are needed.
    pub(crate) fn prewarm(&self, url: &Url, count: usize) {
        if let Ok(uri) = url.as_str().parse() {
            self.connector.prewarm(&uri, count);
        }
    }

    /// Sends `request`, and follows redirects. The caller limits the time for the body of a blob.
    pub(crate) async fn send(&self, mut request: Request) -> Result<Response, Failure> {
        let deadline = Some(Instant::now() + RESPONSE_TIMEOUT);
        for _ in 0..=MAX_REDIRECTS {
            let body = Full::new(request.body.clone())
                .map_err(|never| match never {})
                .boxed_unsync();
            let response = self.send_once(&request, body, deadline).await?;
            let location = response.headers().get(LOCATION);
            match redirect::follow(request, response.status(), location)? {
                Some(next) => request = next,
                None => return Ok(response),
            }
        }
        Err(Failure::Refused("too many redirects"))
    }

    /// Sends `request` once, with `body`, without a time limit.
    pub(crate) async fn stream(
        &self,
        request: Request,
        body: BlobStream,
    ) -> Result<Response, Failure> {
        self.send_once(&request, streamed(body), None).await
    }

    async fn send_once(
        &self,
        request: &Request,
        body: Body,
        deadline: Option<Instant>,
    ) -> Result<Response, Failure> {
        let client = if request.is_for_large_blob() {
            &self.large_blob_client
        } else {
            &self.client
        };
        let sent = client.request(request.to_http(body)?);
        let response = in_time(deadline, sent)
            .await?
            .map_err(|error| Failure::Broken(error.into()))?;
        let (head, body) = response.into_parts();
        let is_blob = request.blob_bytes.is_some() && head.status.is_success();
        Ok(Response {
            url: request.url.clone(),
            head,
            body: body.map_err(BoxError::from).boxed_unsync(),
            deadline: deadline.filter(|_| !is_blob),
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
        Some(deadline) => timeout_at(deadline, work)
            .await
            .map_err(|_| Failure::Timeout),
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

    /// Makes this a request that sends or gets a blob of `size_bytes`.
    pub(crate) fn blob(mut self, size_bytes: u64) -> Self {
        self.blob_bytes = Some(size_bytes);
        self
    }

    fn is_for_large_blob(&self) -> bool {
        let min_bytes = if self.url.scheme() == "https" {
            LARGE_BLOB_OVER_TLS_BYTES
        } else {
            LARGE_BLOB_BYTES
        };
        self.blob_bytes.is_some_and(|bytes| bytes >= min_bytes)
    }

    fn to_http(&self, body: Body) -> Result<http::Request<Body>, Failure> {
        let uri = self.url.as_str().parse();
        let mut http = http::Request::new(body);
        *http.uri_mut() = uri.map_err(|_| Failure::Refused("this is no address for HTTP"))?;
        *http.method_mut() = self.method.clone();
        *http.headers_mut() = self.headers.clone();
        http.headers_mut().insert(USER_AGENT, USER_AGENT_VALUE);
        Ok(http)
    }
}

impl Response {
    pub(crate) fn status(&self) -> StatusCode {
        self.head.status
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The text of a header; `None` if it is missing, or not plain ASCII.
    pub(crate) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        let value = self.headers().get(name)?;
        value.to_str().ok()
    }

    /// The address that responded, after all redirects.
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

    /// A response for tests, which no server sent.
    #[cfg(test)]
    pub(crate) fn from_body(body: BlobStream) -> Self {
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
