//! The two registries of a comparison, and the network in front of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::certificates::Certificates;
use crate::http::{Connection, Origin};
use crate::item::Item;
use crate::network::Network;
use crate::process::Process;
use crate::registry::{Addresses, Counts, RepositoryContent, Rules};
use crate::wan::Distance;

/// How to set up a world.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) network: Network,
    pub(crate) items: Vec<Item>,
    pub(crate) rules: Rules,
    pub(crate) distance: Distance,
    pub(crate) timeline: Option<PathBuf>,
}

/// Two registries, and the proxy in front of them if the network is remote.
pub(crate) struct World {
    pub(crate) source: Registry,
    pub(crate) destination: Registry,
    pub(crate) network: Network,
    /// The certificate authority that a client must trust, a PEM file; `None` without TLS.
    pub(crate) authority: Option<PathBuf>,
    _proxy: Option<Process>,
}

/// A running registry.
pub(crate) struct Registry {
    /// The address for tools: the proxy's, if there is one.
    pub(crate) address: SocketAddr,
    /// The address of the control port, through which the harness resets and reads the registry.
    pub(crate) control_address: SocketAddr,
    _process: Process,
}

impl World {
    /// Starts all processes. Certificates are written into `directory`.
    pub(crate) fn start(setup: &Setup, directory: &Path) -> Result<Self, String> {
        let certificates = if setup.network.uses_tls() {
            Some(Certificates::make(directory)?)
        } else {
            None
        };
        let identity = certificates.as_ref().map(|files| files.identity.as_path());
        let mut source = Registry::start(setup, "source", identity)?;
        let mut destination = Registry::start(setup, "destination", identity)?;
        let mut proxy = None;
        if setup.network.is_remote() {
            let servers = [source.address, destination.address];
            let (process, addresses) = start_proxy(setup.distance, servers)?;
            [source.address, destination.address] = addresses;
            proxy = Some(process);
        }
        Ok(Self {
            source,
            destination,
            network: setup.network,
            authority: certificates.map(|files| files.authority),
            _proxy: proxy,
        })
    }

    /// Restores the initial state: an empty destination, the original tags at the source, and no
    /// counts.
    pub(crate) fn reset(&self) -> Result<(), String> {
        self.source.post("/reset", "")?;
        self.destination.post("/reset", "")
    }

    /// Sets the counts of both registries to zero.
    pub(crate) fn reset_counts(&self) -> Result<(), String> {
        self.source.post("/counts/reset", "")?;
        self.destination.post("/counts/reset", "")
    }

    /// Connects to `registry` as a tool would.
    pub(crate) fn connect(&self, registry: &Registry) -> Result<Connection, String> {
        let origin = Origin::new(registry.address, self.authority.as_deref())?;
        origin
            .connect()
            .map_err(|error| format!("cannot connect to {}: {error}", registry.address))
    }
}

impl Registry {
    fn start(setup: &Setup, role: &str, identity: Option<&Path>) -> Result<Self, String> {
        let arguments = arguments(setup, role, identity);
        let (process, addresses): (Process, Addresses) = Process::start(&arguments)?;
        Ok(Self {
            address: addresses.registry,
            control_address: addresses.control,
            _process: process,
        })
    }

    /// The number of requests since the last reset.
    pub(crate) fn counts(&self) -> Result<Counts, String> {
        self.get("/counts")
    }

    /// What each repository holds.
    pub(crate) fn content(&self) -> Result<BTreeMap<String, RepositoryContent>, String> {
        self.get("/content")
    }

    /// Sends a command to the control port.
    pub(crate) fn post(&self, path: &str, body: &str) -> Result<(), String> {
        self.control("POST", path, body)?;
        Ok(())
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let bytes = self.control("GET", path, "")?;
        serde_json::from_slice(&bytes).map_err(|error| format!("control port: {path}: {error}"))
    }

    fn control(&self, method: &str, path: &str, body: &str) -> Result<Vec<u8>, String> {
        let origin = Origin::new(self.control_address, None)?;
        let media_type = "text/plain; charset=utf-8";
        let response = origin.connect().and_then(|mut connection| {
            connection.request(method, path, media_type, body.as_bytes())
        });
        let (_, bytes) = response.map_err(|error| format!("control port: {error}"))?;
        Ok(bytes)
    }
}

/// The command line of a registry.
fn arguments(setup: &Setup, role: &str, identity: Option<&Path>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["registry".into(), "--role".into(), role.into()];
    for item in &setup.items {
        arguments.extend(["--item".into(), item.name().into()]);
    }
    if let Some(identity) = identity {
        arguments.extend(["--identity".into(), identity.into()]);
    }
    if let Some(timeline) = &setup.timeline {
        arguments.extend(["--timeline".into(), timeline.into()]);
    }
    let flags = [
        ("--verify-uploads", setup.rules.verify_uploads),
        ("--mount", setup.rules.mount),
        ("--tokens", setup.rules.tokens),
    ];
    for (flag, is_set) in flags {
        if is_set {
            arguments.push(flag.into());
        }
    }
    arguments
}

/// Starts the proxy. Returns its address for each of `servers`.
fn start_proxy(
    distance: Distance,
    servers: [SocketAddr; 2],
) -> Result<(Process, [SocketAddr; 2]), String> {
    let arguments = [
        "proxy".to_owned(),
        "--to".to_owned(),
        servers.map(|server| server.to_string()).join(","),
        "--round-trip-ms".to_owned(),
        distance.round_trip_ms.to_string(),
        "--bytes-per-second".to_owned(),
        distance.bytes_per_second.to_string(),
    ];
    Process::start(&arguments.map(OsString::from))
}
