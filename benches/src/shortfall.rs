//! The measurements in which replicator is worse than another tool, as a list.

use crate::results::{Measured, Run};
use crate::table::digits;
use crate::tool::{REPLICATOR, REPLICATOR_UNHASHED};

/// Lists where replicator takes more than another tool. The floor does not count.
pub(crate) fn shortfalls(measured: &[Measured]) -> String {
    let mut lines = Vec::new();
    for ours in measured.iter().filter(|one| is_replicator(one)) {
        for other in measured.iter().filter(|other| other.is_peer_of(ours)) {
            if is_replicator(other) || is_floor(other) {
                continue;
            }
            lines.extend(compare("s of wall time", ours, other, Run::wall_seconds));
            lines.extend(compare("s of CPU", ours, other, Run::processor_seconds));
            lines.extend(compare("MB of memory", ours, other, Run::peak_mb));
        }
    }
    if lines.is_empty() {
        return format!("{REPLICATOR} takes no more time, CPU or memory than any other tool.\n");
    }
    let lines = lines.join("\n");
    format!("Where {REPLICATOR} takes more than another tool:\n\n{lines}\n")
}

fn is_replicator(measured: &Measured) -> bool {
    measured.tool == REPLICATOR || measured.tool == REPLICATOR_UNHASHED
}

fn is_floor(measured: &Measured) -> bool {
    measured.tool.starts_with("floor")
}

/// A line if the median of `ours` is larger than that of `other`.
fn compare(
    unit: &str,
    ours: &Measured,
    other: &Measured,
    value: fn(&Run) -> f64,
) -> Option<String> {
    let our_median = ours.median(value);
    let other_median = other.median(value);
    if our_median <= other_median {
        return None;
    }
    Some(format!(
        "* {}, {}: {} {} {unit}, {} {} ({:.2} times)",
        ours.network.name(),
        ours.name(),
        ours.tool,
        digits(our_median),
        other.tool,
        digits(other_median),
        our_median / other_median
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicator_is_compared_with_its_peers_but_not_with_the_floor() {
        let all = [
            ("replicator", 12.0, 0.5, 30_000_000),
            ("skopeo", 8.0, 0.6, 20_000_000),
            ("floor", 1.0, 0.1, 1),
        ];
        let all = all.map(|(tool, wall, user, peak)| Measured::example(tool, wall, user, peak));
        let expected = "Where replicator takes more than another tool:\n\n\
            * wan, many, cold: replicator 12.0 s of wall time, skopeo 8.00 (1.50 times)\n\
            * wan, many, cold: replicator 30.0 MB of memory, skopeo 20.0 (1.50 times)\n";
        assert_eq!(shortfalls(&all), expected);
    }
}
