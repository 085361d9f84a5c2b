//! Selectors on lists of tags as registries have them.

mod anything;
mod catalogue;
mod lists;

use std::fmt::Write as _;

use image_replicator::catalogue::{Catalogue, Document, Selector, TagVerdict};

/// The selector that stands as `yaml` under `tags`.
fn selector(yaml: &str) -> Selector {
    let document = Document::parse("test", &format!("images: [{{ image: x, tags: {yaml} }}]"))
        .expect("it can be read");
    let catalogue = Catalogue::merge(&[document]).expect("it makes sense");
    catalogue
        .selections
        .into_values()
        .flatten()
        .next()
        .expect("there is a selector")
        .selector
}

fn judge(yaml: &str, tags: &[&str]) -> Vec<TagVerdict> {
    selector(yaml).judge(&tags.iter().map(|&tag| tag.to_owned()).collect::<Vec<_>>())
}

/// `+ 22: is within >=20` for each tag, newest first.
fn text(verdicts: &[TagVerdict]) -> String {
    verdicts.iter().fold(String::new(), |mut text, verdict| {
        let sign = if verdict.is_selected { '+' } else { '-' };
        let _ = writeln!(text, "{sign} {}: {}", verdict.tag, verdict.why);
        text
    })
}

/// The tags that are taken, newest first.
fn taken(yaml: &str, tags: &[&str]) -> Vec<String> {
    judge(yaml, tags)
        .into_iter()
        .filter(|verdict| verdict.is_selected)
        .map(|verdict| verdict.tag)
        .collect()
}
