//! CNCF distribution: a registry, with the authentication of the registry that it imitates.

use std::{
    fs::write,
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use super::{
    process::{Process, free_address},
    tokens::TokenService,
    tools::program,
};

/// How a registry authenticates its clients.
pub enum Access<'a> {
    /// Not at all: everybody may do everything.
    Anyone,
    /// By the name and password of one user on every request, as in ECR.
    Password(&'a str, &'a str),
    /// By a bearer token of this service, as at Docker Hub.
    Tokens(&'a TokenService),
}

/// A running registry with an empty store.
#[derive(Debug)]
pub struct Distribution {
    address: SocketAddr,
    _process: Process,
    _directory: TempDir,
}

impl Distribution {
    /// Starts a registry.
    pub async fn start(access: &Access<'_>) -> Self {
        let (address, directory) = (free_address(), tempdir().expect("a directory can be made"));
        let path = directory.path().join("config.yml");
        write(
            &path,
            configuration(address, directory.path(), access).to_string(),
        )
        .expect("a file can be written");
        let mut command = Command::new(program("docker-registry"));
        let process = Process::serving(command.arg("serve").arg(path), address).await;
        Self {
            address,
            _process: process,
            _directory: directory,
        }
    }

    /// Host and port.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The configuration file. It is YAML, and JSON is valid YAML.
fn configuration(address: SocketAddr, directory: &Path, access: &Access<'_>) -> Value {
    let mut configuration = json!({
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": false}},
        "storage": {"filesystem": {"rootdirectory": directory.join("store")}},
        "http": {"addr": address.to_string(), "secret": "one replica"},
    });
    match access {
        Access::Anyone => {}
        Access::Password(user, password) => {
            let path = directory.join("htpasswd");
            write(&path, password_file(user, password)).expect("a file can be written");
            configuration["auth"] = json!({"htpasswd": {"realm": "registry", "path": path}});
        }
        Access::Tokens(service) => {
            configuration["auth"] = json!({"token": service.configuration()});
        }
    }
    configuration
}

fn password_file(user: &str, password: &str) -> Vec<u8> {
    let made = Command::new(program("htpasswd"))
        .args(["-Bbn", user, password])
        .output();
    let Output { status, stdout, .. } = made.expect("htpasswd runs");
    assert!(status.success(), "htpasswd refused");
    stdout
}
