//! The tools of a comparison: found, or said how to get them, before anything is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::output;
use crate::tool::Tool;

/// The workspace that this program was built from.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Tools that are there, and what each says that it is.
#[derive(Debug)]
pub(crate) struct Lineup {
    pub(crate) tools: Vec<Tool>,
    pub(crate) described: Vec<(String, String)>,
}

impl Lineup {
    /// `replicator`, skopeo, the two floors and `others`; of these only those named in `only`, where it names any.
    pub(crate) fn of(others: Vec<Tool>, only: &[String], replicator: Option<&Path>) -> Result<Self, String> {
        let ours = Tool::Replicator(PathBuf::new());
        let floors = [Tool::Floor { is_hashed: true }, Tool::Floor { is_hashed: false }];
        let all: Vec<Tool> = [ours, Tool::Skopeo].into_iter().chain(others).chain(floors).collect();
        let is_wanted = |tool: &Tool| only.is_empty() || only.iter().any(|name| name == family(tool));
        if let Some(unknown) = only.iter().find(|name| !all.iter().any(|tool| family(tool) == *name)) {
            return Err(format!("no tool is called {unknown:?}"));
        }
        let (mut tools, mut described) = (Vec::new(), Vec::new());
        for tool in all.into_iter().filter(is_wanted) {
            let tool = present(tool, replicator)?;
            described.push((tool.name().to_owned(), describe(&tool)?));
            tools.push(tool);
        }
        Ok(Self { tools, described })
    }
}

/// Both floors go by one name.
fn family(tool: &Tool) -> &str {
    match tool {
        Tool::Floor { .. } => "floor",
        _ => tool.name(),
    }
}

/// The tool, built where it has to be.
fn present(tool: Tool, replicator: Option<&Path>) -> Result<Tool, String> {
    let Tool::Replicator(_) = tool else { return Ok(tool) };
    let binary = match replicator {
        // The runs have directories of their own.
        Some(path) => path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?,
        None => build()?,
    };
    output::complain(format_args!("replicator is {}", binary.display()));
    Ok(Tool::Replicator(binary))
}

/// Builds the release binary of the command line, and says where it is.
fn build() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["build", "--release", "--package", "cli", "--message-format", "json-render-diagnostics"];
    let output =
        Command::new(cargo).args(arguments).current_dir(WORKSPACE).stderr(std::process::Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot run cargo: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut artifacts = messages.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable = artifacts.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.filter(|_| output.status.success()).ok_or_else(|| "replicator does not build".to_owned())
}

/// What is measured, in a line.
fn describe(tool: &Tool) -> Result<String, String> {
    match tool {
        Tool::Replicator(path) => {
            let version =
                said(Command::new(path).arg("--version")).ok_or_else(|| format!("{} does not run", path.display()))?;
            let commit = said(Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(WORKSPACE));
            Ok(commit.map_or(version.clone(), |commit| format!("{version}, checkout {commit}")))
        }
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
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}
