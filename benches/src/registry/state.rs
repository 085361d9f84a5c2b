//! The state of a registry: its rules, what it holds, and what it has counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::counts::Counters;
use super::options::{Options, Rules};
use super::sessions::Sessions;
use super::store::{Library, RepositoryContent, Store};
use super::timeline::Timeline;
use crate::content::Content;
use crate::item::Tagged;
use crate::lock::lock;

/// The repository with a blob of 128 MiB for the measurement of the network.
pub(crate) const CHECK_REPOSITORY: &str = "check";

const CHECK_BLOB: Content = Content::Generated {
    seed: 0,
    size_bytes: 128 << 20,
};

/// A registry.
pub(super) struct Registry {
    pub(super) rules: Rules,
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    pub(super) library: Library,
    pub(super) sessions: Sessions,
    pub(super) counters: Arc<Counters>,
    pub(super) timeline: Option<Timeline>,
    verifies_uploads: AtomicBool,
    /// What the registry holds after a reset.
    initial: Store,
    /// Images that replace others when tags are moved.
    moved: Vec<Tagged>,
    store: Mutex<Store>,
}

impl Registry {
    pub(super) fn new(options: Options) -> Result<Self, String> {
        let items = &options.item;
        let images: Vec<Tagged> = items.iter().flat_map(|item| item.images()).collect();
        let moved: Vec<Tagged> = items.iter().filter_map(|item| item.changed()).collect();
        let mut library = Library::new();
        for tagged in images.iter().chain(&moved) {
            for blob in tagged.image.all_blobs() {
                library.insert(blob.digest.clone(), blob.content.clone());
            }
        }
        let check_digest = CHECK_BLOB.digest();
        library.insert(check_digest.clone(), CHECK_BLOB);

        let mut initial = Store::default();
        if options.role == "source" {
            initial.put_blob(CHECK_REPOSITORY, &check_digest, CHECK_BLOB.size_bytes());
            for tagged in &images {
                initial.put_image(tagged);
            }
        }
        let timeline = match options.timeline {
            Some(path) => Some(Timeline::open(&path, options.role)?),
            None => None,
        };
        let scheme = if options.identity.is_some() {
            "https"
        } else {
            "http"
        };
        Ok(Self {
            rules: options.rules,
            scheme,
            library,
            sessions: Sessions::default(),
            counters: Arc::default(),
            timeline,
            verifies_uploads: AtomicBool::new(options.rules.verify_uploads),
            store: Mutex::new(initial.clone()),
            initial,
            moved,
        })
    }

    pub(super) fn verifies_uploads(&self) -> bool {
        self.verifies_uploads.load(Ordering::Relaxed)
    }

    pub(super) fn set_verifies_uploads(&self, verifies: bool) {
        self.verifies_uploads.store(verifies, Ordering::Relaxed);
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }

    /// Removes everything that was pushed, moves the tags back, and sets the counts to zero.
    pub(super) fn reset(&self) {
        *self.store() = self.initial.clone();
        self.counters.reset();
    }

    /// Moves the tags for the step `changed`.
    pub(super) fn move_tags(&self) {
        let mut store = self.store();
        for tagged in &self.moved {
            store.put_image(tagged);
        }
    }

    /// Writes a line of the harness into the timeline.
    pub(super) fn note(&self, text: &str) {
        if let Some(timeline) = &self.timeline {
            timeline.note(text);
        }
    }

    /// What each repository holds.
    pub(super) fn content(&self) -> BTreeMap<String, RepositoryContent> {
        self.store().content()
    }
}
