//! The part of HTTP/1.1 that the harness and the floor need: blocking, one request after another on
//! a connection, bodies of known length.
//!
//! A complete client would do more than necessary, and the floor shows what is necessary.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// The largest head of a response.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The token that `benches registry --tokens` issues to every client.
const AUTHORIZATION_HEADER: &str = "authorization: Bearer anybody";

/// The address of a server, and its TLS settings, if it uses TLS.
#[derive(Clone)]
pub(crate) struct Origin {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

/// A persistent connection.
pub(crate) struct Connection {
    origin: SocketAddr,
    stream: Stream,
    /// Bytes of the body that were read together with the head.
    body_start: Vec<u8>,
}

/// The head of a response.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) length_bytes: u64,
    pub(crate) location: Option<String>,
    pub(crate) media_type: Option<String>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Origin {
    /// A server at `address`. With `authority`, a PEM file, connections use TLS and trust only that
    /// authority; without it they are plain HTTP.
    pub(crate) fn new(address: SocketAddr, authority: Option<&Path>) -> Result<Self, String> {
        Ok(Self {
            address,
            tls: authority.map(trust_only).transpose()?,
        })
    }

    pub(crate) fn connect(&self) -> io::Result<Connection> {
        let tcp = TcpStream::connect(self.address)?;
        tcp.set_nodelay(true)?;
        let stream = match &self.tls {
            None => Stream::Plain(tcp),
            Some(config) => {
                let name = ServerName::IpAddress(self.address.ip().into());
                let client =
                    ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(client, tcp)))
            }
        };
        Ok(Connection {
            origin: self.address,
            stream,
            body_start: Vec::new(),
        })
    }
}

impl Connection {
    /// Sends the head of a request whose body has `length_bytes`.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        media_type: &str,
        length_bytes: u64,
    ) -> io::Result<()> {
        let origin = self.origin;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {origin}\r\n{AUTHORIZATION_HEADER}\r\naccept: */*\r\n\
             content-type: {media_type}\r\ncontent-length: {length_bytes}\r\n\r\n"
        );
        self.write_all(head.as_bytes())
    }

    /// Sends bytes of a body.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// Reads the head of a response.
    pub(crate) fn read_head(&mut self) -> io::Result<Head> {
        let mut bytes = std::mem::take(&mut self.body_start);
        loop {
            if let Some((head, length)) = parse(&bytes)? {
                self.body_start = bytes.split_off(length);
                return Ok(head);
            }
            let filled = bytes.len();
            if filled >= MAX_HEAD_BYTES {
                return Err(io::Error::other("the head of the response is too long"));
            }
            bytes.resize(MAX_HEAD_BYTES, 0);
            let read = self.read(&mut bytes[filled..])?;
            bytes.truncate(filled + read);
        }
    }

    /// Reads some bytes of a body into `buffer`, at least one.
    pub(crate) fn read_body(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.body_start.is_empty() {
            return self.read(buffer);
        }
        let length = self.body_start.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.body_start[..length]);
        self.body_start.drain(..length);
        Ok(length)
    }

    /// Sends a request with a body and reads the whole response. A status other than 2xx is an
    /// error.
    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> io::Result<(Head, Vec<u8>)> {
        self.send(method, path, media_type, body.len() as u64)?;
        self.write_all(body)?;
        let head = self.read_head()?.check_success(method, path)?;
        let length = usize::try_from(head.length_bytes).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            filled += self.read_body(&mut bytes[filled..])?;
        }
        Ok((head, bytes))
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read(buffer)?,
            Stream::Tls(stream) => stream.read(buffer)?,
        };
        if read == 0 {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(read)
        }
    }
}

impl Head {
    /// Returns this head if its status is 2xx, else an error that contains the request.
    pub(crate) fn check_success(self, method: &str, path: &str) -> io::Result<Self> {
        match self.status {
            200..300 => Ok(self),
            status => Err(io::Error::other(format!(
                "{method} {path}: status {status}"
            ))),
        }
    }
}

/// Parses a head. Returns it with its length in bytes, or `None` if it is incomplete.
fn parse(bytes: &[u8]) -> io::Result<Option<(Head, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes).map_err(io::Error::other)?
    else {
        return Ok(None);
    };
    let mut head = Head {
        status: response.code.unwrap_or_default(),
        ..Head::default()
    };
    for header in response.headers.iter() {
        let value = String::from_utf8_lossy(header.value);
        match header.name.to_ascii_lowercase().as_str() {
            "content-length" => head.length_bytes = value.parse().map_err(io::Error::other)?,
            "location" => head.location = Some(value.into_owned()),
            "content-type" => head.media_type = Some(value.into_owned()),
            _ => {}
        }
    }
    Ok(Some((head, length)))
}

fn trust_only(authority: &Path) -> Result<Arc<ClientConfig>, String> {
    let describe = |error: &dyn std::fmt::Display| format!("{}: {error}", authority.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).map_err(|error| describe(&error))? {
        let certificate = certificate.map_err(|error| describe(&error))?;
        roots.add(certificate).map_err(|error| describe(&error))?;
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_head_is_not_parsed() {
        let text = b"HTTP/1.1 202 Accepted\r\nLocation: /v2/a\r\nContent-Length: 7\r\n\r\nrest";
        assert_eq!(parse(&text[..50]).unwrap(), None);
        let (head, length) = parse(text).unwrap().unwrap();
        assert_eq!(
            (head.status, head.length_bytes, &text[length..]),
            (202, 7, &b"rest"[..])
        );
        assert_eq!(head.location.as_deref(), Some("/v2/a"));
    }

    #[test]
    fn an_error_status_is_an_error_with_the_request() {
        let head = Head {
            status: 404,
            ..Head::default()
        };
        assert_eq!(
            head.check_success("GET", "/v2/").unwrap_err().to_string(),
            "GET /v2/: status 404"
        );
    }
}
