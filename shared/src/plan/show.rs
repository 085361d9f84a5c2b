//! The plan as text and as JSON.

use std::fmt;

use serde::Serialize;

use super::{Action, Plan, Planned, Step};
use crate::error::Error;
use crate::plan::price::Price;

impl Action {
    fn word(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Copy(_) => "copy",
            Self::Tag { .. } => "tag",
            Self::AwaitScan => "wait",
            Self::Defer(_) => "defer",
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
                write!(
                    f,
                    "{:7} {}  →  {}",
                    step.action.word(),
                    planned.image,
                    step.target.uri.tagged()
                )?;
                match (&step.action, &step.present) {
                    (Action::Keep, Some(present)) => writeln!(f, "  {}", present.short())?,
                    (Action::Copy(new), present) => {
                        match present {
                            Some(old) => write!(f, "  {} replaces {}", new.short(), old.short())?,
                            None => write!(f, "  {} is new", new.short())?,
                        }
                        writeln!(f, "{}", spending(planned))?;
                    }
                    (Action::Tag { here, .. }, _) => {
                        writeln!(f, "  {} is there under another tag", here.short())?
                    }
                    (Action::Defer(error) | Action::Refuse(error), _) => {
                        writeln!(f, "  {}", error.chain())?
                    }
                    (Action::AwaitScan, _) => {
                        writeln!(f, "  for a clean scan of the private copy")?
                    }
                    (Action::Keep, None) => writeln!(f)?,
                }
            }
        }
        Ok(())
    }
}

/// `, for about 9 pulls (linux/amd64 alone 3)`, or where the bytes come from instead.
fn spending(planned: &Planned) -> String {
    if let Some(origin) = &planned.origin {
        return format!(", from {origin}");
    }
    if planned.price == Price::FREE {
        return String::new();
    }
    let alone: Vec<String> = planned
        .price
        .alone
        .iter()
        .map(|(platform, pulls)| format!("{platform} alone {pulls}"))
        .collect();
    let alone = if alone.len() > 1 {
        format!(" ({})", alone.join(", "))
    } else {
        String::new()
    };
    format!(", for {}{alone}", planned.price)
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
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let step = |step: &Step| {
            let reason = match &step.action {
                Action::Refuse(error) | Action::Defer(error) => Some(error.chain()),
                _ => None,
            };
            serde_json::json!({
                "destination": step.target.destination,
                "uri": step.target.uri.tagged(),
                "action": step.action.word(),
                "digest": step.present,
                "reason": reason,
            })
        };
        let steps: Vec<_> = self.steps.iter().map(step).collect();
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
