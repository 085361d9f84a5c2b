//! What an image is: how it is named, what it consists of, and which platforms it runs on. Pure.
//!
//! * [`reference`](mod@reference): images and repositories; Docker Hub under one name,
//! * [`digest`]: the SHA-256 names of bytes,
//! * [`manifest`]: bytes that are the truth, and a view of them,
//! * [`platform`]: what an image runs on, and which platforms are chosen,
//! * [`subset`]: an index cut down to the chosen platforms,
//! * [`host`]: the kind of a registry, and the address that serves it.

pub mod digest;
pub mod host;
pub mod manifest;
pub mod platform;
pub mod reference;
pub mod subset;
