//! Settings of private repositories and of the account.

use serde_json::{Value, json};

use super::EcrApi;
use super::input::{Input, invalid};
use crate::ACCOUNT;
use crate::aws::{ActionResult, AwsError};
use crate::registry::Mutability;

const MODES: [&str; 4] = [
    "MUTABLE",
    "IMMUTABLE",
    "IMMUTABLE_WITH_EXCLUSION",
    "MUTABLE_WITH_EXCLUSION",
];

impl EcrApi<'_> {
    pub(crate) fn put_mutability(&self, input: &Value) -> ActionResult {
        let name = input.required("repositoryName")?;
        input.required("imageTagMutability")?;
        let mutability = mutability(input)?;
        let mut answer = json!({ "registryId": ACCOUNT, "repositoryName": name, "imageTagMutability": mutability.mode });
        add_filters(&mut answer, &mutability);
        self.change(name, |repository| {
            repository.mutability = mutability;
            Ok(answer)
        })
    }

    pub(crate) fn put_lifecycle_policy(&self, input: &Value) -> ActionResult {
        let name = input.required("repositoryName")?;
        let text = input.required("lifecyclePolicyText")?;
        let policy: Value = serde_json::from_str(text).unwrap_or_default();
        if policy["rules"].as_array().is_none_or(Vec::is_empty) {
            return Err(invalid(
                "Invalid parameter at 'LifecyclePolicyText': a policy is a JSON document with rules",
            ));
        }
        self.change(name, |repository| {
            repository.lifecycle_policy = Some(text.to_owned());
            Ok(json!({ "registryId": ACCOUNT, "repositoryName": name, "lifecyclePolicyText": text }))
        })
    }

    pub(crate) fn lifecycle_policy(&self, input: &Value) -> ActionResult {
        self.read(input, |name, repository| {
            let none = || {
                let message = format!("Lifecycle policy does not exist for the repository with name '{name}' in the registry with id '{ACCOUNT}'");
                AwsError::new("LifecyclePolicyNotFoundException", message)
            };
            let text = repository.lifecycle_policy.as_ref().ok_or_else(none)?;
            Ok(json!({ "registryId": ACCOUNT, "repositoryName": name, "lifecyclePolicyText": text }))
        })
    }

    /// Only `BLOB_MOUNTING` is supported; other settings are refused.
    pub(crate) fn put_account_setting(&self, input: &Value) -> ActionResult {
        check_setting(input)?;
        let value = input.required("value")?;
        self.registry.contents().mounting = match value {
            "ENABLED" => true,
            "DISABLED" => false,
            _ => {
                return Err(invalid(format!(
                    "Invalid value '{value}' for BLOB_MOUNTING"
                )));
            }
        };
        Ok(json!({ "name": "BLOB_MOUNTING", "value": value }))
    }

    pub(crate) fn account_setting(&self, input: &Value) -> ActionResult {
        check_setting(input)?;
        let value = if self.registry.contents().mounting {
            "ENABLED"
        } else {
            "DISABLED"
        };
        Ok(json!({ "name": "BLOB_MOUNTING", "value": value }))
    }
}

fn check_setting(input: &Value) -> Result<(), AwsError> {
    match input.required("name")? {
        "BLOB_MOUNTING" => Ok(()),
        name => Err(invalid(format!("Invalid account setting name '{name}'"))),
    }
}

/// Reads which tags are mutable; all of them by default.
pub(super) fn mutability(input: &Value) -> Result<Mutability, AwsError> {
    let mode = input.optional("imageTagMutability")?.unwrap_or("MUTABLE");
    let filters = input.list("imageTagMutabilityExclusionFilters", 5)?;
    if !MODES.contains(&mode) {
        return Err(invalid(format!(
            "'imageTagMutability' is none of {}",
            MODES.join(", ")
        )));
    }
    if mode.ends_with("_WITH_EXCLUSION") == filters.is_empty() {
        return Err(invalid(
            "exclusion filters belong to the modes with exclusion, and those need them",
        ));
    }
    let filters = filters.iter().map(filter).collect::<Result<_, _>>()?;
    Ok(Mutability {
        mode: mode.into(),
        filters,
    })
}

fn filter(input: &Value) -> Result<String, AwsError> {
    let filter = input.required("filter")?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._*-".contains(&byte);
    if input.required("filterType")? == "WILDCARD"
        && (1..=128).contains(&filter.len())
        && filter.bytes().all(legal)
    {
        return Ok(filter.to_owned());
    }
    Err(invalid(format!(
        "'{filter}' is not a wildcard filter of 1 to 128 characters"
    )))
}

/// Adds the exclusion filters to a document, if there are any.
pub(super) fn add_filters(document: &mut Value, mutability: &Mutability) {
    if !mutability.filters.is_empty() {
        let filters = mutability
            .filters
            .iter()
            .map(|filter| json!({ "filterType": "WILDCARD", "filter": filter }));
        document["imageTagMutabilityExclusionFilters"] = filters.collect();
    }
}
