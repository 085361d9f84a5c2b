//! Selections: which tags selectors take, once the tag lists of their repositories are known.

mod result;

use std::collections::BTreeMap;

pub use result::SelectionResult;

use super::{Catalogue, Options, Selector, TagVerdict};
use crate::error::Error;
use crate::image::reference::{ImageRef, RepositoryRef};

/// Tags of a repository that are mirrored without being named.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Which tags.
    pub selector: Selector,
    /// How they are mirrored.
    pub options: Options,
}

/// The tags of each repository, or the error of listing them.
pub type TagLists = BTreeMap<RepositoryRef, Result<Vec<String>, Error>>;

impl Selection {
    /// The name of a selection from `repository`: `docker.io/library/nginx:{glob 1.27.*}`.
    pub fn name(&self, repository: &RepositoryRef) -> String {
        format!("{repository}:{}", self.selector)
    }
}

impl Catalogue {
    /// Adds the tags that the selections take from `lists` to the images. Returns a result for each
    /// selection too.
    ///
    /// An image that is also named, or is taken twice, goes to all destinations of both. A selection
    /// whose repository could not be listed is kept, so that no other image gets its targets.
    pub fn expand(mut self, lists: &TagLists) -> (Self, Vec<SelectionResult>) {
        let mut images = self.named.clone();
        let mut results = Vec::new();
        for (repository, selections) in std::mem::take(&mut self.selections) {
            let list = lists
                .get(&repository)
                .expect("each repository with a selection was listed");
            for selection in &selections {
                let result = self.apply(selection, &repository, list);
                for image in result.selected_images() {
                    self.selected.insert(image.clone());
                    images
                        .entry(image)
                        .and_modify(|known| known.join(&selection.options))
                        .or_insert_with(|| selection.options.clone());
                }
                results.push(result);
            }
            if list.is_err() {
                self.selections.insert(repository, selections);
            }
        }
        self.images = self.sort_images(images);
        (self, results)
    }

    fn apply(
        &self,
        selection: &Selection,
        repository: &RepositoryRef,
        list: &Result<Vec<String>, Error>,
    ) -> SelectionResult {
        let verdicts = match list {
            Ok(tags) => Ok(self.judge(repository, selection, tags)),
            Err(error) => Err(error.clone()),
        };
        SelectionResult {
            name: selection.name(repository),
            repository: repository.clone(),
            verdicts,
        }
    }

    /// The selector's verdicts. Those on dropped tags mention that the catalogue names the tag.
    fn judge(
        &self,
        repository: &RepositoryRef,
        selection: &Selection,
        tags: &[String],
    ) -> Vec<TagVerdict> {
        let mut verdicts = selection.selector.judge(tags);
        for verdict in &mut verdicts {
            let image = ImageRef::new(repository.clone(), &verdict.tag);
            if !verdict.is_selected && image.is_ok_and(|image| self.is_named(&image)) {
                verdict.why.push_str("; the catalogue names it");
            }
        }
        verdicts
    }

    /// The images that selections may take to `path` and `tag` at the destination `name`.
    pub fn selectable_at(
        &self,
        name: &str,
        path: &str,
        tag: &str,
    ) -> impl Iterator<Item = ImageRef> {
        self.selections
            .iter()
            .filter_map(move |(repository, selections)| {
                let mut candidates = selections
                    .iter()
                    .filter(|selection| self.goes_to(selection, name))
                    .peekable();
                candidates.peek()?;
                let destination = self.destinations.get(name)?;
                let image = destination.find_image_of(repository, path, tag)?;
                let is_admitted =
                    candidates.any(|selection| selection.selector.admits(image.tag()));
                is_admitted.then_some(image)
            })
    }

    fn goes_to(&self, selection: &Selection, name: &str) -> bool {
        let to = &selection.options.to;
        let to = if to.is_empty() { &self.default_to } else { to };
        to.iter().any(|known| known == name)
    }

    /// Another image than `image` that a selection may take to its target at the destination `name`.
    /// What a catalogue names itself has precedence over what its selections may take.
    pub fn competing_image(&self, name: &str, image: &ImageRef) -> Option<ImageRef> {
        let competitors: Vec<&Self> = self
            .with_bases()
            .filter(|catalogue| !catalogue.selections.is_empty() && !catalogue.is_named(image))
            .collect();
        if competitors.is_empty() {
            return None;
        }
        let (path, tag) = self.destinations.get(name)?.target_name(image).ok()?;
        let mut others = competitors
            .into_iter()
            .flat_map(|catalogue| catalogue.selectable_at(name, &path, &tag));
        others.find(|other| other != image)
    }
}
