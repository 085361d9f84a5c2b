//! Who may write where: a place belongs to one image.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{DestinationRoots, Target, target};
use crate::catalogue::{Catalogue, CatalogueImage};
use crate::error::{Cause, Error, Side};
use crate::image::reference::ImageRef;

/// The places of the catalogue's images, and of those that are asked for beside them.
pub(super) struct TargetOwners<'a> {
    catalogue: &'a Catalogue,
    places: &'a DestinationRoots,
    by_uri: BTreeMap<ImageRef, Owner>,
}

/// The image that a place belongs to.
enum Owner {
    One(ImageRef),
    /// Two tags that selections took: neither may go there, or they would overwrite each other for ever.
    Two(ImageRef, ImageRef),
}

impl<'a> TargetOwners<'a> {
    /// What the catalogue names itself comes before what its selections took.
    pub(super) fn new(catalogue: &'a Catalogue, places: &'a DestinationRoots) -> Self {
        let mut owners = Self {
            catalogue,
            places,
            by_uri: BTreeMap::new(),
        };
        let (named, taken): (Vec<_>, Vec<_>) = catalogue
            .all_images()
            .partition(|wanted| catalogue.is_named(&wanted.image));
        for (image, uri) in named
            .into_iter()
            .flat_map(|wanted| uris(wanted, catalogue, places))
        {
            owners.by_uri.insert(uri, Owner::One(image.clone()));
        }
        for (image, uri) in taken
            .into_iter()
            .flat_map(|wanted| uris(wanted, catalogue, places))
        {
            owners.add_taken(image, uri);
        }
        owners
    }

    fn add_taken(&mut self, image: &ImageRef, uri: ImageRef) {
        match self.by_uri.entry(uri) {
            Entry::Vacant(place) => drop(place.insert(Owner::One(image.clone()))),
            Entry::Occupied(mut place) => match place.get() {
                Owner::One(owner) if owner != image && !self.catalogue.is_named(owner) => {
                    let both = Owner::Two(owner.clone(), image.clone());
                    place.insert(both);
                }
                _ => {}
            },
        }
    }

    /// The place of `image` at the destination called `name`. Whoever is the first to ask for one that belongs to nobody has it.
    pub(super) fn place(&mut self, name: &str, image: &ImageRef) -> Result<Target, Error> {
        let target = target(self.catalogue, self.places, name, image)?;
        let taken = |owner: String| Err(taken(&target.uri, &owner, image));
        if let Some(claimant) = self.catalogue.competing_image(name, image) {
            return taken(claimant.to_string());
        }
        match self
            .by_uri
            .entry(target.uri.clone())
            .or_insert_with(|| Owner::One(image.clone()))
        {
            Owner::One(owner) if owner == image => Ok(target),
            Owner::One(owner) => taken(owner.to_string()),
            Owner::Two(one, other) => taken(format!("{one} and of {other}")),
        }
    }
}

fn uris<'a>(
    wanted: &'a CatalogueImage,
    catalogue: &'a Catalogue,
    places: &'a DestinationRoots,
) -> impl Iterator<Item = (&'a ImageRef, ImageRef)> {
    let uri = |name: &String| {
        Some((
            &wanted.image,
            target(catalogue, places, name, &wanted.image).ok()?.uri,
        ))
    };
    wanted.options.to.iter().filter_map(uri)
}

fn taken(uri: &ImageRef, owner: &str, image: &ImageRef) -> Error {
    let error = Error::new(
        Side::Configuration,
        Cause::Invalid,
        format!("use {}", uri.tagged()),
    );
    let advice = match image.digest() {
        Some(digest) => format!(
            "ask for {}@{digest}, which has a place of its own",
            image.repository()
        ),
        None => "give one of them another name in the catalogue".to_owned(),
    };
    error.because(format!("it is the place of {owner}; {advice}"))
}
