//! The options of a registry, and the addresses that it prints.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::item::Item;

/// The options of a registry.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Items that a source holds and a destination accepts
    #[arg(long, value_delimiter = ',')]
    pub(crate) item: Vec<Item>,
    /// `source` or `destination`
    #[arg(long)]
    pub(crate) role: String,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Use TLS with the certificate and key in this PEM file
    #[arg(long)]
    pub(crate) identity: Option<PathBuf>,
    /// Append a line for each request to this file
    #[arg(long)]
    pub(crate) timeline: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: Rules,
}

/// How the registries treat their clients.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Rules {
    /// Verify the digest of every upload, which costs the registries processor time
    #[arg(long)]
    pub(crate) verify_uploads: bool,
    /// Mount blobs from other repositories on request
    #[arg(long)]
    pub(crate) mount: bool,
    /// Require a token, which every client can get; the floor knows it in advance
    #[arg(long)]
    pub(crate) tokens: bool,
}

/// The addresses of a registry, which it prints when it is ready.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Addresses {
    pub(crate) registry: SocketAddr,
    pub(crate) control: SocketAddr,
}
