//! Who sends a request to a registry, and whether it reads or writes.

/// Whether a request reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Reading.
    Pull,
    /// Writing.
    Push,
}

/// The sender of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The user; `None` for anonymous callers and for registries without users.
    pub(crate) user: Option<String>,
}

impl Action {
    /// The action in token scopes.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }
}
