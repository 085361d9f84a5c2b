//! The catalogue of this process, and the requests for its images.

use std::collections::BTreeSet;

use super::Replicator;
use crate::catalogue::load;
use crate::catalogue::{Catalogue, CatalogueImage, Document, Origin};
use crate::error::Error;
use crate::request::resolve;
use crate::request::{Request, Trigger};

impl Replicator {
    /// The catalogue; an error if none is configured.
    pub async fn catalogue(&self) -> Result<Catalogue, Error> {
        if self.settings.catalogue.is_none() {
            let advice = "set REPLICATOR_CATALOGUE to ssm:/path or file:PATH";
            return Err(load::invalid(advice));
        }
        self.catalogue_or_default().await
    }

    /// The catalogue; if none is configured, one without images and with the default destination.
    pub async fn catalogue_or_default(&self) -> Result<Catalogue, Error> {
        let documents = self.documents().await?;
        Catalogue::merge(&documents).map_err(load::invalid)
    }

    /// The images of `text`, a document with the catalogue's shape. What it leaves out, such as
    /// destinations, is the catalogue's.
    pub async fn inline_catalogue(&self, text: &str) -> Result<Catalogue, Error> {
        let event = Document::parse("event", text).map_err(load::invalid)?;
        let documents = self.documents().await?;
        Catalogue::with_event(&documents, &event).map_err(load::invalid)
    }

    async fn documents(&self) -> Result<Vec<Document>, Error> {
        match &self.settings.catalogue {
            Some(location) => load::documents(location, &self.aws).await,
            None => Ok(Vec::new()),
        }
    }

    /// The requests for `images`, with their targets.
    pub async fn requests(
        &self,
        catalogue: &Catalogue,
        images: &[CatalogueImage],
        trigger: &Trigger,
    ) -> Vec<Request> {
        let mut names: BTreeSet<&String> = BTreeSet::new();
        for image in images {
            names.extend(&image.options.to);
        }
        for origin in &catalogue.origins {
            if let Origin::Destination(name) = origin {
                names.insert(name);
            }
        }
        let known = |name: &String| catalogue.destinations.get(name);
        let destinations = names.into_iter().filter_map(known);
        let roots = self.destination_roots(destinations).await;
        resolve::requests(catalogue, images, &roots, trigger)
    }
}
