//! The key of a schedule.

use super::{arn_prefix, rules};
use crate::aws::AwsError;

/// Group and name of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) group: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn parse(group: &str, name: &str) -> Result<Self, AwsError> {
        rules::name("name", name)?;
        rules::name("groupName", group)?;
        Ok(Self {
            group: group.to_owned(),
            name: name.to_owned(),
        })
    }

    pub(super) fn arn(&self) -> String {
        format!("{}{}/{}", arn_prefix(), self.group, self.name)
    }
}
