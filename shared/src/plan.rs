//! The plan: what a survey found turned into what is to be done. It is a value that can be printed; a dry run is its text.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::digest::Digest;
use crate::error::Error;
use crate::reference::{ImageRef, RepositoryRef};
use crate::request::{Request, Target, Trigger};

/// What was found, before anything is written.
#[derive(Debug, Default)]
pub struct Survey {
    /// The digest of each upstream tag.
    pub upstream: BTreeMap<ImageRef, Result<Digest, Error>>,
    /// What each destination repository holds.
    pub mirrors: BTreeMap<RepositoryRef, Result<Mirror, Error>>,
}

/// The tags of a destination repository and their digests; empty where there is no repository yet.
pub type Mirror = BTreeMap<String, Digest>;

/// What is to be done, image by image.
#[derive(Debug, Default)]
pub struct Plan(pub Vec<Planned>);

/// What is to be done about one image.
#[derive(Debug)]
pub struct Planned {
    /// The upstream tag.
    pub image: ImageRef,
    /// Its digest, where it could be found out.
    pub upstream: Option<Digest>,
    /// One step for each place.
    pub steps: Vec<Step>,
    /// Destinations that could not be found out.
    pub unplaced: Vec<Error>,
    /// What asked for it.
    pub trigger: Trigger,
}

/// What is to be done about one image in one place.
#[derive(Debug)]
pub struct Step {
    /// The place.
    pub target: Target,
    /// What is there now.
    pub present: Option<Digest>,
    /// What is to be done.
    pub action: Action,
}

/// What is to be done in one place.
#[derive(Debug)]
pub enum Action {
    /// Nothing: the place is level with upstream.
    Keep,
    /// Copy this digest there.
    Copy(Digest),
    /// Nothing yet: a scan of the private copy has to come back clean first.
    AwaitScan,
    /// Nothing can be done, and this is why.
    Refuse(Error),
}

/// Decides, from what was found, what is to be done for `requests`, in their order.
pub fn plan(requests: &[Request], survey: &Survey) -> Plan {
    let planned = |request: &Request| Planned {
        image: request.image.clone(),
        upstream: survey.upstream.get(&request.image).and_then(|found| found.as_ref().ok().cloned()),
        steps: request.targets.iter().map(|target| step(&request.image, target, survey)).collect(),
        unplaced: request.unplaced.clone(),
        trigger: request.trigger.clone(),
    };
    Plan(requests.iter().map(planned).collect())
}

fn step(image: &ImageRef, target: &Target, survey: &Survey) -> Step {
    let upstream = survey.upstream.get(image).expect("each requested image was surveyed");
    let mirror = survey.mirrors.get(target.uri.repository()).expect("each requested repository was surveyed");
    let present = mirror.as_ref().ok().and_then(|tags| tags.get(target.uri.tag())).cloned();
    let action = match (upstream, mirror) {
        (_, Err(error)) | (Err(error), _) => Action::Refuse(error.clone()),
        (Ok(wanted), Ok(_)) if present.as_ref() == Some(wanted) => Action::Keep,
        (Ok(_), Ok(_)) if target.waits_for_scan => Action::AwaitScan,
        (Ok(wanted), Ok(_)) => Action::Copy(wanted.clone()),
    };
    Step { target: target.clone(), present, action }
}

impl Action {
    fn word(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Copy(_) => "copy",
            Self::AwaitScan => "wait",
            Self::Refuse(_) => "refuse",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for planned in &self.0 {
            for error in &planned.unplaced {
                writeln!(f, "refuse  {}  {}", planned.image, error.chain())?;
            }
            for step in &planned.steps {
                write!(f, "{:6}  {}  →  {}", step.action.word(), planned.image, step.target.uri)?;
                match (&step.action, &step.present) {
                    (Action::Keep, Some(present)) => writeln!(f, "  {}", present.short())?,
                    (Action::Copy(new), Some(old)) => writeln!(f, "  {} replaces {}", new.short(), old.short())?,
                    (Action::Copy(new), None) => writeln!(f, "  {} is new", new.short())?,
                    (Action::Refuse(error), _) => writeln!(f, "  {}", error.chain())?,
                    (Action::AwaitScan, _) => writeln!(f, "  for a clean scan of the private copy")?,
                    (Action::Keep, None) => writeln!(f)?,
                }
            }
        }
        Ok(())
    }
}

/// The plan as `replicator plan --json` prints it.
impl Serialize for Planned {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let step = |step: &Step| {
            let reason = if let Action::Refuse(error) = &step.action { Some(error.chain()) } else { None };
            serde_json::json!({
                "destination": step.target.destination,
                "uri": step.target.uri,
                "action": step.action.word(),
                "digest": step.present,
                "reason": reason,
            })
        };
        let steps: Vec<_> = self.steps.iter().map(step).collect();
        let refused: Vec<_> = self.unplaced.iter().map(Error::chain).collect();
        serde_json::json!({"image": self.image, "upstream_digest": self.upstream, "steps": steps, "refused": refused})
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Cause, Side};
    use crate::request::TriggerKind;

    fn digest(character: char) -> Digest {
        format!("sha256:{}", character.to_string().repeat(64)).parse().unwrap()
    }

    /// Plans node:1 for lab/node, where the mirror's tag `1` is at `present`.
    fn check(upstream: Result<Digest, Error>, mirror: Result<Option<Digest>, Error>, expected: &str) {
        let image: ImageRef = "node:1".parse().unwrap();
        let target = Target {
            destination: "lab".to_owned(),
            uri: "127.0.0.1:5000/node:1".parse().unwrap(),
            waits_for_scan: false,
        };
        let mirror = mirror.map(|present| present.map(|digest| ("1".to_owned(), digest)).into_iter().collect());
        let survey = Survey {
            upstream: [(image.clone(), upstream)].into(),
            mirrors: [(target.uri.repository().clone(), mirror)].into(),
        };
        let trigger = Trigger { kind: TriggerKind::Schedule, id: "e".to_owned() };
        let plan = plan(&[Request { image, targets: vec![target], unplaced: Vec::new(), trigger }], &survey);
        assert_eq!(plan.to_string(), format!("{expected}\n"));
    }

    const PAIR: &str = "docker.io/library/node:1  →  127.0.0.1:5000/node:1";

    #[test]
    fn an_equal_digest_is_kept() {
        check(Ok(digest('a')), Ok(Some(digest('a'))), &format!("keep    {PAIR}  aaaaaaaaaaaa"));
    }

    #[test]
    fn a_moved_or_new_tag_is_copied() {
        check(Ok(digest('b')), Ok(Some(digest('a'))), &format!("copy    {PAIR}  bbbbbbbbbbbb replaces aaaaaaaaaaaa"));
        check(Ok(digest('b')), Ok(None), &format!("copy    {PAIR}  bbbbbbbbbbbb is new"));
    }

    #[test]
    fn an_unknown_side_is_never_taken_for_level() {
        let limit = Error::new(Side::Source, Cause::PullLimit, "find");
        let denied = Error::new(Side::Destination, Cause::Denied, "list");
        check(Err(limit.clone()), Ok(Some(digest('a'))), &format!("refuse  {PAIR}  {}", limit.chain()));
        check(Ok(digest('a')), Err(denied.clone()), &format!("refuse  {PAIR}  {}", denied.chain()));
    }
}
