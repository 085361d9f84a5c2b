//! The bytes of test images.

use std::io::Write as _;
use std::process::{Command, Stdio};

use cloud::Image;

use crate::bytes;

#[test]
fn a_layer_is_an_archive_that_tar_can_read() {
    let image = Image::docker(1, &[100_000]);
    let (_, layer) = image.blobs().into_iter().find(|(digest, _)| *digest == image.layers()[0]).unwrap();
    let mut tar = Command::new("tar").arg("-tzv").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    tar.stdin.take().unwrap().write_all(&bytes(&layer)).unwrap();
    let output = tar.wait_with_output().unwrap();
    let listing = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && listing.contains("layer-"), "{listing}");
}

#[test]
fn a_large_layer_costs_no_memory() {
    let image = Image::oci(1, &[10_000_000]);
    let layer = image.blobs().into_iter().find(|(digest, _)| *digest == image.layers()[0]).unwrap().1;
    assert!(matches!(layer, cloud::Blob::Generated { size: 10_000_000, .. }));
}

#[test]
fn manifests_come_in_an_order_in_which_they_can_be_pushed() {
    let image = Image::list(1, &["linux/amd64", "linux/arm64/v8"], &[3_000]);
    let digests: Vec<_> = image.manifests().into_iter().map(|manifest| manifest.digest).collect();
    assert_eq!(digests, [image.children()[0].digest(), image.children()[1].digest(), image.digest()]);
}
