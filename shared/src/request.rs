//! Requests: which upstream tag, or pin, goes where, and what asked for it. Events become requests here.

mod owners;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalogue::origins::gallery_reference;
use crate::catalogue::{Catalogue, CatalogueImage, Origin, Publish};
use crate::error::{Cause, Error, Side};
use crate::image::platform::Platforms;
use crate::image::reference::{DOCKER_HUB, ImageRef, RepositoryRef};
use owners::TargetOwners;

/// One upstream tag and the places it is wanted in.
#[derive(Clone, Debug)]
pub struct Request {
    /// The upstream tag.
    pub image: ImageRef,
    /// Where it is wanted, each place once.
    pub targets: Vec<Target>,
    /// Destinations that could not be found out, so that they have no target.
    pub unplaced: Vec<Error>,
    /// Which of its platforms are copied.
    pub platforms: Platforms,
    /// Higher goes first.
    pub priority: i32,
    /// Names under which other registries may have the same bytes, best first.
    pub origins: Vec<ImageRef>,
    /// What asked for it.
    pub trigger: Trigger,
}

/// One place that an image is wanted in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The destination's name in the catalogue.
    pub destination: String,
    /// The image's name there, ready for `docker pull`.
    pub uri: ImageRef,
    /// Whether nothing goes there before a scan of the private copy came back clean (`publish: after-clean-scan`).
    #[serde(skip)]
    pub waits_for_scan: bool,
}

/// What asked for a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The kind of event.
    pub kind: TriggerKind,
    /// The event's own identifier, for tracing.
    pub id: String,
}

/// The kinds of event that lead to copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerKind {
    /// The clock.
    Schedule,
    /// A pull that failed.
    PullFailure,
    /// An image scan.
    Scan,
    /// Somebody asked.
    OnDemand,
}

/// What an event wants refreshed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshScope {
    /// The whole catalogue.
    Catalogue,
    /// The images of this document, which has the catalogue's shape.
    Inline(String),
}

/// Where each destination's images live, by its name: the registry's host, and what all paths there begin with (ECR
/// Public's alias); or why that could not be found out.
pub type DestinationRoots = BTreeMap<String, Result<RepositoryRef, Error>>;

/// The requests for `images`.
pub fn requests(
    catalogue: &Catalogue,
    images: &[CatalogueImage],
    places: &DestinationRoots,
    trigger: &Trigger,
) -> Vec<Request> {
    let mut owners = TargetOwners::new(catalogue, places);
    let mut request = |wanted: &CatalogueImage| {
        let mut request = Request {
            image: wanted.image.clone(),
            targets: Vec::new(),
            unplaced: Vec::new(),
            platforms: wanted.options.platforms.clone().unwrap_or_default(),
            priority: wanted.options.priority,
            origins: origins(catalogue, places, &wanted.image),
            trigger: trigger.clone(),
        };
        if wanted.options.to.is_empty() {
            let error = Error::new(
                Side::Configuration,
                Cause::Invalid,
                format!("place {}", wanted.image),
            );
            request.unplaced.push(error.because(
                "say which destinations: `defaults.to` in the catalogue says it for all images",
            ));
        }
        for name in &wanted.options.to {
            match owners.place(name, &wanted.image) {
                Ok(target) => request.targets.push(target),
                Err(error) => request.unplaced.push(error),
            }
        }
        request
    };
    images.iter().map(&mut request).collect()
}

/// Where else the bytes of `image` may be. Only Docker Hub counts pulls, so that nothing else needs a substitute.
fn origins(catalogue: &Catalogue, places: &DestinationRoots, image: &ImageRef) -> Vec<ImageRef> {
    if image.repository().registry != DOCKER_HUB {
        return Vec::new();
    }
    let name = |origin: &Origin| match origin {
        Origin::Destination(name) => Some(target(catalogue, places, name, image).ok()?.uri),
        Origin::Registry(_) => origin.reference_for(image),
    };
    let mut names: Vec<ImageRef> = catalogue.origins.iter().filter_map(name).collect();
    names.extend(gallery_reference(image).filter(|gallery| !names.contains(gallery)));
    names
}

