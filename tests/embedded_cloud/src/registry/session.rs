//! Upload sessions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};

use crate::blob::Blob;
use crate::digest::Hasher;
use crate::sync::lock;

/// The open sessions of a registry.
#[derive(Default)]
pub(super) struct Sessions {
    open: HashMap<String, Session>,
    started: u64,
}

/// An open upload; clones are the same upload.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) repository: String,
    /// The URL of the next request of the upload.
    pub(super) location: String,
    state: Arc<Mutex<State>>,
}

struct State {
    hasher: Hasher,
    kept: Option<BytesMut>,
    received: u64,
    parts: Vec<u64>,
    broken: bool,
}

impl Sessions {
    /// Opens a session; `locate` makes the URL of an identifier.
    pub(super) fn start(
        &mut self,
        repository: &str,
        locate: impl FnOnce(&str) -> String,
    ) -> Session {
        self.started += 1;
        let id = format!("{:08x}-0000-4000-8000-000000000000", self.started);
        let session = Session::new(&id, repository, locate(&id));
        self.open.insert(id, session.clone());
        session
    }

    pub(super) fn get(&self, id: &str, repository: &str) -> Option<Session> {
        self.open
            .get(id)
            .filter(|session| session.repository == repository)
            .cloned()
    }

    pub(super) fn close(&mut self, id: &str) {
        self.open.remove(id);
    }
}

impl Session {
    fn new(id: &str, repository: &str, location: String) -> Self {
        let kept = Some(BytesMut::new());
        let state = State {
            hasher: Hasher::new(),
            kept,
            received: 0,
            parts: Vec::new(),
            broken: false,
        };
        Self {
            id: id.into(),
            repository: repository.into(),
            location,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Begins a part. Until it ends, the session counts as broken, because an interrupted
    /// connection ends no part.
    pub(super) fn begin_part(&self) {
        let mut state = lock(&self.state);
        state.broken = true;
        state.parts.push(0);
    }

    pub(super) fn receive(&self, chunk: &[u8]) {
        let mut state = lock(&self.state);
        state.hasher.update(chunk);
        state.received += chunk.len() as u64;
        if let Some(part) = state.parts.last_mut() {
            *part += chunk.len() as u64;
        }
        if let Some(kept) = &mut state.kept {
            kept.extend_from_slice(chunk);
        }
    }

    /// Ends a part; an empty part does not count.
    pub(super) fn end_part(&self) {
        let mut state = lock(&self.state);
        state.broken = false;
        state.parts.retain(|size| *size > 0);
    }

    /// Keeps only the hash from now on, because the pool already has the bytes.
    pub(super) fn forget_bytes(&self) {
        lock(&self.state).kept = None;
    }

    pub(super) fn is_broken(&self) -> bool {
        lock(&self.state).broken
    }

    /// How many bytes have arrived.
    pub(super) fn received(&self) -> u64 {
        lock(&self.state).received
    }

    /// The sizes of the parts so far, in bytes.
    pub(super) fn parts(&self) -> Vec<u64> {
        lock(&self.state).parts.clone()
    }

    /// The digest of everything that arrived.
    pub(super) fn digest(&self) -> String {
        lock(&self.state).hasher.clone().finish()
    }

    /// The received bytes, unless only their hash was kept.
    pub(super) fn take_blob(&self) -> Option<Blob> {
        let kept = lock(&self.state).kept.take()?;
        Some(Blob::Bytes(Bytes::from(kept)))
    }
}
