//! Work in progress.
pub mod real;
