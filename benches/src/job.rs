//! One copy that a tool has to make, and how each tool is told of it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::item::Item;
use crate::measure::Call;

/// One copy that a tool has to make.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) item: Item,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    /// What to trust, where TLS is spoken.
    pub(crate) authority: Option<PathBuf>,
    /// An empty directory, the tool's home.
    pub(crate) directory: PathBuf,
}

impl Job {
    /// `replicator sync` of a catalogue with all images.
    pub(crate) fn replicator(&self, program: &Path, is_hashed: bool) -> Result<Call, String> {
        let images = self.repositories().into_iter();
        let image = |(repository, tags)| json!({ "image": format!("{}/{repository}", self.source), "tags": tags });
        let place = json!({ "host": self.destination.to_string(), "repository": "{repository}" });
        let catalogue = json!({
            "destinations": { "bench": { "registry": place } },
            "defaults": { "to": ["bench"] },
            "images": images.map(image).collect::<Vec<_>>(),
        });
        let catalogue = self.write("catalogue.yaml", &catalogue)?;
        let command = vec![
            program.into(),
            "sync".into(),
            "--catalogue".into(),
            catalogue.into(),
        ];
        // It takes loopback for plain HTTP unless it is told otherwise.
        let scheme = if self.authority.is_some() {
            "https"
        } else {
            "http"
        };
        let endpoints =
            [self.source, self.destination].map(|host| format!("{host}={scheme}://{host}"));
        let hashing = if is_hashed { "here" } else { "destination" };
        let settings = [
            ("REPLICATOR_REGISTRY_ENDPOINTS", &*endpoints.join(",")),
            ("REPLICATOR_HASHING", hashing),
        ];
        Ok(self.call(command, &settings))
    }