fn target(
    catalogue: &Catalogue,
    places: &DestinationRoots,
    name: &str,
    image: &ImageRef,
) -> Result<Target, Error> {
    let invalid = |why: String| {
        Error::new(
            Side::Configuration,
            Cause::Invalid,
            format!("place {image}"),
        )
        .because(why)
    };
    let unknown = || invalid(catalogue.unknown_destination(name));
    let destination = catalogue.destinations.get(name).ok_or_else(unknown)?;
    // Without this anybody's `registry.example/library/node` could take the place of Docker Hub's.
    let is_elsewhere = image.repository().registry != DOCKER_HUB;
    if is_elsewhere && !destination.separates_registries() && !catalogue.covers(image) {
        return Err(invalid(format!(
            "the naming of destination {name} has no {{registry}}, so that images from elsewhere than Docker Hub have to be in the catalogue"
        )));
    }
    let (path, tag) = destination.target_name(image).map_err(invalid)?;
    let place = places.get(name).ok_or_else(unknown)?.clone()?;
    let path = if place.path.is_empty() {
        path
    } else {
        format!("{}/{path}", place.path)
    };
    let uri = ImageRef::new(
        RepositoryRef {
            registry: place.registry,
            path,
        },
        &tag,
    );
    let waits_for_scan = destination.publish == Publish::AfterCleanScan;
    let target = uri.map(|uri| Target {
        destination: name.to_owned(),
        uri,
        waits_for_scan,
    });
    target.map_err(|error| invalid(error.to_string()))
}

/// The upstream image that `uri` is the mirror's copy of: one that the catalogue names, else one that a selection may take there,
/// else what the naming templates say.
/// `None` when `uri` is no place of the mirror.
pub fn origin(
    catalogue: &Catalogue,
    places: &DestinationRoots,
    uri: &ImageRef,
) -> Option<ImageRef> {
    let is_here = |image: &ImageRef, name: &String| {
        target(catalogue, places, name, image).is_ok_and(|target| target.uri == *uri)
    };
    let named = catalogue.images.iter().find(|wanted| {
        wanted
            .options
            .to
            .iter()
            .any(|name| is_here(&wanted.image, name))
    });
    let here = || {
        catalogue
            .destinations
            .keys()
            .filter_map(|name| Some((name, path(places.get(name)?.as_ref().ok()?, uri)?)))
    };
    let selected =
        || here().find_map(|(name, path)| catalogue.selectable_at(name, path, uri.tag()).next());
    let by_template =
        || here().find_map(|(name, path)| catalogue.destinations[name].find_image(path, uri.tag()));
    named
        .map(|wanted| wanted.image.clone())
        .or_else(selected)
        .or_else(by_template)
}

/// The path of `uri` within `place`; `None` where it is elsewhere.
fn path<'a>(place: &RepositoryRef, uri: &'a ImageRef) -> Option<&'a str> {
    let RepositoryRef { registry, path } = uri.repository();
    let path = if place.path.is_empty() {
        Some(path.as_str())
    } else {
        path.strip_prefix(&place.path)?.strip_prefix('/')
    };
    path.filter(|_| place.registry == *registry)
}

/// What a `refresh` event wants, in each form in which a schedule or a person sends it:
///
/// * an EventBridge rule's event, and EventBridge Scheduler's default, whose `detail` is the *string* `"{}"`;
/// * a Scheduler Input, which arrives without envelope: `{"command":"refresh","execution_id":"…",…}`, or nothing at all;
/// * `{"images":[…]}`, in the catalogue's shape; with `command` and `execution_id` it is the wake-up for what was put off.
pub fn wish(event: &Value, request_id: &str) -> Result<(RefreshScope, Trigger), Error> {
    let text = |key: &str| event.get(key).and_then(Value::as_str);
    let trigger = |kind, id: Option<&str>| Trigger {
        kind,
        id: id.unwrap_or(request_id).to_owned(),
    };
    let scheduled = |id| Ok((RefreshScope::Catalogue, trigger(TriggerKind::Schedule, id)));
    match (event, text("detail-type"), text("command")) {
        (_, Some("Scheduled Event"), _) => scheduled(text("id")),
        (_, Some(other), _) => Err(not_understood(&format!(
            "detail-type {other:?} is no schedule"
        ))),
        (Value::Object(object), None, None | Some("refresh")) if object.contains_key("images") => {
            let mut document = object.clone();
            document.remove("command");
            // With an execution it is a schedule that asks: the one that wakes up for what was put off.
            let execution = text("execution_id");
            document.remove("execution_id");
            let kind = if execution.is_some() {
                TriggerKind::Schedule
            } else {
                TriggerKind::OnDemand
            };
            let document = serde_json::to_string_pretty(&document)
                .map_err(|error| not_understood(&error.to_string()))?;
            Ok((RefreshScope::Inline(document), trigger(kind, execution)))
        }
        (_, None, Some("refresh")) => scheduled(text("execution_id")),
        (Value::Object(object), None, None) if object.is_empty() => scheduled(None),
        (Value::Null, ..) => scheduled(None),
        (_, None, Some(other)) => Err(not_understood(&format!("command {other:?} is not refresh"))),
        _ => Err(not_understood(
            "it is neither a schedule nor {\"images\":[…]}",
        )),
    }
}

