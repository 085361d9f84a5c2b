//! From the catalogue's images to requests, and from a target back to its image.

use crate::catalogue::origins::gallery_reference;
use crate::catalogue::{Catalogue, CatalogueImage, Origin};
use crate::image::reference::{DOCKER_HUB, ImageRef, RepositoryRef};
use crate::request::owners::TargetOwners;
use crate::request::target::{invalid, target};
use crate::request::{DestinationRoots, Request, Trigger};

/// The requests for `images`, in their order.
pub fn requests(
    catalogue: &Catalogue,
    images: &[CatalogueImage],
    roots: &DestinationRoots,
    trigger: &Trigger,
) -> Vec<Request> {
    let mut owners = TargetOwners::new(catalogue, roots);
    let mut requests = Vec::with_capacity(images.len());
    for CatalogueImage { image, options } in images {
        let mut request = Request {
            image: image.clone(),
            options: options.clone(),
            targets: Vec::new(),
            origins: origin_names(catalogue, roots, image),
            unresolved: Vec::new(),
            trigger: trigger.clone(),
        };
        if options.to.is_empty() {
            let advice =
                "name the destinations: `defaults.to` in the catalogue sets them for all images";
            request.unresolved.push(invalid(image, advice));
        }
        for name in &options.to {
            match owners.claim(name, image) {
                Ok(target) => request.targets.push(target),
                Err(error) => request.unresolved.push(error),
            }
        }
        requests.push(request);
    }
    requests
}

/// Where else the bytes of `image` may be. Only Docker Hub counts pulls: no other registry needs it.
fn origin_names(
    catalogue: &Catalogue,
    roots: &DestinationRoots,
    image: &ImageRef,
) -> Vec<ImageRef> {
    if image.repository().registry != DOCKER_HUB {
        return Vec::new();
    }
    let mut names = Vec::new();
    for origin in &catalogue.origins {
        let name = match origin {
            Origin::Destination(name) => target(catalogue, roots, name, image)
                .ok()
                .map(|target| target.uri),
            Origin::Registry(_) => origin.reference_for(image),
        };
        names.extend(name);
    }
    let gallery = gallery_reference(image).filter(|gallery| !names.contains(gallery));
    names.extend(gallery);
    names
}

/// The upstream image that `uri` is the mirror's copy of; `None` if `uri` is no target of the mirror.
///
/// In this order: an image that the catalogue names, one that a selection may take, or what the
/// naming templates lead back to.
pub fn upstream_of(
    catalogue: &Catalogue,
    roots: &DestinationRoots,
    uri: &ImageRef,
) -> Option<ImageRef> {
    for CatalogueImage { image, options } in &catalogue.images {
        let is_target = |name: &String| {
            target(catalogue, roots, name, image).is_ok_and(|target| target.uri == *uri)
        };
        if options.to.iter().any(is_target) {
            return Some(image.clone());
        }
    }
    let mut at_destinations = Vec::new();
    for name in catalogue.destinations.keys() {
        if let Some(Ok(root)) = roots.get(name)
            && let Some(path) = path_below(root, uri)
        {
            at_destinations.push((name, path));
        }
    }
    for (name, path) in &at_destinations {
        let mut selectable = catalogue.selectable_at(name, path, uri.tag());
        if let Some(image) = selectable.next() {
            return Some(image);
        }
    }
    at_destinations
        .iter()
        .find_map(|(name, path)| catalogue.destinations[*name].find_image(path, uri.tag()))
}

/// The path of `uri` below `root`; `None` where it is elsewhere.
fn path_below<'a>(root: &RepositoryRef, uri: &'a ImageRef) -> Option<&'a str> {
    let RepositoryRef { registry, path } = uri.repository();
    if root.registry != *registry {
        return None;
    }
    if root.path.is_empty() {
        return Some(path);
    }
    path.strip_prefix(&root.path)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_not_another_root_whose_name_begins_alike() {
        let root = |path: &str| RepositoryRef {
            registry: "public.ecr.aws".to_owned(),
            path: path.to_owned(),
        };
        let uri: ImageRef = "public.ecr.aws/alias2/library/node:21".parse().unwrap();
        assert_eq!(path_below(&root("alias2"), &uri), Some("library/node"));
        assert_eq!(path_below(&root("alias"), &uri), None);
        assert_eq!(path_below(&root(""), &uri), Some("alias2/library/node"));
        let elsewhere = RepositoryRef {
            registry: "quay.io".to_owned(),
            ..root("alias2")
        };
        assert_eq!(path_below(&elsewhere, &uri), None);
    }
}
