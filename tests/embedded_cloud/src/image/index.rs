//! Images for several platforms.

use serde_json::{Map, Value, json};

use super::layer::{self, Layer};
use super::{Family, Form, Image, Layout, Role, attestation, compact, platform};

/// A builder of images for several platforms.
#[derive(Clone, Debug)]
pub struct ImageIndex {
    seed: u64,
    platforms: Vec<String>,
    layers: Vec<u64>,
    form: Form,
    shared_base: bool,
    attested: bool,
    annotations: Map<String, Value>,
    child_annotations: Map<String, Value>,
}

impl ImageIndex {
    /// An OCI index over one OCI image a platform, each with layers of these sizes in bytes, all
    /// different.
    ///
    /// A platform is `os/architecture[/variant]`, and with a version `os(version)/architecture`:
    /// `linux/arm/v7`, `windows(10.0.20348.2700)/amd64`.
    pub fn new(seed: u64, platforms: &[&str], layers: &[u64]) -> Self {
        Self {
            seed,
            platforms: platforms.iter().map(|name| (*name).to_owned()).collect(),
            layers: layers.to_vec(),
            form: compact(Family::Oci),
            shared_base: false,
            attested: false,
            annotations: Map::new(),
            child_annotations: Map::new(),
        }
    }

    /// Makes a Docker manifest list of Docker images instead.
    #[must_use]
    pub fn docker(mut self) -> Self {
        self.form.family = Family::Docker;
        self
    }

    /// Writes every manifest on many lines, as Docker's official images do.
    #[must_use]
    pub fn pretty(mut self) -> Self {
        self.form.layout = Layout::Pretty;
        self
    }

    /// Makes all images share their first layer, like images with one base image.
    #[must_use]
    pub fn shared_base(mut self) -> Self {
        self.shared_base = true;
        self
    }

    /// Lists, as `BuildKit` does, one attestation manifest for each image.
    #[must_use]
    pub fn attested(mut self) -> Self {
        self.attested = true;
        self
    }

    /// Adds an annotation to the index itself.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.into());
        self
    }

    /// Adds an annotation to the descriptor of each image in the index.
    #[must_use]
    pub fn child_annotation(mut self, key: &str, value: &str) -> Self {
        self.child_annotations.insert(key.to_owned(), value.into());
        self
    }

    /// Builds the image.
    pub fn build(self) -> Image {
        let images: Vec<Image> = self.images().collect();
        let statements = if self.attested {
            attestation::of_each(&images, self.form.layout)
        } else {
            Vec::new()
        };
        let listed = images
            .iter()
            .zip(&self.platforms)
            .map(|(image, name)| self.descriptor(image, name));
        let attached = statements
            .iter()
            .zip(&images)
            .map(|(statement, image)| attestation::descriptor(statement, image));
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": self.form.family.index(),
            "manifests": listed.chain(attached).collect::<Vec<_>>(),
        });
        annotate(&mut manifest, &self.annotations);
        Image {
            role: Role::Index,
            media_type: self.form.family.index(),
            manifest: self.form.layout.write(&manifest),
            blobs: Vec::new(),
            children: images.into_iter().chain(statements).collect(),
        }
    }

    fn images(&self) -> impl Iterator<Item = Image> {
        let numbered = self.platforms.iter().zip(0..);
        numbered.map(|(platform, number)| Image::single(self.form, platform, &self.stack(number)))
    }

    /// The layers of the image at this index.
    fn stack(&self, number: u64) -> Vec<Layer> {
        if !self.shared_base {
            return layer::stack(self.seed.wrapping_add(number << 32), &self.layers);
        }
        let (base, rest) = self.layers.split_at(self.layers.len().min(1));
        let mut stack = layer::stack(self.seed, base);
        stack.extend(layer::stack(
            self.seed.wrapping_add((number + 1) << 32),
            rest,
        ));
        stack
    }

    fn descriptor(&self, image: &Image, name: &str) -> Value {
        let mut descriptor = image.descriptor();
        descriptor["platform"] = platform::document(name);
        annotate(&mut descriptor, &self.child_annotations);
        descriptor
    }
}

impl Image {
    /// An OCI index over one OCI image a platform (`linux/amd64`, `linux/arm64/v8`), each with
    /// layers of these sizes, all different.
    ///
    /// With `attestations` it also lists, as `BuildKit` makes them, one attestation manifest for
    /// each image.
    pub fn index(seed: u64, platforms: &[&str], layers: &[u64], attestations: bool) -> Self {
        let index = ImageIndex::new(seed, platforms, layers);
        if attestations {
            index.attested().build()
        } else {
            index.build()
        }
    }

    /// An OCI index whose images share their first layer, like images with one base image.
    pub fn index_with_shared_base(seed: u64, platforms: &[&str], layers: &[u64]) -> Self {
        ImageIndex::new(seed, platforms, layers)
            .shared_base()
            .build()
    }

    /// A Docker manifest list over one Docker image a platform, each with layers of these sizes.
    pub fn list(seed: u64, platforms: &[&str], layers: &[u64]) -> Self {
        ImageIndex::new(seed, platforms, layers).docker().build()
    }
}

fn annotate(document: &mut Value, annotations: &Map<String, Value>) {
    if !annotations.is_empty() {
        document["annotations"] = Value::Object(annotations.clone());
    }
}
