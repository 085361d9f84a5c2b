//! The target of an image at a destination.

use crate::catalogue::{Catalogue, Publish};
use crate::error::{Cause, Error, Side};
use crate::image::reference::{DOCKER_HUB, ImageRef, RepositoryRef};
use crate::request::{DestinationRoots, Target};

/// The target of `image` at the destination called `name`.
pub(super) fn target(
    catalogue: &Catalogue,
    roots: &DestinationRoots,
    name: &str,
    image: &ImageRef,
) -> Result<Target, Error> {
    let unknown = || invalid(image, &catalogue.unknown_destination(name));
    let destination = catalogue.destinations.get(name).ok_or_else(unknown)?;
    // Otherwise anybody's `registry.example/library/node` could overwrite the copy of Docker Hub's.
    let is_elsewhere = image.repository().registry != DOCKER_HUB;
    if is_elsewhere && !destination.separates_registries() && !catalogue.covers(image) {
        let advice = format!(
            "the naming of destination {name} has no {{registry}}: \
             add {{registry}} to it, or list the image in the catalogue, \
             because it is not from Docker Hub"
        );
        return Err(invalid(image, &advice));
    }
    let (path, tag) = destination
        .target_name(image)
        .map_err(|why| invalid(image, &why))?;
    let root = roots.get(name).ok_or_else(unknown)?.clone()?;
    let path = if root.path.is_empty() {
        path
    } else {
        format!("{}/{path}", root.path)
    };
    let repository = RepositoryRef {
        registry: root.registry,
        path,
    };
    let uri = ImageRef::new(repository, &tag).map_err(|why| invalid(image, &why.to_string()))?;
    Ok(Target {
        destination: name.to_owned(),
        uri,
        waits_for_scan: destination.publish == Publish::AfterCleanScan,
    })
}

pub(super) fn invalid(image: &ImageRef, why: &str) -> Error {
    let action = format!("find a target for {image}");
    Error::new(Side::Configuration, Cause::Invalid, action).because(why.to_owned())
}
