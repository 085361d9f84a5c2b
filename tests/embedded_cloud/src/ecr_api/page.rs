//! Pages of long results.

use serde_json::{Value, json};

use super::input::{Input, invalid};
use crate::aws::AwsError;

/// The default and the largest number of items on a page.
const DEFAULT_ITEMS: usize = 100;
const MOST_ITEMS: u64 = 1_000;

/// The requested page of `items`, under `key`, with `nextToken` if more follow.
pub(super) fn page(items: Vec<Value>, input: &Value, key: &str) -> Result<Value, AwsError> {
    let size = size(input)?;
    let start = start(input)?;
    let end = (start + size).min(items.len());
    let more = end < items.len();
    let mut answer = json!({});
    answer[key] = items.into_iter().skip(start).take(size).collect();
    if more {
        answer["nextToken"] = format!("from-{end}").into();
    }
    Ok(answer)
}

fn size(input: &Value) -> Result<usize, AwsError> {
    match &input["maxResults"] {
        Value::Null => Ok(DEFAULT_ITEMS),
        number => {
            let size = number
                .as_u64()
                .filter(|size| (1..=MOST_ITEMS).contains(size));
            let size = size.and_then(|size| usize::try_from(size).ok());
            size.ok_or_else(|| invalid(format!("'maxResults' must be between 1 and {MOST_ITEMS}")))
        }
    }
}

fn start(input: &Value) -> Result<usize, AwsError> {
    let Some(token) = input.optional("nextToken")? else {
        return Ok(0);
    };
    let start = token
        .strip_prefix("from-")
        .and_then(|number| number.parse().ok());
    start.ok_or_else(|| invalid("'nextToken' is not one that was given"))
}
