//! What the tests share: a world in the embedded cloud, and real parts that we did not write.

pub mod parts;
pub mod world;
