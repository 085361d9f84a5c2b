//! A cloud inside the process: strict fakes of Docker Hub, Amazon ECR and the AWS services around it, over real HTTP on loopback.
//!
//! Tests and the demonstration run against it, and each quirk of the real services that matters is here and has a test of its
//! own. It is strict: what a real registry refuses is refused here, and what the fakes do not know is an error.
//!
//! Read in this order: [`Cloud`], [`Image`], [`Registry`], then the makes of registries ([`Hub`], [`Ecr`], [`EcrPublic`],
//! registries that follow the OCI specification only), then the AWS services.

mod aws;
mod blob;
mod body;
mod clock;
mod cloud;
mod control;
mod counts;
mod digest;
mod downloads;
mod ecr;
mod ecr_public;
mod events;
mod faults;
mod hub;
mod image;
mod lambda;
mod listener;
mod logs;
mod media;
mod oci_registries;
mod outlet;
mod parameters;
mod pool;
mod range;
mod refusal;
mod registry;
mod scheduler;
mod secrets;
mod sns;
mod sqs;
mod sync;
mod throttle;
mod tokens;
mod untrusted_server;
mod wire;

pub use aws::Failures;
pub use blob::Blob;
pub use clock::Clock;
pub use cloud::Cloud;
pub use counts::Counts;
pub use ecr::Ecr;
pub use ecr_public::{ALIAS, EcrPublic};
pub use events::{Events, PublishedEvent};
pub use faults::Faults;
pub use hub::Hub;
pub use image::{Image, ImageIndex, Manifest};
pub use lambda::{FunctionError, LambdaRuntime};
pub use logs::Logs;
pub use parameters::Parameters;
pub use registry::Registry;
pub use scheduler::{ScheduleView, Scheduler};
pub use secrets::Secrets;
pub use sns::{Notification, Sns};
pub use sqs::{Message, Sqs};
pub use untrusted_server::{RecordedRequest, UntrustedServer};

/// The AWS account that owns everything here.
pub const ACCOUNT: &str = "111122223333";
