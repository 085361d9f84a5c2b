//! Where ours falls short: said in words, so that nobody has to look for it in the tables.

use crate::results::{Measured, Run};
use crate::table::digits;
use crate::tool::{OURS, OURS_UNHASHED};

/// Where ours takes more than another tool that copies in earnest.
pub(crate) fn shortfalls(measured: &[Measured]) -> String {
    let mut lines = Vec::new();
    let is_ours = |one: &&Measured| [OURS, OURS_UNHASHED].contains(&one.tool.as_str());
    for ours in measured.iter().filter(is_ours) {
        let is_peer = |peer: &&Measured| {
            peer.is_peer_of(ours) && !is_ours(peer) && !peer.tool.starts_with("floor")
        };
        for peer in measured.iter().filter(is_peer) {
            lines.extend(worse("s of wall time", ours, peer, Run::wall_seconds));
            lines.extend(worse("s of CPU", ours, peer, Run::processor_seconds));
            lines.extend(worse("MB of memory", ours, peer, Run::peak_mb));
        }
    }
    if lines.is_empty() {
        return format!(
            "Nowhere does {OURS} take more time, CPU or memory than another tool here.\n"
        );
    }
    format!(
        "Where {OURS} takes more than another tool:\n\n{}\n",
        lines.join("\n")
    )
}

fn worse(what: &str, ours: &Measured, peer: &Measured, value: fn(&Run) -> f64) -> Option<String> {
    let (own, other) = (ours.median(value), peer.median(value));
    (own > other).then(|| {
        let (network, item, times) = (ours.network.name(), ours.name(), own / other);
        let (own, other) = (digits(own), digits(other));
        format!(
            "* {network}, {item}: {} {own} {what}, {} {other} ({times:.2} times)",
            ours.tool, peer.tool
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_where_ours_takes_more_than_a_peer_but_not_than_the_floor() {
        let all = [
            ("replicator", 12.0, 0.5, 30_000_000),
            ("skopeo", 8.0, 0.6, 20_000_000),
            ("floor", 1.0, 0.1, 1),
        ];
        let all = all.map(|(tool, wall, user, peak)| Measured::of(tool, wall, user, peak));
        let expected = "Where replicator takes more than another tool:\n\n\
            * wan, many, cold: replicator 12.0 s of wall time, skopeo 8.00 (1.50 times)\n\
            * wan, many, cold: replicator 30.0 MB of memory, skopeo 20.0 (1.50 times)\n";
        assert_eq!(shortfalls(&all), expected);
    }
}
