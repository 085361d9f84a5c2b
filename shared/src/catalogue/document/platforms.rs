//! Platforms as people write them.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::image::platform::{Platform, Platforms};

/// The platforms of an index that are copied, as they are written: `all`, or a list.
#[derive(Clone, Debug)]
pub struct PlatformsSpec(pub Platforms);

impl Serialize for PlatformsSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_all() {
            serializer.serialize_str("all")
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for PlatformsSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Word(String),
            List(Vec<String>),
        }
        let parsed = match Written::deserialize(deserializer)? {
            Written::Word(word) => parse_word(&word),
            Written::List(list) => parse_list(&list),
        };
        match parsed {
            Ok(platforms) => Ok(Self(platforms)),
            Err(problem) => Err(D::Error::custom(format!("platforms: {problem}"))),
        }
    }
}

fn parse_word(word: &str) -> Result<Platforms, String> {
    if word == "all" {
        Ok(Platforms::ALL)
    } else {
        Err(format!("{word:?} is neither `all` nor a list"))
    }
}

fn parse_list(list: &[String]) -> Result<Platforms, String> {
    if list.is_empty() {
        return Err("the list is empty; write `all`, or name at least one".to_owned());
    }
    let mut platforms = Vec::with_capacity(list.len());
    for text in list {
        let platform: Result<Platform, _> = text.parse();
        platforms.push(platform.map_err(|error| error.to_string())?);
    }
    Ok(platforms.into())
}
