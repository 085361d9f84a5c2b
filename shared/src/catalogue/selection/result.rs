//! The result of one selection, for reports and for people.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::catalogue::TagVerdict;
use crate::error::{Cause, Error, Side};
use crate::image::reference::{ImageRef, RepositoryRef};

/// How many dropped tags the error names if a selector takes none.
const MAX_EXAMPLES: usize = 3;

/// What one selection takes.
#[derive(Clone, Debug)]
pub struct SelectionResult {
    /// Its name: `docker.io/library/nginx:{glob 1.27.*}`.
    pub name: String,
    /// The repository.
    pub repository: RepositoryRef,
    /// A verdict on each tag, newest first, or the error of listing the tags.
    pub verdicts: Result<Vec<TagVerdict>, Error>,
}

impl SelectionResult {
    /// Whether the tags of the repository could be listed.
    pub fn is_listed(&self) -> bool {
        self.verdicts.is_ok()
    }

    /// Why the selection takes nothing: there is no list, or it drops each tag. `None` if it takes
    /// any tag.
    pub fn error(&self) -> Option<Error> {
        let verdicts = match &self.verdicts {
            Ok(verdicts) => verdicts,
            Err(error) => return Some(error.clone()),
        };
        if verdicts.iter().any(|verdict| verdict.is_selected) {
            return None;
        }
        let action = format!("select tags of {}", self.repository);
        let error = Error::new(Side::Source, Cause::NotFound, action);
        Some(error.because(explain_none(verdicts)))
    }

    /// The images that it takes.
    pub(super) fn selected_images(&self) -> Vec<ImageRef> {
        let mut images = Vec::new();
        for verdict in self.verdicts.iter().flatten() {
            if verdict.is_selected {
                images.extend(ImageRef::new(self.repository.clone(), &verdict.tag));
            }
        }
        images
    }
}

/// A few of the tags that were dropped, and why.
fn explain_none(verdicts: &[TagVerdict]) -> String {
    if verdicts.is_empty() {
        return "the repository has no tags".to_owned();
    }
    let examples: Vec<String> = verdicts
        .iter()
        .take(MAX_EXAMPLES)
        .map(|verdict| format!("{} {}", verdict.tag, verdict.why))
        .collect();
    let count = verdicts.len();
    let examples = examples.join(", ");
    format!("none of its {count} tags is taken: {examples}")
}

/// A line for the selection, and one for each tag.
impl fmt::Display for SelectionResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, repository, ..
        } = self;
        let verdicts = match &self.verdicts {
            Ok(verdicts) => verdicts,
            Err(error) => return writeln!(f, "refuse  {name}  {}", error.chain()),
        };
        let selected = verdicts.iter().filter(|verdict| verdict.is_selected);
        let taken = selected.count();
        let all = verdicts.len();
        writeln!(f, "select  {name}  {taken} of {all} tags")?;
        for TagVerdict {
            tag,
            is_selected,
            why,
        } in verdicts
        {
            let verb = if *is_selected { "take" } else { "drop" };
            writeln!(f, "{verb:<6}  {repository}:{tag}  {why}")?;
        }
        Ok(())
    }
}

/// The selection as `replicator plan --json` prints it.
impl Serialize for SelectionResult {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let verdicts = self.verdicts.iter().flatten();
        let tags: Vec<Value> = verdicts.map(tag_json).collect();
        let reason = self.error().map(|error| error.chain());
        let value = json!({
            "selection": self.name,
            "tags": tags,
            "reason": reason,
        });
        value.serialize(serializer)
    }
}

fn tag_json(verdict: &TagVerdict) -> Value {
    json!({
        "tag": verdict.tag,
        "taken": verdict.is_selected,
        "why": verdict.why,
    })
}
