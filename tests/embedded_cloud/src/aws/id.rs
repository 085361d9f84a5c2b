//! Identifiers in the format of AWS.

use std::sync::atomic::{AtomicU64, Ordering};

/// A UUID-shaped identifier, unique in this process and reproducible enough to read in a log.
pub(crate) fn unique_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!(
        "00000000-0000-4000-8000-{:012x}",
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}
