//! Response bodies of blobs: streamed, counted, and faulty if a fault is planned.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;

use crate::Counts;
use crate::counts::OpenTransfer;
use crate::faults::BodyFault;

/// The body of a blob response.
pub(crate) struct BlobBody {
    chunks: Box<dyn Iterator<Item = Bytes> + Send>,
    damage: Option<BodyFault>,
    counts: Counts,
    bytes_kind: String,
    _open: OpenTransfer,
}

impl BlobBody {
    /// A body of `chunks`, sent by the server `name`.
    pub(crate) fn new(
        name: &str,
        chunks: Box<dyn Iterator<Item = Bytes> + Send>,
        counts: &Counts,
    ) -> Self {
        Self {
            chunks,
            damage: None,
            counts: counts.clone(),
            bytes_kind: format!("{name}.bytes"),
            _open: counts.open(format!("{name}.download")),
        }
    }

    /// Adds a fault to the body.
    pub(crate) fn damaged(mut self, damage: Option<BodyFault>) -> Self {
        self.damage = damage;
        self
    }

    pub(crate) fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(self, |mut sending| async move {
            Some((sending.next().await?, sending))
        }))
    }

    async fn next(&mut self) -> Option<std::io::Result<Bytes>> {
        match self.damage {
            Some(BodyFault::Cut { after_bytes: 0 }) => {
                // The server flushes what it has only if this yields once.
                tokio::task::yield_now().await;
                return Some(Err(std::io::Error::other("connection cut on purpose")));
            }
            Some(BodyFault::Stall { after_bytes: 0 }) => std::future::pending::<()>().await,
            _ => {}
        }
        let chunk = self.chunks.next()?;
        let chunk = self.spoil(chunk);
        self.counts.add(&self.bytes_kind, chunk.len() as u64);
        Some(Ok(chunk))
    }

    /// Shortens or changes a chunk according to the fault, and updates the fault.
    fn spoil(&mut self, chunk: Bytes) -> Bytes {
        match &mut self.damage {
            None => chunk,
            Some(BodyFault::Cut { after_bytes } | BodyFault::Stall { after_bytes }) => {
                let kept = usize::try_from(*after_bytes)
                    .unwrap_or(usize::MAX)
                    .min(chunk.len());
                *after_bytes -= kept as u64;
                chunk.slice(..kept)
            }
            Some(BodyFault::Corrupt) => {
                self.damage = None;
                let mut chunk = chunk.to_vec();
                chunk[0] ^= 0xff;
                chunk.into()
            }
        }
    }
}
