//! One copy for a tool, and the command that makes each tool do it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::item::Item;
use crate::measure::ToolCommand;

/// Variables that name directories with settings or caches of a user.
const HOME_VARIABLES: [&str; 5] = [
    "HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
];
/// Placeholders that have another value for each image.
const IMAGE_PLACEHOLDERS: [&str; 4] = ["{source}", "{destination}", "{repository}", "{tag}"];

/// One copy that a tool has to make.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) item: Item,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    /// The certificate authority to trust, a PEM file; `None` without TLS.
    pub(crate) authority: Option<PathBuf>,
    /// An empty directory, the tool's home.
    pub(crate) directory: PathBuf,
}

impl Job {
    /// `replicator sync` with a catalogue of all images.
    pub(crate) fn replicator(&self, binary: &Path, is_hashed: bool) -> Result<ToolCommand, String> {
        let catalogue = self.write("catalogue.yaml", &self.catalogue())?;
        let words = vec![
            binary.into(),
            "sync".into(),
            "--catalogue".into(),
            catalogue.into(),
        ];
        // By default replicator uses plain HTTP on loopback.
        let scheme = if self.uses_tls() { "https" } else { "http" };
        let endpoints =
            [self.source, self.destination].map(|host| format!("{host}={scheme}://{host}"));
        let hashing = if is_hashed { "here" } else { "destination" };
        let mut environment = self.environment();
        environment.extend([
            variable("REPLICATOR_REGISTRY_ENDPOINTS", endpoints.join(",")),
            variable("REPLICATOR_HASHING", hashing),
        ]);
        Ok(ToolCommand { words, environment })
    }

