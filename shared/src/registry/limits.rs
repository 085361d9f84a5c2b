//! Limits: how much may be asked of a registry, and how fast.

pub(crate) mod meter;
pub(crate) mod pace;
