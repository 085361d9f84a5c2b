//! Documents in the Systems Manager Parameter Store.

use super::{Aws, error};
use crate::error::{Error, Side};

impl Aws {
    /// Every parameter below `path`: name and value, by name.
    pub async fn parameters(&self, path: &str) -> Result<Vec<(String, String)>, Error> {
        let client = aws_sdk_ssm::Client::new(self.config().await);
        let request = client
            .get_parameters_by_path()
            .path(path)
            .recursive(true)
            .with_decryption(true);
        let mut pages = request.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|failure| {
                error(
                    Side::Configuration,
                    &format!("read parameters below {path}"),
                    &failure,
                )
            })?;
            let parameters = page.parameters.unwrap_or_default().into_iter();
            found.extend(
                parameters.filter_map(|parameter| Some((parameter.name?, parameter.value?))),
            );
        }
        found.sort();
        Ok(found)
    }
}
