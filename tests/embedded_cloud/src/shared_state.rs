//! The state that all registries of a cloud share.

use crate::pool::Pool;
use crate::{Clock, Counts};

/// What all registries of a cloud share.
#[derive(Clone, Default)]
pub(crate) struct SharedState {
    pub(crate) pool: Pool,
    pub(crate) clock: Clock,
    pub(crate) counts: Counts,
}
