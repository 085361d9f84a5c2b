//! Limits of a registry: how many pulls are left, and how fast requests may follow each other.

pub(crate) mod meter;
pub(crate) mod pace;