fn not_understood(why: &str) -> Error {
    Error::new(Side::Configuration, Cause::Invalid, "understand the event")
        .because(why.chars().take(200).collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schedule_is_known_in_each_of_its_forms() {
        let forms = [
            (
                json!({"detail-type": "Scheduled Event", "source": "aws.events", "id": "e1", "detail": {}}),
                "e1",
            ),
            (
                json!({"detail-type": "Scheduled Event", "source": "aws.scheduler", "id": "e2", "detail": "{}"}),
                "e2",
            ),
            (
                json!({"command": "refresh", "execution_id": "x3", "attempt": "1"}),
                "x3",
            ),
            (json!({}), "request"),
            (Value::Null, "request"),
        ];
        for (event, id) in forms {
            let (wish, trigger) = wish(&event, "request").unwrap();
            assert_eq!(
                (wish, trigger.kind, trigger.id.as_str()),
                (RefreshScope::Catalogue, TriggerKind::Schedule, id)
            );
        }
    }

    #[test]
    fn images_in_the_event_are_a_catalogue_of_their_own() {
        let (wish, trigger) = wish(
            &json!({"command": "refresh", "images": [{"image": "node:21"}]}),
            "request",
        )
        .unwrap();
        assert_eq!(trigger.kind, TriggerKind::OnDemand);
        let RefreshScope::Inline(text) = wish else {
            panic!("not inline")
        };
        assert!(
            text.contains("node:21") && !text.contains("command"),
            "{text}"
        );
    }

    #[test]
    fn a_wake_up_is_a_schedule_with_images() {
        let event =
            json!({"command": "refresh", "execution_id": "x4", "images": [{"image": "node:21"}]});
        let (wish, trigger) = wish(&event, "request").unwrap();
        assert_eq!(
            (trigger.kind, trigger.id.as_str()),
            (TriggerKind::Schedule, "x4")
        );
        let RefreshScope::Inline(text) = wish else {
            panic!("not inline")
        };
        assert!(!text.contains("execution_id"), "{text}");
    }

    #[test]
    fn a_place_is_no_other_whose_name_begins_alike() {
        let place = |path: &str| RepositoryRef {
            registry: "public.ecr.aws".to_owned(),
            path: path.to_owned(),
        };
        let uri: ImageRef = "public.ecr.aws/alias2/library/node:21".parse().unwrap();
        assert_eq!(path(&place("alias2"), &uri), Some("library/node"));
        assert_eq!(path(&place("alias"), &uri), None);
        assert_eq!(path(&place(""), &uri), Some("alias2/library/node"));
        assert_eq!(
            path(
                &RepositoryRef {
                    registry: "quay.io".to_owned(),
                    ..place("alias2")
                },
                &uri
            ),
            None
        );
    }

    #[test]
    fn another_event_is_refused_and_said() {
        for event in [
            json!({"detail-type": "ECR Image Scan", "detail": {}}),
            json!({"command": "drop"}),
            json!([1]),
            json!({"image": 1}),
        ] {
            assert!(
                wish(&event, "request")
                    .unwrap_err()
                    .chain()
                    .contains("cannot understand the event"),
                "{event}"
            );
        }
    }
}
