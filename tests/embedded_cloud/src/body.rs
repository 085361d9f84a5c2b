//! Bodies of blobs: streamed, counted, and damaged on demand.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;

use crate::Counts;
use crate::counts::OpenTransfer;
use crate::faults::Damage;

/// A blob on its way to a client.
pub(crate) struct Sending {
    chunks: Box<dyn Iterator<Item = Bytes> + Send>,
    damage: Option<Damage>,
    counts: Counts,
    bytes_kind: String,
    _open: OpenTransfer,
}

impl Sending {
    /// Starts to send `chunks` from the server `name`.
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

    /// The same, with what goes wrong on the way.
    pub(crate) fn damaged(mut self, damage: Option<Damage>) -> Self {
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
            Some(Damage::Cut { after_bytes: 0 }) => {
                // What was sent so far leaves the buffers of the server only if this waits once.
                tokio::task::yield_now().await;
                return Some(Err(std::io::Error::other("connection cut on purpose")));
            }
            Some(Damage::Stall { after_bytes: 0 }) => std::future::pending::<()>().await,
            _ => {}
        }
        let chunk = self.chunks.next()?;
        let chunk = self.spoil(chunk);
        self.counts.add(&self.bytes_kind, chunk.len() as u64);
        Some(Ok(chunk))
    }

    /// Shortens or changes a chunk as the damage wants it, and notes what is left of the damage.
    fn spoil(&mut self, chunk: Bytes) -> Bytes {
        match &mut self.damage {
            None => chunk,
            Some(Damage::Cut { after_bytes } | Damage::Stall { after_bytes }) => {
                let kept = usize::try_from(*after_bytes)
                    .unwrap_or(usize::MAX)
                    .min(chunk.len());
                *after_bytes -= kept as u64;
                chunk.slice(..kept)
            }
            Some(Damage::Corrupt) => {
                self.damage = None;
                let mut chunk = chunk.to_vec();
                chunk[0] ^= 0xff;
                chunk.into()
            }
        }
    }
}
