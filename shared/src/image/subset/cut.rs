//! Writes the bytes of an index again without some of its entries.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Result, from_slice, from_str};

use super::{PLATFORMS, UPSTREAM};
use crate::image::manifest::{Child, Manifest};
use crate::image::platform::Platforms;

/// The fields of an index, unparsed.
type Fields<'a> = BTreeMap<&'a str, &'a RawValue>;

/// The bytes of `index` with only the entries of the children `kept`, and with the annotations of a
/// subset. Each entry stays as it was, byte for byte.
pub(super) fn cut(index: &Manifest, kept: &[Child], platforms: &Platforms) -> Result<Vec<u8>> {
    let mut fields: Fields = from_slice(&index.bytes)?;
    let entries = to_raw_value(&kept_entries(&fields, kept)?)?;
    let mut annotations = parse_annotations(&fields)?;
    annotations.insert(UPSTREAM.to_owned(), index.digest.to_string());
    annotations.insert(PLATFORMS.to_owned(), platforms.to_string());
    let annotations = to_raw_value(&annotations)?;
    fields.insert("manifests", &entries);
    fields.insert("annotations", &annotations);
    serde_json::to_vec(&fields)
}

/// The first entry of each child `kept`, in the order of the index.
fn kept_entries<'a>(fields: &Fields<'a>, kept: &[Child]) -> Result<Vec<&'a RawValue>> {
    #[derive(Deserialize)]
    struct Entry {
        digest: String,
    }
    let entries: Vec<&RawValue> = match fields.get("manifests") {
        Some(raw) => from_str(raw.get())?,
        None => Vec::new(),
    };
    let mut left: BTreeSet<&str> = BTreeSet::new();
    for child in kept {
        left.insert(child.digest.as_str());
    }
    let mut kept_entries = Vec::with_capacity(kept.len());
    for entry in entries {
        let Entry { digest } = from_str(entry.get())?;
        if left.remove(digest.as_str()) {
            kept_entries.push(entry);
        }
    }
    Ok(kept_entries)
}

/// Some tools write `null` for no annotations.
fn parse_annotations(fields: &Fields) -> Result<BTreeMap<String, String>> {
    let Some(raw) = fields.get("annotations") else {
        return Ok(BTreeMap::new());
    };
    let annotations: Option<BTreeMap<String, String>> = from_str(raw.get())?;
    Ok(annotations.unwrap_or_default())
}
