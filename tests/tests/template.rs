//! What the SAM template promises.

use replicator::catalogue::{Catalogue, Document};

/// The text of the parameter `Catalogue`: what stands below its `Default: |`, by indentation.
fn default_catalogue() -> String {
    let template = include_str!("../../template.yaml");
    let below = template.split_once("\n  Catalogue:\n").and_then(|(_, rest)| rest.split_once("    Default: |\n"));
    let lines = below.expect("the template has a default catalogue").1.lines();
    lines.map_while(|line| line.strip_prefix("      ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_templates_own_catalogue_is_a_good_one() {
    let document = Document::parse("template", &default_catalogue()).expect("it can be read");
    let catalogue = Catalogue::merge(&[document]).expect("it makes sense");
    assert!(!catalogue.images.is_empty());
    assert_eq!(catalogue.default_to, ["private"]);
}
