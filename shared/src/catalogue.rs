//! The catalogue: which tags are mirrored, and where to.
//!
//! It is YAML (JSON is YAML too), in one document or several, one per team. Documents are read strictly: an unknown key, an
//! unknown destination, a name that no registry takes are problems, and all problems are reported at once, each with its
//! document, its line and its key. [`document`] is the shape as it is written, with [`tags`], [`naming`] the templates, [`origins`]
//! where else the bytes may be, [`rescue`] what events may have copied. An image is named, or a [`selector`] takes its tag from the
//! repository's list; [`selection`] says what that comes to, by the [`version`] and the [`range`].

pub mod document;
mod entry;
mod merge;
pub mod naming;
mod options;
pub mod origins;
pub mod range;
pub mod rescue;
pub mod selection;
pub mod selector;
pub mod tags;
pub mod version;

use std::collections::{BTreeMap, BTreeSet};

pub use document::{Document, Problems, Publish, Severity};
pub use naming::{Destination, DestinationKind};
pub use options::Options;
pub use origins::Origin;
pub use rescue::RescueAllowList;
pub use selection::{Selection, SelectionResult, TagLists};
pub use selector::{Selector, TagVerdict};

use crate::image::platform::Platforms;
use crate::image::reference::{ImageRef, RepositoryRef};

/// What is wanted, with every reference resolved.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Destinations by name.
    pub destinations: BTreeMap<String, Destination>,
    /// Where an image goes that says nothing about it.
    pub default_to: Vec<String>,
    /// Which platforms of an image are copied that says nothing about it.
    pub default_platforms: Platforms,
    /// Other registries that may have the same bytes as Docker Hub, best first.
    pub origins: Vec<Origin>,
    /// The images, most important first, then by name; each image once. What selections take joins them in
    /// [`expand`](Self::expand).
    pub images: Vec<CatalogueImage>,
    /// The selections whose repository has yet to be listed.
    pub selections: BTreeMap<RepositoryRef, Vec<Selection>>,
    /// What a pull failure may have copied beside them.
    pub allowed: RescueAllowList,
    /// Findings of this level and above ask upstream for something newer.
    pub severity: Severity,
    /// The images that documents name, with the options that they state.
    named: BTreeMap<ImageRef, Options>,
    /// The images that selections took.
    taken: BTreeSet<ImageRef>,
    /// The catalogue beside which an event's own images are wanted.
    beside: Option<Box<Catalogue>>,
}

/// One tag that is to be mirrored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueImage {
    /// The upstream tag.
    pub image: ImageRef,
    /// How.
    pub options: Options,
}

impl Catalogue {
    /// The images with their options complete, most important first, then by name.
    fn in_order(&self, stated: BTreeMap<ImageRef, Options>) -> Vec<CatalogueImage> {
        let complete = |(image, options)| CatalogueImage {
            options: self.complete(&image, options),
            image,
        };
        let mut images: Vec<CatalogueImage> = stated.into_iter().map(complete).collect();
        images.sort_by(|a, b| {
            b.options
                .priority
                .cmp(&a.options.priority)
                .then_with(|| a.image.cmp(&b.image))
        });
        images
    }

    /// `options` with what they leave open.
    fn complete(&self, image: &ImageRef, mut options: Options) -> Options {
        let catalogue = self
            .beside
            .as_ref()
            .filter(|catalogue| catalogue.covers(image));
        let known = catalogue.map(|catalogue| catalogue.resolve(image.clone()).options);
        options.priority = options
            .priority
            .max(known.as_ref().map_or(i32::MIN, |known| known.priority));
        if options.to.is_empty() {
            options.to = known
                .as_ref()
                .map_or_else(|| self.default_to.clone(), |known| known.to.clone());
        }
        let left_open = || {
            known
                .and_then(|known| known.platforms)
                .unwrap_or_else(|| self.default_platforms.clone())
        };
        options.platforms = Some(options.platforms.unwrap_or_else(left_open));
        options
    }

    /// The destinations and images of `to` for an image that is asked for by name: as in the catalogue where it is there, else
    /// by default. Selections count by the rules that need no list (see [`Selector::admits`]).
    pub fn resolve(&self, image: ImageRef) -> CatalogueImage {
        let selected = self
            .selections_of(&image)
            .map(|selection| &selection.options);
        let mut stated = self.named.get(&image).into_iter().chain(selected);
        let mut options = stated.next().cloned().unwrap_or_default();
        stated.for_each(|other| options.join(other));
        CatalogueImage {
            options: self.complete(&image, options),
            image,
        }
    }

    /// Whether the catalogue names `image`, a selection took it, or one may take it.
    pub fn covers(&self, image: &ImageRef) -> bool {
        self.is_named(image)
            || self.taken.contains(image)
            || self
                .catalogues()
                .any(|catalogue| catalogue.may_select(image))
    }

    /// Whether a document names `image` itself.
    pub fn is_named(&self, image: &ImageRef) -> bool {
        self.catalogues()
            .any(|catalogue| catalogue.named.contains_key(image))
    }

    /// The images, and those of the catalogue that they are wanted beside.
    pub fn all_images(&self) -> impl Iterator<Item = &CatalogueImage> {
        self.catalogues().flat_map(|catalogue| &catalogue.images)
    }

    fn catalogues(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |catalogue| catalogue.beside.as_deref())
    }

    fn may_select(&self, image: &ImageRef) -> bool {
        self.selections_of(image).next().is_some()
    }

    fn selections_of<'a>(&'a self, image: &'a ImageRef) -> impl Iterator<Item = &'a Selection> {
        let selections = self
            .selections
            .get(image.repository())
            .into_iter()
            .flatten();
        selections
            .filter(|selection| image.digest().is_none() && selection.selector.admits(image.tag()))
    }

    /// Whether an event may have `image` copied: the catalogue names it, or `rescue.allow` its repository.
    pub fn allows(&self, image: &ImageRef) -> bool {
        self.covers(image) || self.allowed.matches(image.repository())
    }

    /// Says that `name` is unknown, and what is known.
    pub fn unknown_destination(&self, name: &str) -> String {
        let known = self
            .destinations
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        format!("no destination is called {name:?}; there are: {known}")
    }
}
