//! How a registry is started, and what it says when it is ready.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::item::Item;

/// How a registry is started.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// What the registry knows of; a source holds it, a destination takes it
    #[arg(long, value_delimiter = ',')]
    pub(crate) item: Vec<Item>,
    /// `source` or `destination`
    #[arg(long)]
    pub(crate) role: String,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// A PEM file with certificate and key: speak TLS
    #[arg(long)]
    pub(crate) identity: Option<PathBuf>,
    /// A file that gets a line for each request
    #[arg(long)]
    pub(crate) timeline: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: Rules,
}

/// What a registry asks of its clients, and offers them.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Rules {
    /// Registries check the digest of every upload, at the price of their own processor time
    #[arg(long)]
    pub(crate) verify_uploads: bool,
    /// Registries mount blobs from other repositories, as they may
    #[arg(long)]
    pub(crate) mount: bool,
    /// Registries want a token, which anybody can have; the floor knows it beforehand
    #[arg(long)]
    pub(crate) tokens: bool,
}

/// Where a registry can be reached; it prints this when it is ready.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Addresses {
    pub(crate) registry: SocketAddr,
    pub(crate) control: SocketAddr,
}
