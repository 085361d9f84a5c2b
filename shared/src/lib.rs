//! Copies container images from registry to registry: which, from where, where to, and what became of them.
//!
//! ```text
//! event → requests → survey → plan → act → defer → record → notify → report
//!  pure    pure       IO       pure   IO    IO      IO       IO       pure
//! ```
//!
//! Read in this order:
//!
//! 1. [`image`]: what an image is: names, digests, manifests, platforms.
//! 2. [`settings`] and [`catalogue`]: which images are mirrored, and how.
//! 3. [`events`] and [`request`]: what AWS events and build logs say, as requests.
//! 4. [`plan`]: the decision. Pure.
//! 5. [`outcome`]: what became of it: report, notices, metrics, state, retry schedule. Pure.
//! 6. [`registry`] and [`aws`]: the adapters.
//! 7. [`engine`]: the run that puts everything together; only it knows the order of the steps.

pub mod arn;
pub mod aws;
mod cache;
pub mod catalogue;
pub mod engine;
pub mod error;
pub mod events;
pub mod image;
pub mod outcome;
pub mod plan;
pub mod registry;
pub mod request;
pub mod settings;
mod sync;
pub mod timestamp;
