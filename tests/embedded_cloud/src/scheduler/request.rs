//! The inputs of `GetSchedule` and `DeleteSchedule`.

use serde::Deserialize;

use super::key::Key;
use super::{DEFAULT_GROUP, rules};
use crate::aws::AwsError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetSchedule {
    name: String,
    #[serde(default = "default_group")]
    group_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DeleteSchedule {
    name: String,
    #[serde(default = "default_group")]
    group_name: String,
    pub(super) client_token: Option<String>,
}

impl GetSchedule {
    pub(super) fn key(&self) -> Result<Key, AwsError> {
        Key::parse(&self.group_name, &self.name)
    }
}

impl DeleteSchedule {
    pub(super) fn key(&self) -> Result<Key, AwsError> {
        rules::token(self.client_token.as_deref())?;
        Key::parse(&self.group_name, &self.name)
    }
}

pub(super) fn default_group() -> String {
    DEFAULT_GROUP.to_owned()
}
