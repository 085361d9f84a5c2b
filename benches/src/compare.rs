//! The comparison: every tool, every item, every network, on one machine in one run.
//!
//! Runs take turns (A B C A B C …), because what else the machine does changes from minute to minute. Before anything is measured,
//! each tool copies each item once while the destination checks every digest; after every step the destination has to hold what
//! the source holds, or the run is an error and no number.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::check::Found;
use crate::item::{Item, Step};
use crate::job::Job;
use crate::network::Network;
use crate::output;
use crate::registry::Rules;
use crate::results::{Measured, Run};
use crate::tool::Tool;
use crate::wan::Distance;
use crate::world::{Plan, World};

/// What is compared.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub(crate) items: Vec<Item>,
    pub(crate) networks: Vec<Network>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) runs: usize,
    pub(crate) rules: Rules,
    pub(crate) distance: Distance,
    pub(crate) timeline: Option<PathBuf>,
}

/// The networks of a comparison, as they were found.
pub(crate) type Networks = Vec<(Network, Found)>;

impl Comparison {
    /// Measures everything, and says on standard error how far it is.
    pub(crate) fn run(&self) -> Result<(Networks, Vec<Measured>), String> {
        let (mut networks, mut measured) = (Vec::new(), Vec::new());
        for &network in &self.networks {
            let directory = temporary()?;
            let world = World::start(&self.plan(network), directory.path())?;
            networks.push((network, self.check(&world)?));
            for &item in &self.items {
                measured.extend(self.item(&world, item)?);
            }
        }
        Ok((networks, measured))
    }

    fn plan(&self, network: Network) -> Plan {
        let (items, timeline) = (self.items.clone(), self.timeline.clone());
        Plan {
            network,
            items,
            rules: self.rules,
            distance: self.distance,
            timeline,
        }
    }

    /// Measures the network itself. A line that is not what it should be is said, and goes into the results.
    fn check(&self, world: &World) -> Result<Found, String> {
        let found = Found::measure(world)?;
        output::complain(format_args!("{}: {found}", world.network.name()));
        if world.network.is_far()
            && let Some(problem) = found.problem(self.distance)
        {
            output::complain(format_args!("warning: {problem}"));
        }
        Ok(found)
    }

    fn item(&self, world: &World, item: Item) -> Result<Vec<Measured>, String> {
        let steps = |tool: &Tool| -> Vec<Step> {
            item.steps()
                .iter()
                .copied()
                .filter(|step| tool.takes(*step))
                .collect()
        };
        let empty = |tool: &Tool, step| Measured {
            network: world.network,
            item,
            step,
            tool: tool.name().to_owned(),
            runs: Vec::new(),
        };
        let mut measured: Vec<Vec<Measured>> = self
            .tools
            .iter()
            .map(|tool| {
                steps(tool)
                    .into_iter()
                    .map(|step| empty(tool, step))
                    .collect()
            })
            .collect();
        for tool in &self.tools {
            world.destination.tell("/verify/on", "")?;
            once(world, item, tool, &steps(tool), "check")?;
        }
        if !self.rules.verify_uploads {
            world.destination.tell("/verify/off", "")?;
        }
        for number in 1..=self.runs {
            for (tool, measured) in self.tools.iter().zip(&mut measured) {
                let runs = once(world, item, tool, &steps(tool), &format!("run {number}"))?;
                measured
                    .iter_mut()
                    .zip(runs)
                    .for_each(|(measured, run)| measured.runs.push(run));
            }
        }
        Ok(measured.into_iter().flatten().collect())
    }
}

/// Has `tool` take all `steps` of `item`, from an empty destination on.
fn once(
    world: &World,
    item: Item,
    tool: &Tool,
    steps: &[Step],
    what: &str,
) -> Result<Vec<Run>, String> {
    world.reset()?;
    steps
        .iter()
        .map(|step| take(world, item, tool, *step, what))
        .collect()
}

fn take(world: &World, item: Item, tool: &Tool, step: Step, what: &str) -> Result<Run, String> {
    if step == Step::Changed {
        world.source.tell("/change", "")?;
    }
    let (name, network) = (tool.name(), world.network.name());
    let what = format!(
        "{network}, {}, {}, {name}, {what}",
        item.name(),
        step.name()
    );
    world.source.tell("/note", &what)?;
    world.forget_counts()?;
    let directory = temporary()?;
    let job = Job {
        item,
        source: world.source.address,
        destination: world.destination.address,
        authority: world.authority.clone(),
        directory: directory.path().to_owned(),
    };
    let usage = tool
        .call(&job)?
        .run(directory.path())
        .map_err(|error| format!("{what}: {error}"))?;
    let run = Run {
        usage,
        source: world.source.counts()?,
        destination: world.destination.counts()?,
    };
    arrived(world, item).map_err(|error| format!("{what}: {error}"))?;
    output::complain(format_args!("{what}: {:.3} s", usage.wall_seconds));
    Ok(run)
}

/// Compares what is at the destination with what is at the source.
fn arrived(world: &World, item: Item) -> Result<(), String> {
    let (source, destination) = (
        world.source.known_content()?,
        world.destination.known_content()?,
    );
    for (repository, _) in item.names() {
        if source.get(&repository) != destination.get(&repository) {
            return Err(format!("{repository} is not what the source has"));
        }
    }
    Ok(())
}

fn temporary() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(|error| format!("cannot make a directory: {error}"))
}
