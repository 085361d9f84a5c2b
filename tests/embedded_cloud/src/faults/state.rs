//! Faults that last until a test ends them.

/// The lasting faults.
#[derive(Debug, Default)]
pub(super) struct State {
    /// How many more requests get a response; `None` if all do.
    left: Option<u32>,
    /// Where blob downloads are redirected to, if not to the usual server.
    blobs_at: Option<String>,
}

impl State {
    pub(super) fn stop_after(&mut self, requests: u32) {
        self.left = Some(requests);
    }

    pub(super) fn restart(&mut self) {
        self.left = None;
    }

    /// Counts a request; `false` if it must get no response.
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
