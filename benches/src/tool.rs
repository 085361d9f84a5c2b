//! The tools that are compared.

use std::path::PathBuf;

use crate::item::Step;
use crate::job::Job;
use crate::measure::Call;

/// What ours is called, and what it is called when it leaves hashing to the destination.
pub(crate) const OURS: &str = "replicator";
pub(crate) const OURS_UNHASHED: &str = "replicator, unhashed";

/// A way to copy images from one registry to another.
#[derive(Clone, Debug)]
pub(crate) enum Tool {
    /// The release binary of this repository, with or without hashing.
    Replicator { binary: PathBuf, is_hashed: bool },
    /// The floor, with or without hashing.
    Floor { is_hashed: bool },
    /// Debian's skopeo.
    Skopeo,
    /// Any other, by its command line.
    Other { name: String, template: String },
}

impl Tool {
    /// `NAME=COMMAND LINE`, as on the command line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, template) = text.split_once('=').ok_or("it is not NAME=COMMAND LINE")?;
        if name.is_empty() || template.trim().is_empty() {
            return Err("it is not NAME=COMMAND LINE".to_owned());
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
            } => OURS,
            Self::Replicator {
                is_hashed: false, ..
            } => OURS_UNHASHED,
            Self::Floor { is_hashed: true } => "floor",
            Self::Floor { is_hashed: false } => "floor, unhashed",
            Self::Skopeo => "skopeo",
            Self::Other { name, .. } => name,
        }
    }

    /// Whether the tool is measured at this step: the floor looks for nothing, so that it knows no difference to a cold copy, and
    /// who hashes matters to one alone.
    pub(crate) fn takes(&self, step: Step) -> bool {
        !matches!(
            self,
            Self::Floor { .. }
                | Self::Replicator {
                    is_hashed: false,
                    ..
                }
        ) || step == Step::Cold
    }

    /// The command that does `job`; files that it needs are written into the job's directory.
    pub(crate) fn call(&self, job: &Job) -> Result<Call, String> {
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
    fn the_floor_makes_cold_copies_alone() {
        let floor = Tool::Floor { is_hashed: true };
        assert!(
            floor.takes(Step::Cold)
                && !floor.takes(Step::Unchanged)
                && Tool::Skopeo.takes(Step::Unchanged)
        );
    }
}
