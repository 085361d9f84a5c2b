//! The comparison: every tool, every item and every network, on one machine in one run.
//!
//! Runs alternate between the tools (A B C A B C …), because the load of the machine changes from
//! minute to minute. Before the measured runs, each tool copies each item once while the
//! destination verifies every digest. After every step the destination must hold what the source
//! holds; otherwise the comparison ends with an error.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::check::{NetworkProperties, measure_network};
use crate::item::{Item, Step};
use crate::job::Job;
use crate::network::Network;
use crate::output;
use crate::registry::Rules;
use crate::results::{Measured, Networks, Run};
use crate::tool::Tool;
use crate::wan::Distance;
use crate::world::{Setup, World};

/// What is compared.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub(crate) items: Vec<Item>,
    pub(crate) networks: Vec<Network>,
    pub(crate) tools: Vec<Tool>,
    /// Measured runs of each tool.
    pub(crate) runs: usize,
    pub(crate) rules: Rules,
    pub(crate) distance: Distance,
    pub(crate) timeline: Option<PathBuf>,
}

/// One tool with one item on one network.
struct Contest<'a> {
    world: &'a World,
    item: Item,
    tool: &'a Tool,
}

impl Comparison {
    /// Measures everything and reports the progress on standard error.
    pub(crate) fn run(&self) -> Result<(Networks, Vec<Measured>), String> {
        let mut networks = Vec::new();
        let mut measured = Vec::new();
        for &network in &self.networks {
            let directory = temporary_directory()?;
            let world = World::start(&self.setup(network), directory.path())?;
            networks.push((network, self.check_network(&world)?));
            for &item in &self.items {
                measured.extend(self.measure_item(&world, item)?);
            }
        }
        Ok((networks, measured))
    }

    fn setup(&self, network: Network) -> Setup {
        Setup {
            network,
            items: self.items.clone(),
            rules: self.rules,
            distance: self.distance,
            timeline: self.timeline.clone(),
        }
    }

    /// Measures the network itself. Warns if a simulated line differs from its options.
    fn check_network(&self, world: &World) -> Result<NetworkProperties, String> {
        let properties = measure_network(world)?;
        output::stderr_line(format_args!("{}: {properties}", world.network.name()));
        if world.network.is_remote()
            && let Some(problem) = properties.problem(self.distance)
        {
            output::stderr_line(format_args!("warning: {problem}"));
        }
        Ok(properties)
    }

    /// Measures all tools with one item.
    fn measure_item(&self, world: &World, item: Item) -> Result<Vec<Measured>, String> {
        let contests: Vec<Contest> = self
            .tools
            .iter()
            .map(|tool| Contest { world, item, tool })
            .collect();
        for contest in &contests {
            world.destination.post("/verify/on", "")?;
            contest.run("check")?;
        }
        if !self.rules.verify_uploads {
            world.destination.post("/verify/off", "")?;
        }

        let mut measured: Vec<Vec<Measured>> = contests.iter().map(Contest::without_runs).collect();
        for number in 1..=self.runs {
            for (contest, measured) in contests.iter().zip(&mut measured) {
                let runs = contest.run(&format!("run {number}"))?;
                for (step, run) in measured.iter_mut().zip(runs) {
                    step.runs.push(run);
                }
            }
        }
        Ok(measured.into_iter().flatten().collect())
    }
}

impl Contest<'_> {
    /// The steps of the item that the tool is measured at.
    fn steps(&self) -> Vec<Step> {
        let mut steps = self.item.steps().to_vec();
        steps.retain(|step| self.tool.is_measured_at(*step));
        steps
    }

    /// One result per step, with no runs yet.
    fn without_runs(&self) -> Vec<Measured> {
        let result = |step| Measured {
            network: self.world.network,
            item: self.item,
            step,
            tool: self.tool.name().to_owned(),
            runs: Vec::new(),
        };
        self.steps().into_iter().map(result).collect()
    }

    /// Runs all steps, beginning with an empty destination. `label` names the run in messages.
    fn run(&self, label: &str) -> Result<Vec<Run>, String> {
        self.world.reset()?;
        let mut runs = Vec::new();
        for step in self.steps() {
            runs.push(self.run_step(step, label)?);
        }
        Ok(runs)
    }

    fn run_step(&self, step: Step, label: &str) -> Result<Run, String> {
        let world = self.world;
        if step == Step::Changed {
            world.source.post("/change", "")?;
        }
        let label = format!(
            "{}, {}, {}, {}, {label}",
            world.network.name(),
            self.item.name(),
            step.name(),
            self.tool.name()
        );
        world.source.post("/note", &label)?;
        world.reset_counts()?;
        let run = self.copy().map_err(|error| format!("{label}: {error}"))?;
        let seconds = run.wall_seconds();
        output::stderr_line(format_args!("{label}: {seconds:.3} s"));
        Ok(run)
    }

    /// Has the tool copy the item, and verifies the copy.
    fn copy(&self) -> Result<Run, String> {
        let world = self.world;
        let directory = temporary_directory()?;
        let job = Job {
            item: self.item,
            source: world.source.address,
            destination: world.destination.address,
            authority: world.authority.clone(),
            directory: directory.path().to_owned(),
        };
        let usage = self.tool.command(&job)?.run(directory.path())?;
        let run = Run {
            usage,
            source: world.source.counts()?,
            destination: world.destination.counts()?,
        };
        verify_copy(world, self.item)?;
        Ok(run)
    }
}

/// Compares the content of the destination with that of the source.
fn verify_copy(world: &World, item: Item) -> Result<(), String> {
    let source = world.source.content()?;
    let destination = world.destination.content()?;
    for (repository, _) in item.names() {
        if source.get(&repository) != destination.get(&repository) {
            return Err(format!(
                "{repository} at the destination differs from the source"
            ));
        }
    }
    Ok(())
}

fn temporary_directory() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(|error| format!("cannot create a temporary directory: {error}"))
}
