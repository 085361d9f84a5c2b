//! The tools that are compared, and how each is told what to copy.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::item::{Item, Step};
use crate::measure::Call;

/// A way to copy images from one registry to another.
#[derive(Clone, Debug)]
pub(crate) enum Tool {
    /// The release binary of this repository.
    Replicator(PathBuf),
    /// The floor, with or without hashing.
    Floor { is_hashed: bool },
    /// Debian's skopeo.
    Skopeo,
    /// Any other, by its command line.
    Other { name: String, template: String },
}

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

impl Tool {
    /// `NAME=COMMAND LINE`, as on the command line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, template) = text.split_once('=').ok_or("it is not NAME=COMMAND LINE")?;
        if name.is_empty() || template.trim().is_empty() {
            return Err("it is not NAME=COMMAND LINE".to_owned());
        }
        Ok(Self::Other { name: name.to_owned(), template: template.to_owned() })
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Replicator(_) => "replicator",
            Self::Floor { is_hashed: true } => "floor",
            Self::Floor { is_hashed: false } => "floor, unhashed",
            Self::Skopeo => "skopeo",
            Self::Other { name, .. } => name,
        }
    }

    /// Whether the tool can do this step: the floor looks for nothing, so that it knows no difference to a cold copy.
    pub(crate) fn takes(&self, step: Step) -> bool {
        !matches!(self, Self::Floor { .. }) || step == Step::Cold
    }

    /// The command that does `job`; files that it needs are written into the job's directory.
    pub(crate) fn call(&self, job: &Job) -> Result<Call, String> {
        let mut environment = job.environment();
        let command = match self {
            Self::Replicator(program) => {
                environment.push(("REPLICATOR_REGISTRY_ENDPOINTS".to_owned(), job.endpoints().into()));
                let catalogue = job.write("catalogue.yaml", &job.catalogue())?;
                vec![program.into(), "sync".into(), "--catalogue".into(), catalogue.into()]
            }
            Self::Floor { is_hashed } => job.floor(*is_hashed)?,
            Self::Skopeo => job.skopeo()?,
            Self::Other { template, .. } => vec!["sh".into(), "-ec".into(), job.script(template).into()],
        };
        Ok(Call { command, environment })
    }
}

impl Job {
    /// Every tool finds a home without caches or settings, and the authority where OpenSSL's users look for it, as Go and rustls do.
    fn environment(&self) -> Vec<(String, OsString)> {
        let home = ["HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"];
        let home = home.into_iter().map(|name| (name.to_owned(), self.directory.clone().into()));
        let trust = self.authority.iter().map(|path| ("SSL_CERT_FILE".to_owned(), path.into()));
        home.chain(trust).collect()
    }

