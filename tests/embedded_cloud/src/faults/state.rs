//! Faults that last.

/// What is wrong until it is put right.
#[derive(Debug, Default)]
pub(super) struct State {
    /// How many requests are still answered; none where all are.
    left: Option<u32>,
    /// Where blobs are, if not where they should be.
    blobs_at: Option<String>,
}

impl State {
    pub(super) fn stop_after(&mut self, requests: u32) {
        self.left = Some(requests);
    }

    pub(super) fn restart(&mut self) {
        self.left = None;
    }

    /// Whether one more request is answered.
    pub(super) fn admit(&mut self) -> bool {
        let alive = self.left != Some(0);
        self.left = self.left.map(|left| left.saturating_sub(1));
        alive
    }

    pub(super) fn redirect_blobs(&mut self, url: Option<String>) {
        self.blobs_at = url;
    }

    pub(super) fn redirect(&self, digest: &str) -> Option<String> {
        self.blobs_at.as_ref().map(|url| format!("{url}/{digest}"))
    }
}
