//! What was measured, as it is kept and written as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::compare::Networks;
use crate::item::{Item, Step};
use crate::machine::Machine;
use crate::measure::Usage;
use crate::network::Network;
use crate::registry::{Counts, KINDS};
use crate::statistics::{median, median_of_counts, range};

/// Everything of one comparison.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// The tools in their order, and what each says that it is.
    pub(crate) tools: Vec<(String, String)>,
    pub(crate) runs: usize,
    pub(crate) networks: Networks,
    pub(crate) measured: Vec<Measured>,
}

/// All runs of one tool with one step of an item on one network.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) network: Network,
    pub(crate) item: Item,
    pub(crate) step: Step,
    pub(crate) tool: String,
    pub(crate) runs: Vec<Run>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Run {
    pub(crate) usage: Usage,
    /// What was asked of the source.
    pub(crate) source: Counts,
    /// What was asked of the destination.
    pub(crate) destination: Counts,
}

impl Run {
    pub(crate) fn wall_seconds(&self) -> f64 {
        self.usage.wall_seconds
    }

    /// In user and in system mode together.
    pub(crate) fn processor_seconds(&self) -> f64 {
        self.usage.user_seconds + self.usage.system_seconds
    }

    #[expect(clippy::cast_precision_loss, reason = "shown in megabytes")]
    pub(crate) fn peak_mb(&self) -> f64 {
        self.usage.peak_bytes as f64 / 1e6
    }
}

impl Measured {
    /// The item, and the step where it has several.
    pub(crate) fn name(&self) -> String {
        match self.item.steps() {
            [_] => self.item.name().to_owned(),
            _ => format!("{}, {}", self.item.name(), self.step.name()),
        }
    }

    /// The median of what `value` gives for each run.
    pub(crate) fn median(&self, value: impl Fn(&Run) -> f64) -> f64 {
        median(&self.values(value))
    }

    /// The least and the most.
    pub(crate) fn range(&self, value: impl Fn(&Run) -> f64) -> (f64, f64) {
        range(&self.values(value))
    }

    /// The median of each count: `side` picks the registry.
    pub(crate) fn counts(&self, side: impl Fn(&Run) -> &Counts) -> Counts {
        let of = |value: &dyn Fn(&Counts) -> u64| {
            median_of_counts(
                &self
                    .runs
                    .iter()
                    .map(|run| value(side(run)))
                    .collect::<Vec<_>>(),
            )
        };
        let kinds = KINDS.iter().map(|&kind| {
            (
                kind,
                of(&|counts| counts.requests.get(kind).copied().unwrap_or(0)),
            )
        });
        let requests: BTreeMap<String, u64> = kinds
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| (kind.to_owned(), count))
            .collect();
        Counts {
            requests,
            connections: of(&|counts| counts.connections),
            served_bytes: of(&|counts| counts.served_bytes),
            received_bytes: of(&|counts| counts.received_bytes),
        }
    }

    /// Whether this and `other` are of different tools, and otherwise of the same.
    pub(crate) fn is_peer_of(&self, other: &Self) -> bool {
        self.tool != other.tool
            && (self.network, self.item, self.step) == (other.network, other.item, other.step)
    }

    fn values(&self, value: impl Fn(&Run) -> f64) -> Vec<f64> {
        self.runs.iter().map(value).collect()
    }
}

#[cfg(test)]
impl Measured {
    /// Three runs of `tool` that are alike: of many, cold, over the line.
    pub(crate) fn of(tool: &str, wall_seconds: f64, user_seconds: f64, peak_bytes: u64) -> Self {
        let usage = Usage {
            wall_seconds,
            user_seconds,
            system_seconds: 0.0,
            peak_bytes,
            is_success: true,
        };
        let run = Run {
            usage,
            source: Counts::default(),
            destination: Counts::default(),
        };
        let (network, item, step, tool) = (Network::Wan, Item::Many, Step::Cold, tool.to_owned());
        Self {
            network,
            item,
            step,
            tool,
            runs: vec![run; 3],
        }
    }
}
