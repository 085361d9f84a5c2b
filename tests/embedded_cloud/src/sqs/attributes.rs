//! Message attributes, and the checksums over messages.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::AwsError;

/// Message attributes by name.
pub(super) type Attributes = BTreeMap<String, Attribute>;

/// The most attributes that a message may carry.
const MAX_ATTRIBUTES: usize = 10;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Attribute {
    /// `String`, `Number` or `Binary`, with an optional label after a dot.
    data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<String>,
    /// In base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

/// Checks the attributes.
pub(super) fn check(attributes: &Attributes) -> Result<(), AwsError> {
    if attributes.len() > MAX_ATTRIBUTES {
        let message = format!(
            "Number of message attributes [{}] exceeds the allowed maximum [10].",
            attributes.len()
        );
        return Err(AwsError::new("InvalidParameterValue", message));
    }
    let Some((name, _)) = attributes
        .iter()
        .find(|(_, attribute)| !attribute.is_valid())
    else {
        return Ok(());
    };
    let message = format!(
        "The message attribute '{name}' must contain a non-empty message attribute value of its type."
    );
    Err(AwsError::new("InvalidParameterValue", message))
}

/// The attributes that a receive requests: by name, or all.
pub(super) fn select(attributes: &Attributes, names: &[String]) -> Attributes {
    let wanted = |name: &String| {
        names
            .iter()
            .any(|wanted| wanted == "All" || wanted == ".*" || wanted == name)
    };
    attributes
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The attributes as an event of Lambda shows them.
pub(super) fn event_view(attributes: &Attributes) -> Value {
    let view = |attribute: &Attribute| {
        let mut view = json!({ "stringListValues": [], "binaryListValues": [], "dataType": attribute.data_type });
        match (&attribute.string_value, &attribute.binary_value) {
            (Some(text), _) => view["stringValue"] = text.as_str().into(),
            (None, binary) => view["binaryValue"] = binary.as_deref().into(),
        }
        view
    };
    attributes
        .iter()
        .map(|(name, attribute)| (name.clone(), view(attribute)))
        .collect()
}

pub(super) fn size_bytes(attributes: &Attributes) -> usize {
    attributes
        .iter()
        .map(|(name, attribute)| name.len() + attribute.data_type.len() + attribute.bytes().len())
        .sum()
}

/// The checksum of a body, in hexadecimal.
pub(super) fn md5_of_text(text: &str) -> String {
    hexadecimal(Md5::new_with_prefix(text))
}

/// The checksum over attributes in the order of their names; `None` if there are none.
///
/// Source: "Calculating the MD5 message digest for message attributes" in the SQS developer guide.
pub(super) fn md5(attributes: &Attributes) -> Option<String> {
    let mut hash = Md5::new();
    for (name, attribute) in attributes {
        update(&mut hash, name.as_bytes());
        update(&mut hash, attribute.data_type.as_bytes());
        hash.update([if attribute.is_binary() { 2 } else { 1 }]);
        update(&mut hash, &attribute.bytes());
    }
    (!attributes.is_empty()).then(|| hexadecimal(hash))
}

/// Hashes a part, prefixed by its length in four bytes.
fn update(hash: &mut Md5, part: &[u8]) {
    let length = u32::try_from(part.len()).expect("a message has at most 1 MiB");
    hash.update(length.to_be_bytes());
    hash.update(part);
}

fn hexadecimal(hash: Md5) -> String {
    format!("{:032x}", u128::from_be_bytes(hash.finalize().into()))
}

impl Attribute {
    fn is_binary(&self) -> bool {
        self.data_type.starts_with("Binary")
    }

    fn is_valid(&self) -> bool {
        let base = self.data_type.split('.').next().unwrap_or_default();
        let right_kind = match base {
            "String" | "Number" => self.binary_value.is_none(),
            "Binary" => self.string_value.is_none(),
            _ => false,
        };
        right_kind && !self.bytes().is_empty()
    }

    fn bytes(&self) -> Vec<u8> {
        match (&self.string_value, &self.binary_value) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).unwrap_or_default(),
            (None, None) => Vec::new(),
        }
    }
}
