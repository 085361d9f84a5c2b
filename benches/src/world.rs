//! The two registries of a network, as a tool reaches them.

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
use crate::registry::{Addresses, Counts, KnownContent, Rules};
use crate::wan::Distance;

/// What a world is made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) network: Network,
    pub(crate) items: Vec<Item>,
    pub(crate) rules: Rules,
    pub(crate) distance: Distance,
    pub(crate) timeline: Option<PathBuf>,
}

/// Two registries, and what lies before them.
pub(crate) struct World {
    pub(crate) source: Registry,
    pub(crate) destination: Registry,
    pub(crate) network: Network,
    /// What a client has to trust, a PEM file, where TLS is spoken.
    pub(crate) authority: Option<PathBuf>,
    _proxy: Option<Process>,
}

/// A registry of this world.
pub(crate) struct Registry {
    /// Where a tool reaches it.
    pub(crate) address: SocketAddr,
    control: SocketAddr,
    _process: Process,
}

impl World {
    /// Starts everything that `plan` says; `directory` is for certificates.
    pub(crate) fn start(plan: &Plan, directory: &Path) -> Result<Self, String> {
        let certificates = plan
            .network
            .is_secured()
            .then(|| Certificates::make(directory))
            .transpose()?;
        let identity = certificates.as_ref().map(|files| files.identity.as_path());
        let mut source = Registry::start(plan, "source", identity)?;
        let mut destination = Registry::start(plan, "destination", identity)?;
        let mut proxy = None;
        if plan.network.is_far() {
            let (process, [to_source, to_destination]) =
                start_proxy(plan.distance, [&source, &destination])?;
            (source.address, destination.address, proxy) =
                (to_source, to_destination, Some(process));
        }
        let authority = certificates.map(|files| files.authority);
        Ok(Self {
            source,
            destination,
            network: plan.network,
            authority,
            _proxy: proxy,
        })
    }

    /// As it was at the start: nothing at the destination, no tag moved, nothing counted.
    pub(crate) fn reset(&self) -> Result<(), String> {
        self.source.tell("/reset", "")?;
        self.destination.tell("/reset", "")
    }

    /// Counts from nothing, on both sides.
    pub(crate) fn forget_counts(&self) -> Result<(), String> {
        self.source.tell("/counts/reset", "")?;
        self.destination.tell("/counts/reset", "")
    }

    /// A connection as a tool would make it.
    pub(crate) fn connect(&self, registry: &Registry) -> Result<Connection, String> {
        let origin = Origin::new(registry.address, self.authority.as_deref())?;
        origin
            .connect()
            .map_err(|error| format!("{}: {error}", registry.address))
    }
}

impl Registry {
    fn start(plan: &Plan, role: &str, identity: Option<&Path>) -> Result<Self, String> {
        let mut arguments: Vec<OsString> = ["registry", "--role", role].map(OsString::from).into();
        for item in &plan.items {
            arguments.extend(["--item", item.name()].map(OsString::from));
        }
        let files = [
            ("--identity", identity),
            ("--timeline", plan.timeline.as_deref()),
        ];
        for (option, path) in files
            .into_iter()
            .filter_map(|(option, path)| Some((option, path?)))
        {
            arguments.extend([option.into(), path.into()]);
        }
        let rules = [
            ("--verify-uploads", plan.rules.verify_uploads),
            ("--mount", plan.rules.mount),
            ("--tokens", plan.rules.tokens),
        ];
        arguments.extend(
            rules
                .into_iter()
                .filter(|(_, is_on)| *is_on)
                .map(|(rule, _)| rule.into()),
        );
        let (process, addresses): (Process, Addresses) = Process::start(&arguments)?;
        Ok(Self {
            address: addresses.registry,
            control: addresses.control,
            _process: process,
        })
    }

    /// Where the harness resets and reads it.
    pub(crate) fn control_address(&self) -> SocketAddr {
        self.control
    }

    pub(crate) fn counts(&self) -> Result<Counts, String> {
        self.read("/counts")
    }

    pub(crate) fn known_content(&self) -> Result<BTreeMap<String, KnownContent>, String> {
        self.read("/known_content")
    }

    fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let bytes = self.control("GET", path, "")?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{path}: {error}"))
    }

    /// Has the control port do something.
    pub(crate) fn tell(&self, path: &str, body: &str) -> Result<(), String> {
        self.control("POST", path, body).map(|_| ())
    }

    fn control(&self, method: &str, path: &str, body: &str) -> Result<Vec<u8>, String> {
        let connection = Origin::new(self.control, None)?.connect();
        let answer = connection.and_then(|mut connection| {
            connection.ask(method, path, "text/plain; charset=utf-8", body.as_bytes())
        });
        answer
            .map(|(_, bytes)| bytes)
            .map_err(|error| format!("the control port: {error}"))
    }
}

fn start_proxy(
    distance: Distance,
    registries: [&Registry; 2],
) -> Result<(Process, [SocketAddr; 2]), String> {
    let servers = registries
        .map(|registry| registry.address.to_string())
        .join(",");
    let arguments = [
        "proxy".to_owned(),
        "--to".to_owned(),
        servers,
        "--round-trip-ms".to_owned(),
        distance.round_trip_ms.to_string(),
        "--bytes-per-second".to_owned(),
        distance.bytes_per_second.to_string(),
    ];
    Process::start(&arguments.map(OsString::from))
}
