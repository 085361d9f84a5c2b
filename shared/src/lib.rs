//! Copies container images from registry to registry: which, from where, where to, and what became of them.
//!
//! ```text
//! event → requests → survey → plan → copy → record → report
//!  pure    pure       IO       pure   IO     IO       pure
//! ```
//!
//! Read in this order:
//!
//! 1. What things are called: [`reference`](mod@reference), [`digest`], [`manifest`], [`platform`], [`subset`], [`host`], [`error`].
//! 2. What is wanted: [`settings`], [`catalogue`], [`signal`], [`request`].
//! 3. What is to be done: [`price`], [`budget`], [`plan`](mod@plan), [`message`], and what became of it: [`report`], [`state`], [`quota`], [`wake_up`], [`notice`], [`metrics`].
//! 4. The shell that does it: [`replicator`], over [`registry`] and [`aws`].
//!
//! The first three groups are pure: no IO, no clock, no environment.

pub mod aws;
pub mod budget;
pub mod catalogue;
pub mod digest;
pub mod error;
pub mod host;
pub mod manifest;
pub mod message;
pub mod metrics;
pub mod notice;
pub mod plan;
pub mod platform;
pub mod price;
pub mod quota;
pub mod reference;
pub mod registry;
mod renewable;
pub mod replicator;
pub mod report;
pub mod request;
pub mod settings;
pub mod signal;
mod slots;
pub mod state;
pub mod subset;
pub mod wake_up;
