//! As much of HTTP/1.1 as the harness and the floor need: blocking, one request after another on a connection, bodies of known length.
//!
//! A whole client would do more than has to be done, and the floor is there to show what has to be done.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// The most that the head of an answer may have.
const HEAD_BYTES: usize = 16 * 1024;

/// The token that a registry gives anybody, known beforehand.
const AUTHORIZATION: &str = "authorization: Bearer anybody";

/// A server, and whether it speaks TLS.
#[derive(Clone)]
pub(crate) struct Origin {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

/// A connection that is used again and again.
pub(crate) struct Connection {
    origin: SocketAddr,
    stream: Stream,
    /// Bytes that were read with a head and lie behind it.
    early: Vec<u8>,
}

/// The head of an answer.
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
    /// A server that speaks TLS with a certificate of `authority`, a PEM file; plain HTTP where there is none.
    pub(crate) fn new(address: SocketAddr, authority: Option<&Path>) -> Result<Self, String> {
        Ok(Self {
            address,
            tls: authority.map(trust).transpose()?,
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
            early: Vec::new(),
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
            "{method} {path} HTTP/1.1\r\nhost: {origin}\r\n{AUTHORIZATION}\r\naccept: */*\r\ncontent-type: {media_type}\r\ncontent-length: {length_bytes}\r\n\r\n"
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

    /// Reads the head of an answer.
    pub(crate) fn answer(&mut self) -> io::Result<Head> {
        let mut bytes = std::mem::take(&mut self.early);
        loop {
            if let Some((head, length)) = parse(&bytes)? {
                self.early = bytes.split_off(length);
                return Ok(head);
            }
            let filled = bytes.len();
            if filled >= HEAD_BYTES {
                return Err(io::Error::other("the head of the answer has no end"));
            }
            bytes.resize(HEAD_BYTES, 0);
            let read = self.read(&mut bytes[filled..])?;
            bytes.truncate(filled + read);
        }
    }

    /// Reads some bytes of a body into `buffer`, at least one.
    pub(crate) fn read_body(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.early.is_empty() {
            return self.read(buffer);
        }
        let length = self.early.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.early[..length]);
        self.early.drain(..length);
        Ok(length)
    }

    /// Sends a request with a body and reads the whole answer, which has to be one of success.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> io::Result<(Head, Vec<u8>)> {
        self.send(method, path, media_type, body.len() as u64)?;
        self.write_all(body)?;
        let head = self.answer()?.of_success(method, path)?;
        let length = usize::try_from(head.length_bytes).map_err(io::Error::other)?;
        let (mut bytes, mut filled) = (vec![0; length], 0);
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
    /// This head, unless it is a refusal.
    pub(crate) fn of_success(self, method: &str, path: &str) -> io::Result<Self> {
        match self.status {
            200..300 => Ok(self),
            status => Err(io::Error::other(format!(
                "{method} {path}: status {status}"
            ))),
        }
    }
}

/// A head and its length in bytes, once it is complete.
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

fn trust(authority: &Path) -> Result<Arc<ClientConfig>, String> {
    let broken = |error: &dyn std::fmt::Display| format!("{}: {error}", authority.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).map_err(|error| broken(&error))? {
        roots
            .add(certificate.map_err(|error| broken(&error))?)
            .map_err(|error| broken(&error))?;
    }
    Ok(Arc::new(
        ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
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
    fn a_refusal_is_an_error_that_names_the_request() {
        let head = Head {
            status: 404,
            ..Head::default()
        };
        assert_eq!(
            head.of_success("GET", "/v2/").unwrap_err().to_string(),
            "GET /v2/: status 404"
        );
    }
}
