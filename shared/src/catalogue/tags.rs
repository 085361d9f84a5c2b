//! What stands under `tags`: names of tags, and selectors of tags.

mod spec;

use std::fmt;

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
    /// The name of a tag that is a number or a truth value to YAML, which takes `1.10` for `1.1`: its text is in the document.
    Scalar,
    /// A selector.
    Selector(Box<SelectorSpec>),
}

impl Default for TagsSpec {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl TagsSpec {
    /// The names, and the selectors, each with its line and its key. The tags stand below `key`, on `line`.
    pub(super) fn parts(
        &self,
        line: u64,
        key: &str,
    ) -> (Vec<&str>, Vec<(&SelectorSpec, u64, String)>) {
        let items = match self {
            Self::Selector(spec) => return (Vec::new(), vec![(spec, line, format!("{key}.tags"))]),
            Self::List(items) => items,
        };
        let (mut names, mut specs) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            match &item.value {
                TagsItem::Tag(name) => names.push(name.as_str()),
                TagsItem::Scalar => {}
                TagsItem::Selector(spec) => {
                    specs.push((
                        spec.as_ref(),
                        item.referenced.line(),
                        format!("{key}.tags[{index}]"),
                    ));
                }
            }
        }
        (names, specs)
    }

    /// Gives the names that YAML takes for numbers their text, which is in `document`.
    pub(super) fn read_scalars(&mut self, document: &str) {
        let Self::List(items) = self else { return };
        for item in items
            .iter_mut()
            .filter(|item| matches!(item.value, TagsItem::Scalar))
        {
            let span = item.defined.span();
            let ends = span
                .byte_offset()
                .zip(span.byte_len())
                .map(|(start, length)| (start, start + length));
            let range = ends.and_then(|(start, end)| {
                Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
            });
            // Without its text it becomes a tag that no registry has, which is a problem with a line.
            item.value = TagsItem::Tag(
                range
                    .and_then(|range| document.get(range))
                    .unwrap_or_default()
                    .to_owned(),
            );
        }
    }
}

impl<'de> Deserialize<'de> for TagsSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfTags)
    }
}

struct OfTags;

impl<'de> Visitor<'de> for OfTags {
    type Value = TagsSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tags and selectors, or one selector")
    }

    fn visit_unit<E>(self) -> Result<TagsSpec, E> {
        Ok(TagsSpec::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<TagsSpec, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(items)).map(TagsSpec::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TagsSpec, A::Error> {
        SelectorSpec::deserialize(MapAccessDeserializer::new(map))
            .map(|spec| TagsSpec::Selector(Box::new(spec)))
    }
}

impl<'de> Deserialize<'de> for TagsItem {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfItem)
    }
}

struct OfItem;

impl<'de> Visitor<'de> for OfItem {
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
        SelectorSpec::deserialize(MapAccessDeserializer::new(map))
            .map(|spec| TagsItem::Selector(Box::new(spec)))
    }
}
