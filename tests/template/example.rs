//! The example catalogue.

use image_replicator::catalogue::{Catalogue, Document, Publish, Severity};

const EXAMPLE: &str = include_str!("../../examples/catalogue.yaml");

/// Every key that a catalogue can have, as README.md and `Document` list them.
const KEYS: [&str; 30] = [
    "destinations:",
    "ecr:",
    "ecr-public:",
    "registry:",
    "repository:",
    "tag:",
    "region:",
    "account:",
    "alias:",
    "publish:",
    "host:",
    "defaults:",
    "to:",
    "platforms:",
    "origins:",
    "rescue:",
    "allow:",
    "rescan:",
    "severity:",
    "images:",
    "image:",
    "tags:",
    "priority:",
    "glob:",
    "regex:",
    "semver:",
    "exclude:",
    "latest:",
    "newest:",
    "prereleases:",
];

#[test]
fn the_example_catalogue_is_valid() {
    let document = Document::parse("examples/catalogue.yaml", EXAMPLE).expect("it parses");
    let catalogue = Catalogue::merge(&[document]).expect("it resolves");
    let destinations: Vec<&str> = catalogue.destinations.keys().map(String::as_str).collect();
    assert_eq!(
        destinations,
        ["frankfurt", "lab", "private", "public", "single"]
    );
    assert_eq!(
        catalogue.destinations["public"].publish,
        Publish::AfterCleanScan
    );
    assert_eq!(catalogue.severity, Severity::High);
    let first = &catalogue.images[0];
    assert_eq!(first.image.to_string(), "docker.io/grafana/grafana:11.2.0");
    assert_eq!(catalogue.images.len(), 7);
    assert_eq!(
        catalogue.selections.values().map(Vec::len).sum::<usize>(),
        4
    );
}

#[test]
fn the_example_catalogue_shows_every_key() {
    let missing: Vec<&str> = KEYS
        .into_iter()
        .filter(|key| !EXAMPLE.contains(key))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
