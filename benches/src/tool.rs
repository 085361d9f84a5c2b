//! The tools that are compared.

use std::path::PathBuf;

use crate::item::Step;
use crate::job::Job;
use crate::measure::ToolCommand;

/// The name of the tool of this repository.
pub(crate) const REPLICATOR: &str = "replicator";
/// Its name when it leaves hashing to the destination.
pub(crate) const REPLICATOR_UNHASHED: &str = "replicator, unhashed";

/// A way to copy images from one registry to another.
#[derive(Clone, Debug)]
pub(crate) enum Tool {
    /// The command line of this repository, with or without hashing.
    Replicator { binary: PathBuf, is_hashed: bool },
    /// The floor, with or without hashing.
    Floor { is_hashed: bool },
    /// The installed skopeo.
    Skopeo,
    /// Any other tool, by its command line.
    Other { name: String, template: String },
}

impl Tool {
    /// Parses `NAME=COMMAND LINE`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let problem = "a tool must have the form NAME=COMMAND LINE";
        let (name, template) = text.split_once('=').ok_or(problem)?;
        if name.is_empty() || template.trim().is_empty() {
            return Err(problem.to_owned());
        }
        Ok(Self::Other {
            name: name.to_owned(),
            template: template.to_owned(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Replicator {
                is_hashed: true, ..
            } => REPLICATOR,
            Self::Replicator {
                is_hashed: false, ..
            } => REPLICATOR_UNHASHED,
            Self::Floor { is_hashed: true } => "floor",
            Self::Floor { is_hashed: false } => "floor, unhashed",
            Self::Skopeo => "skopeo",
            Self::Other { name, .. } => name,
        }
    }

    /// Whether the tool is measured at this step. The floor checks nothing at the destination, so
    /// that every copy is cold. Hashing makes a difference to a cold copy only.
    pub(crate) fn is_measured_at(&self, step: Step) -> bool {
        let only_cold = match self {
            Self::Replicator { is_hashed, .. } => !is_hashed,
            Self::Floor { .. } => true,
            Self::Skopeo | Self::Other { .. } => false,
        };
        !only_cold || step == Step::Cold
    }

    /// The command that does `job`. This writes the files that the command needs into the job's
    /// directory.
    pub(crate) fn command(&self, job: &Job) -> Result<ToolCommand, String> {
        match self {
            Self::Replicator { binary, is_hashed } => job.replicator(binary, *is_hashed),
            Self::Floor { is_hashed } => job.floor(*is_hashed),
            Self::Skopeo => job.skopeo(),
            Self::Other { template, .. } => Ok(job.script(template)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_has_a_name_and_a_command_line() {
        let tool = Tool::parse("crane=crane copy --insecure {source} {destination}").unwrap();
        assert_eq!(tool.name(), "crane");
        assert!(
            Tool::parse("crane").is_err()
                && Tool::parse("=crane").is_err()
                && Tool::parse("crane= ").is_err()
        );
    }

    #[test]
    fn the_floor_is_measured_at_cold_copies_only() {
        let floor = Tool::Floor { is_hashed: true };
        assert!(
            floor.is_measured_at(Step::Cold)
                && !floor.is_measured_at(Step::Unchanged)
                && Tool::Skopeo.is_measured_at(Step::Unchanged)
        );
    }
}
