//! The value of `tags`: names of tags, and selectors of tags.

mod spec;

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
pub(super) use spec::Fault;
pub use spec::SelectorSpec;

/// A list of tags and selectors, or one selector alone.
#[derive(Debug)]
pub enum TagsSpec {
    /// A list.
    List(Vec<Spanned<TagsItem>>),
    /// One selector.
    Selector(Box<SelectorSpec>),
}

/// One item of the list.
#[derive(Debug)]
pub enum TagsItem {
    /// The name of a tag.
    Tag(String),
    /// The name of a tag that YAML reads as a number or a truth value, as it reads `1.10` as `1.1`.
    /// The document has its text.
    Scalar,
    /// A selector.
    Selector(Box<SelectorSpec>),
}

/// A selector with its line and its key in the document.
pub(super) struct SelectorAt<'a> {
    pub(super) spec: &'a SelectorSpec,
    pub(super) line: u64,
    pub(super) key: String,
}

impl Default for TagsSpec {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl TagsSpec {
    /// The names of tags, and the selectors. `line` and `key` locate the entry that has these tags.
    pub(super) fn split(&self, line: u64, key: &str) -> (Vec<&str>, Vec<SelectorAt<'_>>) {
        let items = match self {
            Self::Selector(spec) => {
                let key = format!("{key}.tags");
                return (Vec::new(), vec![SelectorAt { spec, line, key }]);
            }
            Self::List(items) => items,
        };
        let mut names = Vec::new();
        let mut selectors = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match &item.value {
                TagsItem::Tag(name) => names.push(name.as_str()),
                TagsItem::Scalar => {}
                TagsItem::Selector(spec) => selectors.push(SelectorAt {
                    spec,
                    line: item.referenced.line(),
                    key: format!("{key}.tags[{index}]"),
                }),
            }
        }
        (names, selectors)
    }

    /// Replaces each scalar by its text in `document`.
    pub(super) fn restore_scalars(&mut self, document: &str) {
        let Self::List(items) = self else { return };
        for item in items {
            if matches!(item.value, TagsItem::Scalar) {
                // No registry has an empty tag, so that a missing text is a problem with a line.
                let text = byte_range(item).and_then(|range| document.get(range));
                item.value = TagsItem::Tag(text.unwrap_or_default().to_owned());
            }
        }
    }
}

/// Where the item is in its document.
fn byte_range(item: &Spanned<TagsItem>) -> Option<Range<usize>> {
    let span = item.defined.span();
    let start = span.byte_offset()?;
    let end = start + span.byte_len()?;
    Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

impl<'de> Deserialize<'de> for TagsSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TagsSpecVisitor)
    }
}

struct TagsSpecVisitor;

impl<'de> Visitor<'de> for TagsSpecVisitor {
    type Value = TagsSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tags and selectors, or one selector")
    }

    fn visit_unit<E>(self) -> Result<TagsSpec, E> {
        Ok(TagsSpec::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<TagsSpec, A::Error> {
        let items = Vec::deserialize(SeqAccessDeserializer::new(items))?;
        Ok(TagsSpec::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TagsSpec, A::Error> {
        let spec = SelectorSpec::deserialize(MapAccessDeserializer::new(map))?;
        Ok(TagsSpec::Selector(Box::new(spec)))
    }
}

impl<'de> Deserialize<'de> for TagsItem {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TagsItemVisitor)
    }
}

struct TagsItemVisitor;

impl<'de> Visitor<'de> for TagsItemVisitor {
    type Value = TagsItem;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tag or a selector")
    }

    fn visit_str<E>(self, tag: &str) -> Result<TagsItem, E> {
        Ok(TagsItem::Tag(tag.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<TagsItem, E> {
        Ok(TagsItem::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<TagsItem, E> {
        Ok(TagsItem::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<TagsItem, E> {
        Ok(TagsItem::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<TagsItem, E> {
        Ok(TagsItem::Scalar)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TagsItem, A::Error> {
        let spec = SelectorSpec::deserialize(MapAccessDeserializer::new(map))?;
        Ok(TagsItem::Selector(Box::new(spec)))
    }
}
