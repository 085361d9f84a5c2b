//! Locks of shared state.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `state`, also after a panic elsewhere: the state of a fake stays usable, and the panic
/// fails its own test.
pub(crate) fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
