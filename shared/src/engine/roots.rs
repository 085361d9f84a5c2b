//! The roots of the destinations: the registry of each, and the prefix of its repository names.

use super::Replicator;
use crate::catalogue::{Destination, DestinationKind};
use crate::error::{Cause, Error, Side};
use crate::image::host::{ECR_PUBLIC, Host, ecr_host};
use crate::image::reference::RepositoryRef;
use crate::request::DestinationRoots;

impl Replicator {
    /// The root of each of `destinations`, or why it cannot be found.
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

    /// The registry of `destination`, and the prefix of all repository names there. Where the
    /// catalogue names no account, region or alias, our own is used.
    async fn root(&self, destination: &Destination) -> Result<RepositoryRef, Error> {
        let registry = match &destination.kind {
            DestinationKind::Registry { host } => host.clone(),
            DestinationKind::EcrPublic { alias } => {
                return self.public_root(alias.as_deref()).await;
            }
            DestinationKind::Ecr { account, region } => {
                let account = account.as_deref();
                let region = region.as_deref();
                self.ecr_registry(account, region).await?
            }
        };
        let path = String::new();
        Ok(RepositoryRef { registry, path })
    }

    async fn public_root(&self, alias: Option<&str>) -> Result<RepositoryRef, Error> {
        let path = match alias {
            Some(alias) => alias.to_owned(),
            None => self.aws.public_registry().await?.alias.clone(),
        };
        let registry = ECR_PUBLIC.to_owned();
        Ok(RepositoryRef { registry, path })
    }

    /// The host of the private registry of `account` in `region`. Our own replace what is `None`.
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

    /// The host of our own registry. ECR returns it with the authorization token, which is needed
    /// anyway.
    async fn own_ecr_registry(&self, region: &str) -> Result<String, Error> {
        let host = self.keychain.own_ecr_host(region).await?;
        if let Some(host) = host
            && is_ecr(&host)
        {
            return Ok(host);
        }
        let action = format!("find the ECR registry of {region}");
        let error = Error::new(Side::Destination, Cause::Unexpected, action);
        Err(error.because("the token names no registry; give `account` in the catalogue"))
    }
}

fn is_ecr(host: &str) -> bool {
    matches!(Host::parse(host), Host::Ecr { .. })
}
