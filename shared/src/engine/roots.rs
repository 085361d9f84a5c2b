//! Where the images of each destination are.

use super::Replicator;
use crate::catalogue::{Destination, DestinationKind};
use crate::error::{Cause, Error, Side};
use crate::image::host::{ECR_PUBLIC, Host, ecr_host};
use crate::image::reference::RepositoryRef;
use crate::request::DestinationRoots;

impl Replicator {
    /// Where the images of each of `destinations` are.
    pub async fn destination_roots(
        &self,
        destinations: impl Iterator<Item = &Destination>,
    ) -> DestinationRoots {
        let mut roots = DestinationRoots::new();
        for destination in destinations {
            let root = self.root(destination).await;
            roots.insert(destination.name.clone(), root);
        }
        roots
    }

    /// The registry of `destination`, and what all names there begin with. What the catalogue leaves
    /// out is this account's.
    async fn root(&self, destination: &Destination) -> Result<RepositoryRef, Error> {
        let (registry, path) = match &destination.kind {
            DestinationKind::Registry { host } => (host.clone(), String::new()),
            DestinationKind::EcrPublic { alias: Some(alias) } => {
                (ECR_PUBLIC.to_owned(), alias.clone())
            }
            DestinationKind::EcrPublic { alias: None } => {
                let registry = self.aws.public_registry().await?;
                (ECR_PUBLIC.to_owned(), registry.alias.clone())
            }
            DestinationKind::Ecr { account, region } => {
                let host = self.ecr_registry(account.as_deref(), region.as_deref());
                (host.await?, String::new())
            }
        };
        Ok(RepositoryRef { registry, path })
    }

    /// The host of the private registry of `account` in `region`; what is absent is our own.
    pub async fn ecr_registry(
        &self,
        account: Option<&str>,
        region: Option<&str>,
    ) -> Result<String, Error> {
        let region = match region {
            Some(region) => region.to_owned(),
            None => self.aws.region().await?,
        };
        match account {
            Some(account) => Ok(ecr_host(account, &region)),
            None => self.own_ecr_registry(&region).await,
        }
    }

    /// The account's own registry is named beside its token, which is needed anyway.
    async fn own_ecr_registry(&self, region: &str) -> Result<String, Error> {
        match self.keychain.own_ecr_host(region).await? {
            Some(host) if matches!(Host::parse(&host), Host::Ecr { .. }) => Ok(host),
            _ => {
                let action = format!("find the ECR registry of {region}");
                let error = Error::new(Side::Destination, Cause::Unexpected, action);
                Err(error.because("the token names no registry; give `account` in the catalogue"))
            }
        }
    }
}