    fn scheme(&self) -> &'static str {
        if self.authority.is_some() { "https" } else { "http" }
    }

    /// Loopback is plain HTTP for `replicator` unless it is told otherwise.
    fn endpoints(&self) -> String {
        let scheme = self.scheme();
        [self.source, self.destination].map(|host| format!("{host}={scheme}://{host}")).join(",")
    }

    /// The catalogue of `replicator`: YAML, of which JSON is a part.
    fn catalogue(&self) -> Value {
        let images = self.repositories().into_iter();
        let images =
            images.map(|(repository, tags)| json!({ "image": format!("{}/{repository}", self.source), "tags": tags }));
        json!({
            "destinations": { "bench": { "registry": { "host": self.destination.to_string(), "repository": "{repository}" } } },
            "defaults": { "to": ["bench"] },
            "images": images.collect::<Vec<_>>(),
        })
    }

    fn floor(&self, is_hashed: bool) -> Result<Vec<OsString>, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command: Vec<OsString> = vec![program.into(), "floor".into()];
        command.extend(["--source".to_owned(), self.source.to_string()].map(OsString::from));
        command.extend(["--destination".to_owned(), self.destination.to_string()].map(OsString::from));
        command.extend(self.authority.iter().flat_map(|path| ["--ca".into(), path.into()]));
        command.extend((!is_hashed).then(|| "--unhashed".into()));
        command.extend(self.item.names().into_iter().map(|(repository, tag)| format!("{repository}:{tag}").into()));
        Ok(command)
    }

    /// One image by `copy`, many by `sync`, which does them in one process.
    fn skopeo(&self) -> Result<Vec<OsString>, String> {
        let is_secured = self.authority.is_some();
        if let [(repository, tag)] = self.item.names().as_slice() {
            return Ok([
                "skopeo".to_owned(),
                "copy".to_owned(),
                "--all".to_owned(),
                "--preserve-digests".to_owned(),
                format!("--src-tls-verify={is_secured}"),
                format!("--dest-tls-verify={is_secured}"),
                format!("docker://{}/{repository}:{tag}", self.source),
                format!("docker://{}/{repository}:{tag}", self.destination),
            ]
            .map(OsString::from)
            .into());
        }
        let repositories: serde_json::Map<String, Value> =
            self.repositories().into_iter().map(|(repository, tags)| (repository, json!(tags))).collect();
        let source = json!({ self.source.to_string(): { "tls-verify": is_secured, "images": repositories } });
        let source = self.write("sync.yaml", &source)?;
        let verify = format!("--dest-tls-verify={is_secured}");
        let mut command: Vec<OsString> =
            ["skopeo", "sync", "--all", "--preserve-digests", "--src", "yaml", "--dest", "docker", &verify]
                .map(OsString::from)
                .into();
        // Below the destination, `sync` keeps the last part of a repository's name alone.
        command.extend([source.into(), format!("{}/{}", self.destination, self.item.name()).into()]);
        Ok(command)
    }

    /// The template once for each image, or once if it names none.
    fn script(&self, template: &str) -> String {
        let names = self.item.names();
        let is_of_an_image =
            ["{source}", "{destination}", "{repository}", "{tag}"].iter().any(|name| template.contains(name));
        let wanted = if is_of_an_image { names.as_slice() } else { &names[..1] };
        let lines: Vec<String> = wanted.iter().map(|(repository, tag)| self.fill(template, repository, tag)).collect();
        lines.join("\n")
    }

    fn fill(&self, template: &str, repository: &str, tag: &str) -> String {
        let authority = self.authority.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        template
            .replace("{source}", &format!("{}/{repository}:{tag}", self.source))
            .replace("{destination}", &format!("{}/{repository}:{tag}", self.destination))
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

    fn write(&self, name: &str, content: &Value) -> Result<PathBuf, String> {
        let path: &Path = &self.directory.join(name);
        std::fs::write(path, format!("{content:#}")).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(item: Item, directory: &Path) -> Job {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (source, destination) = (address(1), address(2));
        Job { item, source, destination, authority: Some("/ca".into()), directory: directory.to_owned() }
    }

    #[test]
    fn a_template_is_filled_for_each_image() {
        let job = job(Item::Many, Path::new("/d"));
        let script = job.script("crane copy {source} {destination} {ca}");
        assert_eq!(script.lines().count(), 200);
        assert_eq!(
            script.lines().nth(11),
            Some("crane copy 127.0.0.1:1/many/app-01:v1 127.0.0.1:2/many/app-01:v1 /ca")
        );
        assert_eq!(
            job.script("sync {source_registry} {destination_registry} {directory}"),
            "sync 127.0.0.1:1 127.0.0.1:2 /d"
        );
    }

    #[test]
    fn a_tool_has_a_name_and_a_command_line() {
        let tool = Tool::parse("crane=crane copy --insecure {source} {destination}").unwrap();
        assert_eq!(tool.name(), "crane");
        assert!(Tool::parse("crane").is_err() && Tool::parse("=crane").is_err() && Tool::parse("crane= ").is_err());
    }

    #[test]
    fn replicator_is_told_by_a_catalogue_where_the_images_are() {
        let directory = tempfile::tempdir().unwrap();
        let call = Tool::Replicator("/r".into()).call(&job(Item::Small, directory.path())).unwrap();
        let catalogue = directory.path().join("catalogue.yaml");
        assert_eq!(call.command[1..3], ["sync", "--catalogue"]);
        let json: Value = serde_json::from_slice(&std::fs::read(catalogue).unwrap()).unwrap();
        assert_eq!(json["images"], json!([{ "image": "127.0.0.1:1/bench/small", "tags": ["v1"] }]));
        let endpoints = (
            "REPLICATOR_REGISTRY_ENDPOINTS".to_owned(),
            "127.0.0.1:1=https://127.0.0.1:1,127.0.0.1:2=https://127.0.0.1:2".into(),
        );
        assert!(call.environment.contains(&endpoints));
    }
}
