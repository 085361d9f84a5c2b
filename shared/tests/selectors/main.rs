//! Tests of selectors with tag lists as registries have them.

mod anything;
mod catalogue;
mod lists;

use std::fmt::Write as _;

use image_replicator::catalogue::{Catalogue, Document, Selector, TagVerdict};

/// The selector that is written as `yaml` under `tags`.
fn selector(yaml: &str) -> Selector {
    let text = format!("images: [{{ image: x, tags: {yaml} }}]");
    let document = Document::parse("test", &text).expect("it can be read");
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
    let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
    selector(yaml).judge(&tags)
}

/// `+ 22: is within >=20` for each tag, newest first.
fn text(verdicts: &[TagVerdict]) -> String {
    let mut text = String::new();
    for TagVerdict {
        tag,
        is_selected,
        why,
    } in verdicts
    {
        let sign = if *is_selected { '+' } else { '-' };
        let _ = writeln!(text, "{sign} {tag}: {why}");
    }
    text
}

/// The tags that the selector takes, newest first.
fn selected(yaml: &str, tags: &[&str]) -> Vec<String> {
    judge(yaml, tags)
        .into_iter()
        .filter(|verdict| verdict.is_selected)
        .map(|verdict| verdict.tag)
        .collect()
}
