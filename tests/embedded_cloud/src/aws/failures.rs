//! Planned failures of AWS actions, such as throttling.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::AwsError;
use crate::sync::lock;

/// Makes future calls of an action fail, as a throttled or broken service does.
#[derive(Clone, Debug, Default)]
pub struct Failures(Arc<Mutex<BTreeMap<String, Planned>>>);

#[derive(Clone, Copy, Debug)]
struct Planned {
    code: &'static str,
    times: u32,
}

impl Failures {
    /// Makes the next `times` calls of `action` fail with `code`.
    ///
    /// `action` is the name under which [`Counts`](crate::Counts) counts the call, such as
    /// `ecr.api.DescribeImages`. `code` is the service's error code, such as `ThrottlingException`;
    /// it decides the HTTP status. A second plan for the same action replaces the first.
    pub fn fail_next(&self, action: &str, code: &'static str, times: u32) {
        self.plans()
            .insert(action.to_owned(), Planned { code, times });
    }

    /// Consumes one planned failure of the action, if there is one.
    pub(crate) fn check(&self, action: &str) -> Result<(), AwsError> {
        let mut plans = self.plans();
        match plans.get_mut(action) {
            Some(planned) if planned.times > 0 => {
                planned.times -= 1;
                Err(AwsError::new(planned.code, message(planned.code))
                    .with_status(status(planned.code)))
            }
            _ => Ok(()),
        }
    }

    fn plans(&self) -> MutexGuard<'_, BTreeMap<String, Planned>> {
        lock(&self.0)
    }
}

fn message(code: &str) -> &'static str {
    match code {
        "ThrottlingException" | "RequestThrottled" => "Rate exceeded",
        _ => "a failure that the test asked for",
    }
}

/// awsJson services send 400 for client errors, throttling included, and 5xx for server errors.
fn status(code: &str) -> u16 {
    match code {
        "ServerException" | "InternalServerError" | "InternalServiceError" | "InternalFailure" => {
            500
        }
        "ServiceUnavailable" | "ServiceUnavailableException" => 503,
        _ => 400,
    }
}
