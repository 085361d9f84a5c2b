//! The catalogue: which tags are mirrored, and to which destinations.
//!
//! It is YAML (JSON is YAML too), in one document or in several, for example one per team.
//! [`document`] is the shape that people write: [`tags`] under an image, templates in [`naming`],
//! other registries with the same bytes in [`origins`], what events may copy in [`rescue`].
//!
//! Documents are read strictly. An unknown key, an unknown destination or an invalid name is a
//! problem. All problems are reported together, each with its document, line and key.
//!
//! An image is named, or a [`selector`] takes its tag from the tag list of the repository, by
//! [`version`] and [`range`]. [`selection`] applies the selectors.

pub mod document;
mod entry;
pub(crate) mod load;
mod merge;
pub mod naming;
mod options;
pub mod origins;
mod problems;
pub mod range;
pub mod rescue;
pub mod selection;
pub mod selector;
pub mod tags;
pub mod version;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

pub use document::{Document, Publish, Severity};
pub use naming::{Destination, DestinationKind};
pub use options::Options;
pub use origins::Origin;
pub use problems::Problems;
pub use rescue::RescueAllowList;
pub use selection::{Selection, SelectionResult, TagLists};
pub use selector::{Selector, TagVerdict};

use crate::image::platform::Platforms;
use crate::image::reference::{ImageRef, RepositoryRef};

/// The images to mirror, with every reference resolved.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Destinations by name.
    pub destinations: BTreeMap<String, Destination>,
    /// Names of destinations for an image that sets none.
    pub default_to: Vec<String>,
    /// The platforms that are copied of an image that sets none.
    pub default_platforms: Platforms,
    /// Other registries that may have the same bytes as Docker Hub, best first.
    pub origins: Vec<Origin>,
    /// The images, highest priority first, then by name. Each image is there once.
    /// [`expand`](Self::expand) adds those that selections take.
    pub images: Vec<CatalogueImage>,
    /// The selections whose repository is not listed yet.
    pub selections: BTreeMap<RepositoryRef, Vec<Selection>>,
    /// The repositories that an event may have copied although no document names them.
    pub allowed: RescueAllowList,
    /// Findings of at least this severity start a search for a newer image upstream.
    pub severity: Severity,
    /// The images that documents name, with the options that they set.
    named: BTreeMap<ImageRef, Options>,
    /// The images that selections took.
    selected: BTreeSet<ImageRef>,
    /// The catalogue that completes an event's own images.
    base: Option<Box<Catalogue>>,
}

/// One image to mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueImage {
    /// The upstream reference.
    pub image: ImageRef,
    /// How it is mirrored.
    pub options: Options,
}

impl Catalogue {
    /// The image with its complete options: those of the catalogue if it covers the image, else the
    /// defaults. A selection counts if the tag passes the rules that need no list (see
    /// [`Selector::admits`]).
    pub fn resolve(&self, image: ImageRef) -> CatalogueImage {
        let mut set: Vec<&Options> = self.named.get(&image).into_iter().collect();
        for selection in self.selections_of(&image) {
            set.push(&selection.options);
        }
        let mut set = set.into_iter();
        let mut options = set.next().cloned().unwrap_or_default();
        for other in set {
            options.join(other);
        }
        CatalogueImage {
            options: self.complete(&image, options),
            image,
        }
    }

    /// Whether the catalogue names `image`, a selection took it, or one may take it.
    pub fn covers(&self, image: &ImageRef) -> bool {
        if self.is_named(image) || self.selected.contains(image) {
            return true;
        }
        let mut catalogues = self.with_bases();
        catalogues.any(|catalogue| catalogue.selections_of(image).next().is_some())
    }

    /// Whether a document names `image` itself.
    pub fn is_named(&self, image: &ImageRef) -> bool {
        self.with_bases()
            .any(|catalogue| catalogue.named.contains_key(image))
    }

    /// Whether an event may have `image` copied: the catalogue covers it, or `rescue.allow` lists its
    /// repository.
    pub fn allows(&self, image: &ImageRef) -> bool {
        self.covers(image) || self.allowed.matches(image.repository())
    }

    /// The images. For an event's own images, those of the catalogue too.
    pub fn all_images(&self) -> impl Iterator<Item = &CatalogueImage> {
        self.with_bases().flat_map(|catalogue| &catalogue.images)
    }

    /// The message that there is no destination `name`, with the names that there are.
    pub fn unknown_destination(&self, name: &str) -> String {
        let names: Vec<&str> = self.destinations.keys().map(String::as_str).collect();
        let known = names.join(", ");
        format!("no destination is called {name:?}; there are: {known}")
    }

    /// The images with complete options, highest priority first, then by name.
    fn sort_images(&self, set: BTreeMap<ImageRef, Options>) -> Vec<CatalogueImage> {
        let mut images = Vec::with_capacity(set.len());
        for (image, options) in set {
            let options = self.complete(&image, options);
            images.push(CatalogueImage { image, options });
        }
        // The images come by name, and the sort is stable.
        images.sort_by_key(|image| Reverse(image.options.priority));
        images
    }

    /// `options`, completed with those of the base catalogue, else with the defaults.
    fn complete(&self, image: &ImageRef, mut options: Options) -> Options {
        let base = match &self.base {
            Some(base) if base.covers(image) => Some(base.resolve(image.clone()).options),
            _ => None,
        };
        let inherited = base.unwrap_or_else(|| Options {
            to: self.default_to.clone(),
            priority: i32::MIN,
            ..Options::default()
        });
        options.priority = options.priority.max(inherited.priority);
        if options.to.is_empty() {
            options.to = inherited.to;
        }
        if options.platforms.is_none() {
            let default = || self.default_platforms.clone();
            options.platforms = Some(inherited.platforms.unwrap_or_else(default));
        }
        options
    }

    fn with_bases(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |catalogue| catalogue.base.as_deref())
    }

    /// The selections that may take `image`. None takes a pin.
    fn selections_of<'a>(&'a self, image: &'a ImageRef) -> impl Iterator<Item = &'a Selection> {
        let selections = self.selections.get(image.repository());
        let is_pin = image.digest().is_some();
        selections
            .into_iter()
            .flatten()
            .filter(move |selection| !is_pin && selection.selector.admits(image.tag()))
    }
}
