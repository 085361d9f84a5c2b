//! Documents in the Systems Manager Parameter Store.

use super::{Aws, error};
use crate::error::{Error, Side};

impl Aws {
    /// All parameters below `path`: names and values, sorted by name.
    pub async fn parameters(&self, path: &str) -> Result<Vec<(String, String)>, Error> {
        let client = aws_sdk_ssm::Client::new(self.config().await);
        let request = client
            .get_parameters_by_path()
            .path(path)
            .recursive(true)
            .with_decryption(true);
        let action = format!("read the parameters below {path}");
        let mut pages = request.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|failure| error(Side::Configuration, &action, &failure))?;
            for parameter in page.parameters.unwrap_or_default() {
                if let (Some(name), Some(value)) = (parameter.name, parameter.value) {
                    found.push((name, value));
                }
            }
        }
        found.sort();
        Ok(found)
    }
}
