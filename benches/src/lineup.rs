//! The tools of a comparison: found, or said how to get them, before anything is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::output;
use crate::tool::{OURS, Tool};

/// The workspace that this program was built from.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Tools that are there, and what each says that it is.
#[derive(Debug)]
pub(crate) struct Lineup {
    pub(crate) tools: Vec<Tool>,
    pub(crate) described: Vec<(String, String)>,
}

impl Lineup {
    /// `replicator` and the floor, each with and without hashing, skopeo and `others`; of these only those named in `only`, where it
    /// names any.
    pub(crate) fn of(
        others: Vec<Tool>,
        only: &[String],
        replicator: Option<&Path>,
    ) -> Result<Self, String> {
        let known: Vec<&str> = [OURS, "skopeo", "floor"]
            .into_iter()
            .chain(others.iter().map(Tool::name))
            .collect();
        if let Some(unknown) = only.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("no tool is called {unknown:?}"));
        }
        let is_wanted = |name: &str| only.is_empty() || only.iter().any(|wanted| wanted == name);
        let binary = if is_wanted(OURS) {
            present(replicator)?
        } else {
            PathBuf::new()
        };
        let ours = [true, false].map(|is_hashed| Tool::Replicator {
            binary: binary.clone(),
            is_hashed,
        });
        let floors = [true, false].map(|is_hashed| Tool::Floor { is_hashed });
        let all = ours
            .into_iter()
            .chain([Tool::Skopeo])
            .chain(others)
            .chain(floors);
        let tools: Vec<Tool> = all.filter(|tool| is_wanted(family(tool))).collect();
        let is_built_here = replicator.is_none();
        let described = tools
            .iter()
            .map(|tool| Ok((tool.name().to_owned(), describe(tool, is_built_here)?)));
        let described = described.collect::<Result<_, String>>()?;
        Ok(Self { tools, described })
    }
}

/// A tool goes by one name, with and without hashing.
fn family(tool: &Tool) -> &str {
    match tool {
        Tool::Replicator { .. } => OURS,
        Tool::Floor { .. } => "floor",
        _ => tool.name(),
    }
}

/// The binary of `replicator`, built where none is given.
fn present(replicator: Option<&Path>) -> Result<PathBuf, String> {
    let binary = match replicator {
        // The runs have directories of their own.
        Some(path) => path
            .canonicalize()
            .map_err(|error| format!("{}: {error}", path.display()))?,
        None => build()?,
    };
    output::complain(format_args!("replicator is {}", binary.display()));
    Ok(binary)
}

/// Builds the release binary of the command line, and says where it is.
fn build() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = [
        "build",
        "--release",
        "--package",
        "cli",
        "--message-format",
        "json-render-diagnostics",
    ];
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(WORKSPACE)
        .stderr(std::process::Stdio::inherit())
        .output();
    let output = output.map_err(|error| format!("cannot run cargo: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut artifacts = messages
        .lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable =
        artifacts.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable
        .filter(|_| output.status.success())
        .ok_or_else(|| "replicator does not build".to_owned())
}

/// What is measured, in a line. Only of a binary that was built here it is known from which commit.
fn describe(tool: &Tool, is_built_here: bool) -> Result<String, String> {
    match tool {
        Tool::Replicator { binary, is_hashed: true } => {
            let version = said(Command::new(binary).arg("--version"));
            let version = version.ok_or_else(|| format!("{} does not run", binary.display()))?;
            let mut git = Command::new("git");
            let commit = git.args(["describe", "--always", "--dirty"]).current_dir(WORKSPACE);
            let origin = if is_built_here { said(commit).map(|commit| format!("checkout {commit}")) } else { None };
            Ok(format!("{version}, {}", origin.unwrap_or_else(|| binary.display().to_string())))
        }
        Tool::Replicator { is_hashed: false, .. } => Ok("the same with REPLICATOR_HASHING=destination".to_owned()),
        Tool::Skopeo => said(Command::new("skopeo").arg("--version")).ok_or_else(|| {
            "skopeo is not installed: apt-get install skopeo, or leave it out with --only replicator,floor".to_owned()
        }),
        Tool::Floor { is_hashed: true } => Ok("reads, hashes and writes, and does nothing else".to_owned()),
        Tool::Floor { is_hashed: false } => Ok("reads and writes".to_owned()),
        Tool::Other { template, .. } => Ok(format!("`{template}`")),
    }
}

/// The first line that a program prints.
fn said(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .next()
        .map(str::to_owned)
}
