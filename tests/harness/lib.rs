//! What the tests share: a world in the embedded cloud, events, and real parts that we did not write.

pub mod events;
pub mod parts;
pub mod world;
