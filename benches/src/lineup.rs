//! The tools of a comparison. All of them are found before the first run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::output;
use crate::tool::{REPLICATOR, Tool};

/// The workspace that this program was built from.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

const SKOPEO_MISSING: &str = "skopeo is not installed: install it with `apt-get install skopeo`, \
                              or leave it out with `--only replicator,floor`";

/// The tools of a comparison, with a description of each.
#[derive(Debug)]
pub(crate) struct Lineup {
    pub(crate) tools: Vec<Tool>,
    /// Names and descriptions.
    pub(crate) descriptions: Vec<(String, String)>,
}

impl Lineup {
    /// `replicator` and the floor, each with and without hashing, skopeo, and `others`. If `only`
    /// is not empty, it selects tools by name. Without a path, `replicator` is built now.
    pub(crate) fn select(
        others: Vec<Tool>,
        only: &[String],
        replicator: Option<&Path>,
    ) -> Result<Self, String> {
        let mut known = vec![REPLICATOR, "skopeo", "floor"];
        known.extend(others.iter().map(Tool::name));
        for name in only {
            if !known.contains(&name.as_str()) {
                let known = known.join(", ");
                return Err(format!("no tool is named {name:?}; there are {known}"));
            }
        }
        let is_selected = |name: &str| only.is_empty() || only.iter().any(|one| one == name);

        let mut tools = Vec::new();
        if is_selected(REPLICATOR) {
            let binary = find_replicator(replicator)?;
            tools.extend([true, false].map(|is_hashed| Tool::Replicator {
                binary: binary.clone(),
                is_hashed,
            }));
        }
        if is_selected("skopeo") {
            tools.push(Tool::Skopeo);
        }
        tools.extend(others.into_iter().filter(|tool| is_selected(tool.name())));
        if is_selected("floor") {
            tools.extend([true, false].map(|is_hashed| Tool::Floor { is_hashed }));
        }

        let is_built_here = replicator.is_none();
        let mut descriptions = Vec::new();
        for tool in &tools {
            descriptions.push((tool.name().to_owned(), describe(tool, is_built_here)?));
        }
        Ok(Self {
            tools,
            descriptions,
        })
    }
}

/// The absolute path of the `replicator` binary, which is built if no path is given.
fn find_replicator(path: Option<&Path>) -> Result<PathBuf, String> {
    let binary = match path {
        // Each run has another working directory, so a relative path does not suffice.
        Some(path) => path
            .canonicalize()
            .map_err(|error| format!("{}: {error}", path.display()))?,
        None => build()?,
    };
    output::stderr_line(format_args!("replicator is {}", binary.display()));
    Ok(binary)
}

/// Builds the release binary of the command line, and returns its path.
fn build() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let format = "json-render-diagnostics";
    let output = Command::new(cargo)
        .args(["build", "--release", "--package", "cli"])
        .args(["--message-format", format])
        .current_dir(WORKSPACE)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err("cargo cannot build replicator".to_owned());
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages.lines().rev().find_map(parse_executable);
    executable.ok_or_else(|| "cargo reported no executable of replicator".to_owned())
}

/// The executable in a message of cargo, if there is one.
fn parse_executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let path = message["executable"].as_str()?;
    Some(path.into())
}

/// Describes a tool in one line.
fn describe(tool: &Tool, is_built_here: bool) -> Result<String, String> {
    match tool {
        Tool::Replicator {
            binary,
            is_hashed: true,
        } => describe_replicator(binary, is_built_here),
        Tool::Replicator {
            is_hashed: false, ..
        } => Ok("the same with REPLICATOR_HASHING=destination".to_owned()),
        Tool::Skopeo => {
            let version = first_line(Command::new("skopeo").arg("--version"));
            version.ok_or_else(|| SKOPEO_MISSING.to_owned())
        }
        Tool::Floor { is_hashed: true } => {
            Ok("reads, hashes and writes, and does nothing else".to_owned())
        }
        Tool::Floor { is_hashed: false } => Ok("reads and writes".to_owned()),
        Tool::Other { template, .. } => Ok(format!("`{template}`")),
    }
}

/// The version of `binary` and its origin: the commit if it was built here, else its path.
fn describe_replicator(binary: &Path, is_built_here: bool) -> Result<String, String> {
    let path = binary.display();
    let version = first_line(Command::new(binary).arg("--version"));
    let version = version.ok_or_else(|| format!("{path} does not run"))?;
    if is_built_here {
        let mut git = Command::new("git");
        git.args(["describe", "--always", "--dirty"])
            .current_dir(WORKSPACE);
        if let Some(commit) = first_line(&mut git) {
            return Ok(format!("{version}, checkout {commit}"));
        }
    }
    Ok(format!("{version}, {path}"))
}

/// The first line that a program prints; `None` if it fails.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(str::to_owned)
}
