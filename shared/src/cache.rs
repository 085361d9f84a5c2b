//! Values that are made once and shared: one for each key, or one until it expires.

mod per_key;
mod renewable;

pub(crate) use per_key::PerKey;
pub(crate) use renewable::Renewable;
