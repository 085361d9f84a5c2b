//! The plan as text and as JSON.

use std::fmt;

use serde::Serialize;

use super::{Action, Plan, Planned, Step};
use crate::error::Error;
use crate::plan::price::Price;

/// One line for each step, such as
/// `copy    docker.io/library/node:22  →  mirror/node:22  0123456789ab is new, for 1 pull`.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for planned in &self.0 {
            let image = &planned.image;
            for error in &planned.unplaced {
                writeln!(f, "refuse  {image}  {}", error.chain())?;
            }
            for step in &planned.steps {
                let action = step.action.name();
                let target = step.target.uri.tagged();
                let details = describe(step, planned);
                writeln!(f, "{action:7} {image}  →  {target}{details}")?;
            }
        }
        Ok(())
    }
}

impl Action {
    fn name(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Copy(_) => "copy",
            Self::Tag { .. } => "tag",
            Self::AwaitScan => "wait",
            Self::Defer(_) => "defer",
            Self::Refuse(_) => "refuse",
        }
    }

    fn reason(&self) -> Option<String> {
        match self {
            Self::Defer(error) | Self::Refuse(error) => Some(error.chain()),
            Self::Keep | Self::Copy(_) | Self::Tag { .. } | Self::AwaitScan => None,
        }
    }
}

/// The end of a step's line: digests, costs and reasons.
fn describe(step: &Step, planned: &Planned) -> String {
    match &step.action {
        Action::Keep => match &step.present {
            Some(present) => format!("  {}", present.short()),
            None => String::new(),
        },
        Action::Copy(new) => {
            let change = match &step.present {
                Some(old) => format!("replaces {}", old.short()),
                None => "is new".to_owned(),
            };
            format!("  {} {change}{}", new.short(), describe_costs(planned))
        }
        Action::Tag { here, .. } => format!("  {} is there under another tag", here.short()),
        Action::AwaitScan => "  for a clean scan of the private copy".to_owned(),
        Action::Defer(error) | Action::Refuse(error) => format!("  {}", error.chain()),
    }
}

/// The origin or the price, such as `, for about 9 pulls (linux/amd64 alone 3, linux/arm64 alone 2)`;
/// empty if the copy is free.
fn describe_costs(planned: &Planned) -> String {
    if let Some(origin) = &planned.origin {
        return format!(", from {origin}");
    }
    let price = &planned.price;
    if *price == Price::FREE {
        return String::new();
    }
    if price.alone.len() < 2 {
        return format!(", for {price}");
    }
    let mut each_alone = Vec::new();
    for (platform, pulls) in &price.alone {
        each_alone.push(format!("{platform} alone {pulls}"));
    }
    format!(", for {price} ({})", each_alone.join(", "))
}

/// Such as `1 pull` or `about 9 pulls`.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.is_exact { "" } else { "about " };
        let plural = if self.pulls == 1 { "" } else { "s" };
        write!(f, "{about}{} pull{plural}", self.pulls)
    }
}

/// One image of the plan, as `replicator plan --json` prints it.
impl Serialize for Planned {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let steps: Vec<_> = self.steps.iter().map(step_json).collect();
        let refused: Vec<_> = self.unplaced.iter().map(Error::chain).collect();
        serde_json::json!({
            "image": self.image,
            "upstream_digest": self.upstream,
            "platforms": self.platforms.to_string(),
            "price": self.price,
            "origin": self.origin.as_ref().map(ToString::to_string),
            "steps": steps,
            "refused": refused,
        })
        .serialize(serializer)
    }
}

fn step_json(step: &Step) -> serde_json::Value {
    serde_json::json!({
        "destination": step.target.destination,
        "uri": step.target.uri.tagged(),
        "action": step.action.name(),
        "digest": step.present,
        "reason": step.action.reason(),
    })
}
