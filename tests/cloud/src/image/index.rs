//! Images for several platforms.

use serde_json::{Value, json};

use super::{Family, Image, attestation, layer};

impl Image {
    /// An OCI index over one OCI image a platform (`linux/amd64`, `linux/arm64/v8`), each with layers of these sizes, all different.
    ///
    /// With `attestations` it also lists, as `BuildKit` makes them, one attestation manifest for each image.
    pub fn index(seed: u64, platforms: &[&str], layers: &[u64], attestations: bool) -> Self {
        let images = images(Family::Oci, seed, platforms, layers);
        let statements = if attestations { attestation::of_each(&images) } else { Vec::new() };
        Self::over(Family::Oci, platforms, images, statements)
    }

    /// An OCI index whose images share their first layer, as those of one base image do.
    pub fn index_with_shared_base(seed: u64, platforms: &[&str], layers: &[u64]) -> Self {
        let (base, rest) = layers.split_at(layers.len().min(1));
        let images = platforms.iter().zip(1..).map(|(platform, number)| {
            let mut stack = layer::stack(seed, base);
            stack.extend(layer::stack(seed.wrapping_add(number << 32), rest));
            Self::single(Family::Oci, platform, &stack)
        });
        Self::over(Family::Oci, platforms, images.collect(), Vec::new())
    }

    /// A Docker manifest list over one Docker image a platform, each with layers of these sizes.
    pub fn list(seed: u64, platforms: &[&str], layers: &[u64]) -> Self {
        Self::over(Family::Docker, platforms, images(Family::Docker, seed, platforms, layers), Vec::new())
    }

    fn over(family: Family, platforms: &[&str], images: Vec<Self>, statements: Vec<Self>) -> Self {
        let listed = images.iter().zip(platforms).map(|(image, name)| {
            let mut descriptor = image.descriptor();
            descriptor["platform"] = platform(name);
            descriptor
        });
        let attached =
            statements.iter().zip(&images).map(|(statement, image)| attestation::descriptor(statement, image));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": family.index(),
            "manifests": listed.chain(attached).collect::<Vec<_>>(),
        });
        Self {
            media_type: family.index(),
            manifest: manifest.to_string().into(),
            blobs: Vec::new(),
            children: images.into_iter().chain(statements).collect(),
        }
    }
}

/// `os/architecture[/variant]` as configurations and indexes write it.
pub(super) fn platform(name: &str) -> Value {
    let mut parts = name.split('/');
    let mut platform = json!({ "os": parts.next(), "architecture": parts.next() });
    if let Some(variant) = parts.next() {
        platform["variant"] = variant.into();
    }
    platform
}

fn images(family: Family, seed: u64, platforms: &[&str], layers: &[u64]) -> Vec<Image> {
    let stacks = (0..).map(|number: u64| layer::stack(seed.wrapping_add(number << 32), layers));
    platforms.iter().zip(stacks).map(|(platform, stack)| Image::single(family, platform, &stack)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64/v8"];

    #[test]
    fn the_same_seed_gives_the_same_image() {
        let image = |seed| Image::index(seed, &PLATFORMS, &[3_000, 5_000], true).digest();
        assert_eq!(image(1), image(1));
        assert_ne!(image(1), image(2));
    }

    #[test]
    fn a_shared_base_is_one_blob() {
        let image = Image::index_with_shared_base(1, &PLATFORMS, &[3_000, 5_000]);
        assert_eq!(image.blobs().len(), 5, "two configurations, one base, two layers");
        assert_eq!(image.children()[0].layers()[0], image.children()[1].layers()[0]);
    }

    #[test]
    fn each_attestation_names_its_image() {
        let image = Image::index(1, &PLATFORMS, &[3_000], true);
        let index: Value = serde_json::from_slice(image.manifest()).unwrap();
        let attached = &index["manifests"][2];
        assert_eq!(attached["platform"], json!({ "architecture": "unknown", "os": "unknown" }));
        assert_eq!(attached["annotations"]["vnd.docker.reference.digest"], json!(image.children()[0].digest()));
    }
}
