//! Which image a target belongs to: each target belongs to one image.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::catalogue::{Catalogue, CatalogueImage};
use crate::error::{Cause, Error, Side};
use crate::image::reference::ImageRef;
use crate::request::target::target;
use crate::request::{DestinationRoots, Target};

/// The owners of the targets of the catalogue's images, and of images that are requested beside them.
pub(super) struct TargetOwners<'a> {
    catalogue: &'a Catalogue,
    roots: &'a DestinationRoots,
    by_uri: BTreeMap<ImageRef, Owner>,
}

/// The image that a target belongs to.
enum Owner {
    One(ImageRef),
    /// Selections took two images for one target. Neither is copied there: they would overwrite each
    /// other at every run.
    Two(ImageRef, ImageRef),
}

impl<'a> TargetOwners<'a> {
    /// Images that the catalogue names own their targets before those that its selections took.
    pub(super) fn new(catalogue: &'a Catalogue, roots: &'a DestinationRoots) -> Self {
        let mut owners = Self {
            catalogue,
            roots,
            by_uri: BTreeMap::new(),
        };
        let (named, selected): (Vec<_>, Vec<_>) = catalogue
            .all_images()
            .partition(|image| catalogue.is_named(&image.image));
        for image in named {
            for uri in owners.uris(image) {
                let owner = Owner::One(image.image.clone());
                owners.by_uri.insert(uri, owner);
            }
        }
        for image in selected {
            for uri in owners.uris(image) {
                owners.add_selected(&image.image, uri);
            }
        }
        owners
    }

    fn uris(&self, image: &CatalogueImage) -> Vec<ImageRef> {
        let uri = |name: &String| {
            let target = target(self.catalogue, self.roots, name, &image.image);
            target.ok().map(|target| target.uri)
        };
        image.options.to.iter().filter_map(uri).collect()
    }

    fn add_selected(&mut self, image: &ImageRef, uri: ImageRef) {
        let mut slot = match self.by_uri.entry(uri) {
            Entry::Vacant(slot) => {
                slot.insert(Owner::One(image.clone()));
                return;
            }
            Entry::Occupied(slot) => slot,
        };
        if let Owner::One(owner) = slot.get()
            && owner != image
            && !self.catalogue.is_named(owner)
        {
            let both = Owner::Two(owner.clone(), image.clone());
            slot.insert(both);
        }
    }

    /// The target of `image` at the destination called `name`. A target without an owner goes to the
    /// first image that claims it.
    pub(super) fn claim(&mut self, name: &str, image: &ImageRef) -> Result<Target, Error> {
        let target = target(self.catalogue, self.roots, name, image)?;
        if let Some(competing) = self.catalogue.competing_image(name, image) {
            return Err(taken(&target.uri, &competing.to_string(), image));
        }
        let owner = self.by_uri.entry(target.uri.clone());
        let owner = owner.or_insert_with(|| Owner::One(image.clone()));
        match owner {
            Owner::One(owner) if owner == image => Ok(target),
            Owner::One(owner) => Err(taken(&target.uri, &owner.to_string(), image)),
            Owner::Two(one, other) => {
                let both = format!("{one} and of {other}");
                Err(taken(&target.uri, &both, image))
            }
        }
    }
}

fn taken(uri: &ImageRef, owner: &str, image: &ImageRef) -> Error {
    let advice = match image.digest() {
        Some(digest) => format!(
            "ask for {}@{digest}, which has a target of its own",
            image.repository()
        ),
        None => "give one of them another name in the catalogue".to_owned(),
    };
    let action = format!("use {} for {image}", uri.tagged());
    let why = format!("it is the target of {owner}; {advice}");
    Error::new(Side::Configuration, Cause::Invalid, action).because(why)
}
