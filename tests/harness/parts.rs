//! Parts that we did not write: moto as the AWS control plane, CNCF distribution as Docker Hub and as ECR's data
//! plane, the Lambda emulator of AWS, and skopeo as an independent client.
//!
//! Each part starts for one test on a free loopback port. It is ready when its constructor returns, and ends when it
//! is dropped. A part that is not installed fails the test; `.ci/tools` installs them all. Read [`world`] first: it
//! puts them together.

pub mod control_plane;
pub mod distribution;
pub mod emulator;
pub mod moto;
pub mod process;
pub mod seed;
pub mod skopeo;
pub mod tokens;
pub mod tools;
pub mod world;

pub use distribution::{Access, Distribution};
pub use emulator::Emulator;
pub use moto::Moto;
pub use skopeo::skopeo;
pub use tokens::TokenService;
pub use world::World;
