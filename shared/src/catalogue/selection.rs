//! Selections: what selectors come to, once the tags of their repositories are listed.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Catalogue, Options, Selector, TagVerdict};
use crate::error::{Cause, Error, Side};
use crate::image::reference::{ImageRef, RepositoryRef};

/// How many tags are named where a selector takes none.
const EXAMPLES: usize = 3;

/// Tags of a repository that are mirrored without being named.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Which.
    pub selector: Selector,
    /// How.
    pub options: Options,
}

/// The tags of each repository, or why they could not be listed.
pub type TagLists = BTreeMap<RepositoryRef, Result<Vec<String>, Error>>;

/// What became of one selection.
#[derive(Clone, Debug)]
pub struct SelectionResult {
    /// Its name: `docker.io/library/nginx:{glob 1.27.*}`.
    pub name: String,
    /// The repository.
    pub repository: RepositoryRef,
    /// A verdict on each tag, newest first, or why the tags could not be listed.
    pub verdicts: Result<Vec<TagVerdict>, Error>,
}

impl Selection {
    /// What a selection from `repository` is called.
    pub fn name(&self, repository: &RepositoryRef) -> String {
        format!("{repository}:{}", self.selector)
    }
}

impl Catalogue {
    /// The catalogue with the tags that its selections take from `lists` among its images, and what became of each selection.
    ///
    /// An image that is named as well, or taken twice, goes wherever anybody wants it. Selections whose repository could not be
    /// listed stay what they are, so that nothing else takes their places.
    pub fn expand(mut self, lists: &TagLists) -> (Self, Vec<SelectionResult>) {
        let mut wanted = self.named.clone();
        let mut all = Vec::new();
        for (repository, selections) in std::mem::take(&mut self.selections) {
            let list = lists
                .get(&repository)
                .expect("each repository with a selection was listed");
            for selection in &selections {
                let verdicts = list
                    .as_ref()
                    .map(|tags| self.judge(&repository, selection, tags))
                    .map_err(Clone::clone);
                for image in verdicts
                    .iter()
                    .flatten()
                    .filter_map(|verdict| taken(&repository, verdict))
                {
                    self.taken.insert(image.clone());
                    wanted
                        .entry(image)
                        .or_insert_with(|| selection.options.clone())
                        .join(&selection.options);
                }
                all.push(SelectionResult {
                    name: selection.name(&repository),
                    repository: repository.clone(),
                    verdicts,
                });
            }
            if list.is_err() {
                self.selections.insert(repository, selections);
            }
        }
        self.images = self.in_order(wanted);
        (self, all)
    }

    /// The images that selections may take to `path` and `tag` at the destination called `name`.
    pub fn selectable_at(
        &self,
        name: &str,
        path: &str,
        tag: &str,
    ) -> impl Iterator<Item = ImageRef> {
        self.selections
            .iter()
            .filter_map(move |(repository, selections)| {
                let is_sent = |selection: &&Selection| {
                    self.destinations_of(selection).iter().any(|to| to == name)
                };
                let mut sent = selections.iter().filter(is_sent).peekable();
                sent.peek()?;
                let image = self
                    .destinations
                    .get(name)?
                    .find_image_of(repository, path, tag)?;
                sent.any(|selection| selection.selector.admits(image.tag()))
                    .then_some(image)
            })
    }

    /// Another image than `image` that a selection may take to its place at the destination called `name`. What a catalogue names
    /// itself comes before what its selections may take.
    pub fn competing_image(&self, name: &str, image: &ImageRef) -> Option<ImageRef> {
        let rivals: Vec<&Self> = self
            .catalogues()
            .filter(|catalogue| !catalogue.selections.is_empty() && !catalogue.is_named(image))
            .collect();
        if rivals.is_empty() {
            return None;
        }
        let (path, tag) = self.destinations.get(name)?.target_name(image).ok()?;
        let mut claimants = rivals
            .into_iter()
            .flat_map(|catalogue| catalogue.selectable_at(name, &path, &tag));
        claimants.find(|claimant| claimant != image)
    }

    fn destinations_of<'a>(&'a self, selection: &'a Selection) -> &'a [String] {
        if selection.options.to.is_empty() {
            &self.default_to
        } else {
            &selection.options.to
        }
    }

    fn judge(
        &self,
        repository: &RepositoryRef,
        selection: &Selection,
        tags: &[String],
    ) -> Vec<TagVerdict> {
        let mut verdicts = selection.selector.judge(tags);
        for verdict in verdicts.iter_mut().filter(|verdict| !verdict.is_selected) {
            if ImageRef::new(repository.clone(), &verdict.tag)
                .is_ok_and(|image| self.is_named(&image))
            {
                verdict.why.push_str("; the catalogue names it");
            }
        }
        verdicts
    }
}

fn taken(repository: &RepositoryRef, verdict: &TagVerdict) -> Option<ImageRef> {
    verdict
        .is_selected
        .then(|| ImageRef::new(repository.clone(), &verdict.tag).ok())
        .flatten()
}

impl SelectionResult {
    /// Whether the tags of the repository could be listed.
    pub fn is_listed(&self) -> bool {
        self.verdicts.is_ok()
    }

    /// Why the selection comes to nothing: there is no list, or no tag on it is taken. `None` where it takes some.
    pub fn error(&self) -> Option<Error> {
        match &self.verdicts {
            Err(error) => Some(error.clone()),
            Ok(verdicts) if verdicts.iter().any(|verdict| verdict.is_selected) => None,
            Ok(verdicts) => {
                let error = Error::new(
                    Side::Source,
                    Cause::NotFound,
                    format!("select tags of {}", self.repository),
                );
                Some(error.because(examples(verdicts)))
            }
        }
    }
}

/// A few tags that were dropped, and why.
fn examples(verdicts: &[TagVerdict]) -> String {
    let few: Vec<_> = verdicts
        .iter()
        .take(EXAMPLES)
        .map(|verdict| format!("{} {}", verdict.tag, verdict.why))
        .collect();
    match verdicts.len() {
        0 => "the repository has no tags".to_owned(),
        all => format!("none of its {all} tags is taken: {}", few.join(", ")),
    }
}

/// A line for the selection, and one for each tag.
impl fmt::Display for SelectionResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdicts = match &self.verdicts {
            Ok(verdicts) => verdicts,
            Err(error) => return writeln!(f, "refuse  {}  {}", self.name, error.chain()),
        };
        let taken = verdicts
            .iter()
            .filter(|verdict| verdict.is_selected)
            .count();
        writeln!(
            f,
            "select  {}  {taken} of {} tags",
            self.name,
            verdicts.len()
        )?;
        for TagVerdict {
            tag,
            is_selected,
            why,
        } in verdicts
        {
            writeln!(
                f,
                "{}  {}:{tag}  {why}",
                if *is_selected { "take  " } else { "drop  " },
                self.repository
            )?;
        }
        Ok(())
    }
}

/// The selection as `replicator plan --json` prints it.
impl Serialize for SelectionResult {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tag = |verdict: &TagVerdict| serde_json::json!({"tag": verdict.tag, "taken": verdict.is_selected, "why": verdict.why});
        let tags: Vec<_> = self.verdicts.iter().flatten().map(tag).collect();
        let reason = self.error().map(|error| error.chain());
        serde_json::json!({"selection": self.name, "tags": tags, "reason": reason})
            .serialize(serializer)
    }
}
