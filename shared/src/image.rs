//! What an image is: its names, its content, and the platforms that it runs on. Pure.
//!
//! * [`reference`](mod@reference): references to images and repositories; Docker Hub has one name,
//! * [`digest`]: the SHA-256 digests of bytes,
//! * [`manifest`]: a manifest's bytes, and a view of what they name,
//! * [`platform`]: a platform, and a choice of platforms,
//! * [`subset`]: an index cut down to the chosen platforms,
//! * [`host`]: the kind of a registry,
//! * [`endpoints`]: the address that serves a registry.

pub mod digest;
pub mod endpoints;
pub mod host;
pub mod manifest;
pub mod platform;
pub mod reference;
pub mod subset;
