//! The plan as text and as JSON.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::json;

use crate::error::Error;
use crate::image::digest::Digest;
use crate::plan::price::Price;
use crate::plan::{Action, Plan, Planned, Step, Write};

impl Action {
    fn word(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Write(Write::Copy(_)) => "copy",
            Self::Write(Write::Tag { .. }) => "tag",
            Self::AwaitScan => "wait",
            Self::Defer(_) => "defer",
            Self::Refuse(_) => "refuse",
        }
    }
}

/// One line for each target, and for each destination without one.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for planned in &self.0 {
            let image = &planned.request.image;
            for error in &planned.request.unresolved {
                writeln!(f, "refuse  {image}  {}", error.chain())?;
            }
            for step in &planned.steps {
                let word = step.action.word();
                let uri = step.target.uri.tagged();
                let details = details(planned, step);
                let line = format!("{word:7} {image}  →  {uri}  {details}");
                writeln!(f, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }
}

fn details(planned: &Planned, step: &Step) -> String {
    match &step.action {
        Action::Keep => step.present.as_ref().map_or("", Digest::short).to_owned(),
        Action::Write(Write::Copy(new)) => {
            let change = match &step.present {
                Some(old) => format!("{} replaces {}", new.short(), old.short()),
                None => format!("{} is new", new.short()),
            };
            change + &cost(planned)
        }
        Action::Write(Write::Tag { here, .. }) => {
            format!("{} is there under another tag", here.short())
        }
        Action::AwaitScan => "for a clean scan of the private copy".to_owned(),
        Action::Defer(error) | Action::Refuse(error) => error.chain(),
    }
}

/// `, for about 9 pulls (linux/amd64 alone 3)`, or the origin that the bytes are read from.
fn cost(planned: &Planned) -> String {
    if let Some(origin) = &planned.origin {
        return format!(", from {origin}");
    }
    let price = &planned.price;
    if *price == Price::FREE {
        return String::new();
    }
    let mut alone = Vec::new();
    for (platform, pulls) in &price.alone {
        alone.push(format!("{platform} alone {pulls}"));
    }
    match alone.len() {
        0 | 1 => format!(", for {price}"),
        _ => format!(", for {price} ({})", alone.join(", ")),
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.is_exact { "" } else { "about " };
        let plural = if self.pulls == 1 { "" } else { "s" };
        write!(f, "{about}{} pull{plural}", self.pulls)
    }
}

/// The plan as `replicator plan --json` prints it.
impl Serialize for Planned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let request = &self.request;
        let refused: Vec<String> = request.unresolved.iter().map(Error::chain).collect();
        let steps: Vec<_> = self.steps.iter().map(step_json).collect();
        let document = json!({
            "image": request.image,
            "upstream_digest": self.upstream,
            "platforms": request.platforms().to_string(),
            "price": self.price,
            "origin": self.origin.as_ref().map(ToString::to_string),
            "steps": steps,
            "refused": refused,
        });
        document.serialize(serializer)
    }
}

fn step_json(step: &Step) -> serde_json::Value {
    let reason = match &step.action {
        Action::Refuse(error) | Action::Defer(error) => Some(error.chain()),
        _ => None,
    };
    json!({
        "destination": step.target.destination,
        "uri": step.target.uri.tagged(),
        "action": step.action.word(),
        "digest": step.present,
        "reason": reason,
    })
}
