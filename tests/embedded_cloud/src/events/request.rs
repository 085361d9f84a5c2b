//! The input of `PutEvents`, and the rules for a request as a whole.

use serde::Deserialize;

use super::entry::Entry;
use crate::aws::AwsError;

const MAX_ENTRIES: usize = 10;

/// The largest request, all entries together: 256 KB. AWS has since raised the limit; a request
/// that fits here fits there.
const MAX_BYTES: usize = 256 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct PutEvents {
    entries: Vec<Entry>,
}

impl PutEvents {
    /// The entries of a valid request. Each entry may still fail alone.
    pub(super) fn entries(self) -> Result<Vec<Entry>, AwsError> {
        match self.entries.len() {
            0 => return Err(invalid("greater than or equal to 1")),
            1..=MAX_ENTRIES => {}
            _ => return Err(invalid("less than or equal to 10")),
        }
        let bytes: usize = self.entries.iter().map(Entry::size_bytes).sum();
        if bytes > MAX_BYTES {
            let message = "Total size of the entries in the request is over the limit.";
            return Err(AwsError::new("ValidationException", message));
        }
        Ok(self.entries)
    }
}

fn invalid(bound: &str) -> AwsError {
    let message = format!(
        "1 validation error detected: Value '[PutEventsRequestEntry]' at 'entries' failed to satisfy constraint: \
         Member must have length {bound}"
    );
    AwsError::new("ValidationException", message)
}
