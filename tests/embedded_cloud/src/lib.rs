//! A cloud inside the process: strict fakes of Docker Hub, Amazon ECR and other AWS services, over
//! real HTTP on loopback.
//!
//! Tests and the demo run against it. Each relevant quirk of the real services is implemented here
//! and has its own test. The fakes are strict: they refuse what a real registry refuses, and an
//! unknown request is an error.
//!
//! Read in this order: [`Cloud`], [`Image`], [`Registry`], the registries ([`Hub`], [`Ecr`],
//! [`EcrPublic`], OCI registries), then the AWS services.

mod aws;
mod blob;
mod blob_body;
mod blob_server;
mod caller;
mod clock;
mod cloud;
mod connection;
mod control_plane;
mod counts;
mod credentials;
mod digest;
mod downloads;
mod ecr;
mod ecr_api;
mod ecr_public;
mod ecr_tokens;
mod error_response;
mod events;
mod faults;
mod hub;
mod image;
mod lambda;
mod listener;
mod logs;
mod media;
mod oci_registries;
mod parameters;
mod planned_errors;
mod pool;
mod pull_meter;
mod range;
mod registry;
mod scheduler;
mod secrets;
mod shared_state;
mod sns;
mod sqs;
mod sync;
mod tokens;
mod untrusted_server;

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
