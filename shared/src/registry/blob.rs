//! Blobs: reading, verifying and mounting them.

pub(crate) mod mounts;
pub(crate) mod reader;
pub(crate) mod verify;

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::error::Error;

/// The bytes of a blob in flight.
pub type BlobStream = BoxStream<'static, Result<Bytes, Error>>;