    /// This program as the floor.
    pub(crate) fn floor(&self, is_hashed: bool) -> Result<Call, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command: Vec<OsString> = vec![program.into(), "floor".into()];
        command.extend(["--source", &self.source.to_string()].map(OsString::from));
        command.extend(["--destination", &self.destination.to_string()].map(OsString::from));
        command.extend(
            self.authority
                .iter()
                .flat_map(|path| ["--ca".into(), path.into()]),
        );
        command.extend((!is_hashed).then(|| "--unhashed".into()));
        command.extend(
            self.item
                .names()
                .into_iter()
                .map(|(repository, tag)| format!("{repository}:{tag}").into()),
        );
        Ok(self.call(command, &[]))
    }

    /// One image by `skopeo copy`, many by `skopeo sync`, which is several times faster for them.
    pub(crate) fn skopeo(&self) -> Result<Call, String> {
        let names = self.item.names();
        let command = match names.as_slice() {
            [(repository, tag)] => self.skopeo_copy(&format!("{repository}:{tag}")),
            _ => self.skopeo_sync()?,
        };
        // Root's cache of what is where is outside of its home, and one run must not know of another: so root is treated as a user.
        Ok(self.call(command, &[("_CONTAINERS_ROOTLESS_UID", "1000")]))
    }

    /// The template once for each image, or once if it names none.
    pub(crate) fn script(&self, template: &str) -> Call {
        let names = self.item.names();
        let placeholders = ["{source}", "{destination}", "{repository}", "{tag}"];
        let is_of_an_image = placeholders
            .iter()
            .any(|placeholder| template.contains(placeholder));
        let wanted = if is_of_an_image {
            names.as_slice()
        } else {
            &names[..1]
        };
        let lines = wanted
            .iter()
            .map(|(repository, tag)| self.fill(template, repository, tag));
        let script = lines.collect::<Vec<_>>().join("\n");
        self.call(vec!["sh".into(), "-ec".into(), script.into()], &[])
    }

    /// Every tool finds a home without caches or settings, and the authority where OpenSSL's users look, as Go and rustls do, with no
    /// other beside it: to read all that this machine trusts takes longer than to copy a small image.
    fn call(&self, command: Vec<OsString>, more: &[(&str, &str)]) -> Call {
        let home = [
            "HOME",
            "XDG_DATA_HOME",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_RUNTIME_DIR",
        ];
        let home = home.map(|name| (name.to_owned(), self.directory.clone().into()));
        let file_and_directory = self.authority.iter().flat_map(|file| file.ancestors());
        let trust = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
            .into_iter()
            .zip(file_and_directory);
        let trust = trust.map(|(name, path)| (name.to_owned(), path.into()));
        let more = more
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.into()));
        Call {
            command,
            environment: home.into_iter().chain(trust).chain(more).collect(),
        }
    }

    fn skopeo_copy(&self, image: &str) -> Vec<OsString> {
        let (verify, source, destination) =
            (self.authority.is_some(), self.source, self.destination);
        let words = [
            format!("--src-tls-verify={verify}"),
            format!("--dest-tls-verify={verify}"),
            format!("docker://{source}/{image}"),
            format!("docker://{destination}/{image}"),
        ];
        let copy = ["skopeo", "copy", "--all", "--preserve-digests"].map(OsString::from);
        copy.into_iter().chain(words.map(OsString::from)).collect()
    }

    fn skopeo_sync(&self) -> Result<Vec<OsString>, String> {
        let verify = self.authority.is_some();
        let images: Map<String, Value> = self
            .repositories()
            .into_iter()
            .map(|(repository, tags)| (repository, json!(tags)))
            .collect();
        let source = json!({ self.source.to_string(): { "tls-verify": verify, "images": images } });
        let source = self.write("sync.yaml", &source)?;
        let verify = format!("--dest-tls-verify={verify}");
        // Below the destination, `sync` keeps the last part of a repository's name alone.
        let destination = format!("{}/{}", self.destination, self.item.name());
        let sync = [
            "skopeo",
            "sync",
            "--all",
            "--preserve-digests",
            "--src",
            "yaml",
            "--dest",
            "docker",
            &verify,
        ];
        Ok(sync
            .map(OsString::from)
            .into_iter()
            .chain([source.into(), destination.into()])
            .collect())
    }

    fn fill(&self, template: &str, repository: &str, tag: &str) -> String {
        let authority = self
            .authority
            .as_ref()
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        template
            .replace("{source}", &format!("{}/{repository}:{tag}", self.source))
            .replace(
                "{destination}",
                &format!("{}/{repository}:{tag}", self.destination),
            )
            .replace("{source_registry}", &self.source.to_string())
            .replace("{destination_registry}", &self.destination.to_string())
            .replace("{repository}", repository)
            .replace("{tag}", tag)
            .replace("{directory}", &self.directory.display().to_string())
            .replace("{ca}", &authority)
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

    /// Writes JSON, which is also YAML.
    fn write(&self, name: &str, content: &Value) -> Result<PathBuf, String> {
        let path = self.directory.join(name);
        std::fs::write(&path, format!("{content:#}"))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(item: Item, directory: &Path) -> Job {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (source, destination) = (address(1), address(2));
        Job {
            item,
            source,
            destination,
            authority: Some("/ca".into()),
            directory: directory.to_owned(),
        }
    }

    #[test]
    fn a_template_is_filled_for_each_image() {
        let job = job(Item::Many, Path::new("/d"));
        let script = |template: &str| job.script(template).command[2].to_str().unwrap().to_owned();
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
    fn replicator_is_told_by_a_catalogue_where_the_images_are() {
        let directory = tempfile::tempdir().unwrap();
        let call = job(Item::Small, directory.path())
            .replicator(Path::new("/r"), true)
            .unwrap();
        let catalogue = directory.path().join("catalogue.yaml");
        assert_eq!(call.command[1..3], ["sync", "--catalogue"]);
        let json: Value = serde_json::from_slice(&std::fs::read(catalogue).unwrap()).unwrap();
        assert_eq!(
            json["images"],
            json!([{ "image": "127.0.0.1:1/bench/small", "tags": ["v1"] }])
        );
        let endpoints = (
            "REPLICATOR_REGISTRY_ENDPOINTS".to_owned(),
            "127.0.0.1:1=https://127.0.0.1:1,127.0.0.1:2=https://127.0.0.1:2".into(),
        );
        assert!(call.environment.contains(&endpoints));
    }
}
