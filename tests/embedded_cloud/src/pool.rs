//! Every blob of the cloud, by digest.
//!
//! A repository stores only digests. The pool stores the bytes, once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::blob::Blob;
use crate::sync::lock;

/// The blobs; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    blobs: Arc<Mutex<HashMap<String, Blob>>>,
}

impl Pool {
    pub(crate) fn get(&self, digest: &str) -> Option<Blob> {
        lock(&self.blobs).get(digest).cloned()
    }

    /// Adds a blob unless its digest is known. A generated blob needs no memory.
    pub(crate) fn add(&self, digest: &str, blob: Blob) {
        lock(&self.blobs).entry(digest.to_owned()).or_insert(blob);
    }

    pub(crate) fn holds(&self, digest: &str) -> bool {
        lock(&self.blobs).contains_key(digest)
    }
}
