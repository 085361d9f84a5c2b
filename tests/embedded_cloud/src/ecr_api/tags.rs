//! Resource tags of repositories.
//!
//! The rules: 50 tags a repository, keys of 128 and values of 256 characters from letters, digits,
//! space and `+ - = . _ : / @`, no key that begins with `aws:` (Amazon ECR user guide, "Tagging a
//! private repository").

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::input::{Input, invalid};
use super::{EcrApi, not_found};
use crate::aws::{ActionResult, AwsError};

const MOST_TAGS: usize = 50;
const KEY_CHARACTERS: usize = 128;
const VALUE_CHARACTERS: usize = 256;

impl EcrApi<'_> {
    pub(super) fn tag(&self, input: &Value) -> ActionResult {
        let added = parse(input)?;
        self.change(self.resource(input)?, |repository| {
            let mut tags = repository.resource_tags.clone();
            tags.extend(added);
            check_number(&tags)?;
            repository.resource_tags = tags;
            Ok(json!({}))
        })
    }

    pub(super) fn untag(&self, input: &Value) -> ActionResult {
        let keys = input.list("tagKeys", 200)?;
        self.change(self.resource(input)?, |repository| {
            repository
                .resource_tags
                .retain(|key, _| !keys.iter().any(|removed| removed == key));
            Ok(json!({}))
        })
    }

    pub(super) fn list_tags(&self, input: &Value) -> ActionResult {
        self.change(self.resource(input)?, |repository| {
            let tags = repository
                .resource_tags
                .iter()
                .map(|(key, value)| json!({ "Key": key, "Value": value }));
            Ok(json!({ "tags": tags.collect::<Vec<_>>() }))
        })
    }

    /// The repository that `resourceArn` names.
    fn resource<'i>(&self, input: &'i Value) -> Result<&'i str, AwsError> {
        let arn = input.required("resourceArn")?;
        match arn.strip_prefix(&self.arn_prefix) {
            Some(name) => Ok(name),
            None if arn.contains(":repository/") => Err(not_found(arn)),
            None => Err(invalid(format!(
                "Invalid parameter at 'resourceArn': {arn}"
            ))),
        }
    }
}

/// Reads and checks the `tags` of an input.
pub(super) fn parse(input: &Value) -> Result<BTreeMap<String, String>, AwsError> {
    let pairs = input.list("tags", 200)?.iter().map(|tag| {
        let (key, value) = (tag.required("Key")?, tag.required("Value")?);
        check(key, value)?;
        Ok((key.to_owned(), value.to_owned()))
    });
    pairs.collect()
}

/// Refuses more tags than a repository may have.
pub(super) fn check_number(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if tags.len() <= MOST_TAGS {
        return Ok(());
    }
    let message = format!(
        "The list of tags on the repository is over the limit. The maximum number of tags is {MOST_TAGS}."
    );
    Err(AwsError::new("TooManyTagsException", message))
}

fn check(key: &str, value: &str) -> Result<(), AwsError> {
    let fits = (1..=KEY_CHARACTERS).contains(&key.chars().count())
        && value.chars().count() <= VALUE_CHARACTERS;
    let reserved = key.to_ascii_lowercase().starts_with("aws:");
    if fits && !reserved && key.chars().chain(value.chars()).all(is_legal) {
        return Ok(());
    }
    Err(AwsError::new(
        "InvalidTagParameterException",
        format!("Invalid tag: key '{key}', value '{value}'"),
    ))
}

fn is_legal(character: char) -> bool {
    character.is_alphanumeric() || " +-=._:/@".contains(character)
}
