//! The results of a comparison, as they are kept in memory and written as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::check::NetworkProperties;
use crate::item::{Item, Step};
use crate::machine::Machine;
use crate::measure::Usage;
use crate::network::Network;
use crate::registry::{Counts, KINDS};
use crate::statistics::{median, median_of_counts, range};

/// The networks of a comparison, and what was measured of each.
pub(crate) type Networks = Vec<(Network, NetworkProperties)>;

/// All results of one comparison.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// Names and descriptions of the tools, in their order.
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
    /// Requests at the source.
    pub(crate) source: Counts,
    /// Requests at the destination.
    pub(crate) destination: Counts,
}

impl Run {
    pub(crate) fn wall_seconds(&self) -> f64 {
        self.usage.wall_seconds
    }

    /// Processor time in user and system mode together.
    pub(crate) fn processor_seconds(&self) -> f64 {
        self.usage.user_seconds + self.usage.system_seconds
    }

    #[expect(clippy::cast_precision_loss, reason = "shown in megabytes")]
    pub(crate) fn peak_mb(&self) -> f64 {
        self.usage.peak_bytes as f64 / 1e6
    }
}

impl Measured {
    /// The name of the item, with the step if the item has several.
    pub(crate) fn name(&self) -> String {
        match self.item.steps() {
            [_] => self.item.name().to_owned(),
            _ => format!("{}, {}", self.item.name(), self.step.name()),
        }
    }

    /// The median of `value` over all runs.
    pub(crate) fn median(&self, value: impl Fn(&Run) -> f64) -> f64 {
        median(&self.values(value))
    }

    /// The minimum and the maximum of `value` over all runs.
    pub(crate) fn range(&self, value: impl Fn(&Run) -> f64) -> (f64, f64) {
        range(&self.values(value))
    }

    /// The median of each count. `side` selects the registry.
    pub(crate) fn counts(&self, side: impl Fn(&Run) -> &Counts) -> Counts {
        let median_count = |value: &dyn Fn(&Counts) -> u64| {
            let values: Vec<u64> = self.runs.iter().map(|run| value(side(run))).collect();
            median_of_counts(&values)
        };
        let mut requests = BTreeMap::new();
        for kind in KINDS {
            let count = median_count(&|counts| counts.requests_of(kind));
            if count > 0 {
                requests.insert(kind.to_owned(), count);
            }
        }
        Counts {
            requests,
            connections: median_count(&|counts| counts.connections),
            served_bytes: median_count(&|counts| counts.served_bytes),
            received_bytes: median_count(&|counts| counts.received_bytes),
        }
    }

    /// Whether both are the same measurement of different tools.
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
    /// Three equal runs of `tool`: `many`, cold, on `wan`.
    pub(crate) fn example(
        tool: &str,
        wall_seconds: f64,
        user_seconds: f64,
        peak_bytes: u64,
    ) -> Self {
        let run = Run {
            usage: Usage {
                wall_seconds,
                user_seconds,
                system_seconds: 0.0,
                peak_bytes,
                is_success: true,
            },
            source: Counts::default(),
            destination: Counts::default(),
        };
        Self {
            network: Network::Wan,
            item: Item::Many,
            step: Step::Cold,
            tool: tool.to_owned(),
            runs: vec![run; 3],
        }
    }
}
