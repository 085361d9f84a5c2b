//! Templates: text with `{placeholders}` for the parts of an image's name.

use std::borrow::Cow;

use crate::image::reference::{ImageRef, RepositoryRef};

/// A parsed template. Text and placeholders alternate; it begins and ends with text, which may be
/// empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Registry,
    Repository,
    Namespace,
    Name,
    Tag,
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(format!("{text:?} lacks a closing brace"));
            };
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::parse_placeholder(name)?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    pub(super) fn contains(&self, part: &Part) -> bool {
        self.0.contains(part)
    }

    /// The value of each placeholder if `text` is a rendering of this template. A value ends where
    /// the text after its placeholder first occurs.
    pub(super) fn capture<'a>(&self, text: &'a str) -> Option<Vec<(&Part, &'a str)>> {
        let (last, parts) = self.0.split_last()?;
        let mut captured = Vec::new();
        let mut placeholder = None;
        let mut rest = text;
        for part in parts {
            let Part::Text(literal) = part else {
                placeholder = Some(part);
                continue;
            };
            rest = match placeholder.take() {
                None => rest.strip_prefix(literal.as_str())?,
                Some(placeholder) => {
                    let (value, after) = rest.split_once(literal.as_str())?;
                    captured.push((placeholder, value));
                    after
                }
            };
        }
        let Part::Text(end) = last else { return None };
        match placeholder {
            None if rest == end.as_str() => {}
            None => return None,
            Some(placeholder) => captured.push((placeholder, rest.strip_suffix(end.as_str())?)),
        }
        Some(captured)
    }

    /// The template for the images of one repository: its only placeholder is the tag.
    pub(super) fn for_repository(&self, repository: &RepositoryRef) -> Self {
        let mut parts = Vec::new();
        let mut text = String::new();
        for part in &self.0 {
            if let Some(rendered) = part.render(repository) {
                text.push_str(&rendered);
            } else {
                parts.push(Part::Text(std::mem::take(&mut text)));
                parts.push(Part::Tag);
            }
        }
        parts.push(Part::Text(text));
        Self(parts)
    }

    pub(super) fn render(&self, image: &ImageRef) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part.render(image.repository()) {
                Some(rendered) => text.push_str(&rendered),
                None => text.push_str(image.tag()),
            }
        }
        text
    }
}

impl Part {
    fn parse_placeholder(name: &str) -> Result<Self, String> {
        match name {
            "registry" => Ok(Self::Registry),
            "repository" => Ok(Self::Repository),
            "namespace" => Ok(Self::Namespace),
            "name" => Ok(Self::Name),
            "tag" => Ok(Self::Tag),
            _ => Err(format!(
                "unknown placeholder {{{name}}}; there are \
                 {{registry}}, {{repository}}, {{namespace}}, {{name}} and {{tag}}"
            )),
        }
    }

    /// The value for the images of `repository`. `None` for the tag.
    fn render<'a>(&'a self, repository: &'a RepositoryRef) -> Option<Cow<'a, str>> {
        Some(match self {
            Self::Text(text) => Cow::Borrowed(text),
            // The name of a repository cannot have the colon of a port.
            Self::Registry => Cow::Owned(repository.registry.replace(':', "-")),
            Self::Repository => Cow::Borrowed(&repository.path),
            Self::Namespace => Cow::Borrowed(repository.namespace()),
            Self::Name => Cow::Borrowed(repository.name()),
            Self::Tag => return None,
        })
    }
}
