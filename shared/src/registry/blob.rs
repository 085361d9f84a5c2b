//! Blobs: reading one from its source, checking its bytes in flight, and sending it to its destination.

pub(crate) mod mounts;
pub(crate) mod reader;
pub(crate) mod verify;