    /// `benches floor`.
    pub(crate) fn floor(&self, is_hashed: bool) -> Result<ToolCommand, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut words: Vec<OsString> = vec![
            program.into(),
            "floor".into(),
            "--source".into(),
            self.source.to_string().into(),
            "--destination".into(),
            self.destination.to_string().into(),
        ];
        if let Some(authority) = &self.authority {
            words.extend(["--ca".into(), authority.into()]);
        }
        if !is_hashed {
            words.push("--unhashed".into());
        }
        for (repository, tag) in self.item.names() {
            words.push(format!("{repository}:{tag}").into());
        }
        Ok(ToolCommand {
            words,
            environment: self.environment(),
        })
    }

    /// `skopeo copy` for one image. For many `skopeo sync`, which is then several times faster.
    pub(crate) fn skopeo(&self) -> Result<ToolCommand, String> {
        let names = self.item.names();
        let words = match names.as_slice() {
            [(repository, tag)] => self.skopeo_copy(&format!("{repository}:{tag}")),
            _ => self.skopeo_sync()?,
        };
        // The blob info cache of root is outside of its home, so that one run would profit from
        // another. This variable makes skopeo use the cache of a user.
        let mut environment = self.environment();
        environment.push(variable("_CONTAINERS_ROOTLESS_UID", "1000"));
        Ok(ToolCommand { words, environment })
    }

    /// A shell script with the template once per image, or once if it has no placeholder of an
    /// image.
    pub(crate) fn script(&self, template: &str) -> ToolCommand {
        let mut names = self.item.names();
        let is_per_image = IMAGE_PLACEHOLDERS
            .iter()
            .any(|placeholder| template.contains(placeholder));
        if !is_per_image {
            names.truncate(1);
        }
        let mut lines = Vec::new();
        for (repository, tag) in names {
            lines.push(self.fill(template, &repository, &tag));
        }
        ToolCommand {
            words: vec!["sh".into(), "-ec".into(), lines.join("\n").into()],
            environment: self.environment(),
        }
    }

    fn uses_tls(&self) -> bool {
        self.authority.is_some()
    }

    /// The catalogue for `replicator`.
    fn catalogue(&self) -> Value {
        let mut images = Vec::new();
        for (repository, tags) in self.repositories() {
            let image = format!("{}/{repository}", self.source);
            images.push(json!({ "image": image, "tags": tags }));
        }
        let host = self.destination.to_string();
        let registry = json!({ "host": host, "repository": "{repository}" });
        json!({
            "destinations": { "bench": { "registry": registry } },
            "defaults": { "to": ["bench"] },
            "images": images,
        })
    }

    /// Variables that give every tool an empty home and, for TLS, only the authority of this run.
    ///
    /// OpenSSL, Go and rustls read `SSL_CERT_FILE` and `SSL_CERT_DIR`. To read all certificates
    /// that the machine trusts would take longer than to copy a small image.
    fn environment(&self) -> Vec<(String, OsString)> {
        let mut environment = Vec::new();
        for name in HOME_VARIABLES {
            environment.push(variable(name, &self.directory));
        }
        if let Some(authority) = &self.authority {
            environment.push(variable("SSL_CERT_FILE", authority));
            if let Some(directory) = authority.parent() {
                environment.push(variable("SSL_CERT_DIR", directory));
            }
        }
        environment
    }

    fn skopeo_copy(&self, image: &str) -> Vec<OsString> {
        let verify = self.uses_tls();
        let words = [
            "skopeo".to_owned(),
            "copy".to_owned(),
            "--all".to_owned(),
            "--preserve-digests".to_owned(),
            format!("--src-tls-verify={verify}"),
            format!("--dest-tls-verify={verify}"),
            format!("docker://{}/{image}", self.source),
            format!("docker://{}/{image}", self.destination),
        ];
        words.map(OsString::from).into()
    }

    fn skopeo_sync(&self) -> Result<Vec<OsString>, String> {
        let verify = self.uses_tls();
        let mut images = Map::new();
        for (repository, tags) in self.repositories() {
            images.insert(repository, json!(tags));
        }
        let source = json!({ self.source.to_string(): { "tls-verify": verify, "images": images } });
        let source_path = self.write("sync.yaml", &source)?;
        // `sync` keeps only the last segment of a repository's name. This prefix is the others.
        let destination = format!("{}/{}", self.destination, self.item.name());
        let options = [
            "skopeo",
            "sync",
            "--all",
            "--preserve-digests",
            "--src",
            "yaml",
            "--dest",
            "docker",
        ];
        let mut words: Vec<OsString> = options.map(OsString::from).into();
        words.push(format!("--dest-tls-verify={verify}").into());
        words.push(source_path.into());
        words.push(destination.into());
        Ok(words)
    }

    /// Replaces all placeholders of a template.
    fn fill(&self, template: &str, repository: &str, tag: &str) -> String {
        let image = format!("{repository}:{tag}");
        let authority = match &self.authority {
            Some(path) => path.display().to_string(),
            None => String::new(),
        };
        let values = [
            ("{source}", format!("{}/{image}", self.source)),
            ("{destination}", format!("{}/{image}", self.destination)),
            ("{source_registry}", self.source.to_string()),
            ("{destination_registry}", self.destination.to_string()),
            ("{repository}", repository.to_owned()),
            ("{tag}", tag.to_owned()),
            ("{directory}", self.directory.display().to_string()),
            ("{ca}", authority),
        ];
        let mut filled = template.to_owned();
        for (placeholder, value) in values {
            filled = filled.replace(placeholder, &value);
        }
        filled
    }

    /// The tags of each repository.
    fn repositories(&self) -> Vec<(String, Vec<String>)> {
        let mut repositories: Vec<(String, Vec<String>)> = Vec::new();
        for (repository, tag) in self.item.names() {
            match repositories.last_mut() {
                Some((last, tags)) if *last == repository => tags.push(tag),
                _ => repositories.push((repository, vec![tag])),
            }
        }
        repositories
    }

    /// Writes JSON, which is also YAML, into the directory. Returns the path of the file.
    fn write(&self, name: &str, content: &Value) -> Result<PathBuf, String> {
        let path = self.directory.join(name);
        std::fs::write(&path, format!("{content:#}"))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

fn variable(name: &str, value: impl Into<OsString>) -> (String, OsString) {
    (name.to_owned(), value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(item: Item, directory: &Path) -> Job {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Job {
            item,
            source: address(1),
            destination: address(2),
            authority: Some("/ca".into()),
            directory: directory.to_owned(),
        }
    }

    #[test]
    fn a_template_is_filled_for_each_image() {
        let job = job(Item::Many, Path::new("/d"));
        let script = |template: &str| job.script(template).words[2].to_str().unwrap().to_owned();
        let copies = script("crane copy {source} {destination} {ca}");
        assert_eq!(copies.lines().count(), 200);
        assert_eq!(
            copies.lines().nth(11),
            Some("crane copy 127.0.0.1:1/many/app-01:v1 127.0.0.1:2/many/app-01:v1 /ca")
        );
        assert_eq!(
            script("sync {source_registry} {destination_registry} {directory}"),
            "sync 127.0.0.1:1 127.0.0.1:2 /d"
        );
    }

    #[test]
    fn replicator_gets_a_catalogue_and_the_endpoints() {
        let directory = tempfile::tempdir().unwrap();
        let command = job(Item::Small, directory.path())
            .replicator(Path::new("/r"), true)
            .unwrap();
        let catalogue = directory.path().join("catalogue.yaml");
        assert_eq!(command.words[1..3], ["sync", "--catalogue"]);
        let json: Value = serde_json::from_slice(&std::fs::read(catalogue).unwrap()).unwrap();
        assert_eq!(
            json["images"],
            json!([{ "image": "127.0.0.1:1/bench/small", "tags": ["v1"] }])
        );
        let endpoints = (
            "REPLICATOR_REGISTRY_ENDPOINTS".to_owned(),
            "127.0.0.1:1=https://127.0.0.1:1,127.0.0.1:2=https://127.0.0.1:2".into(),
        );
        assert!(command.environment.contains(&endpoints));
    }
}
