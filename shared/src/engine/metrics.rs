//! Telling metrics: one line for each invocation, however it ends.

use std::time::Instant;

use super::Replicator;
use crate::outcome::metrics::{InvocationMetrics, Tally};
use crate::outcome::report::Report;

impl Replicator {
    /// Does the `work` of an invocation of `function`, prints its metrics, and gives its result. `report` finds what to count in that.
    pub async fn measured<T, E>(
        &self,
        function: &str,
        work: impl Future<Output = Result<T, E>>,
        report: impl Fn(&T) -> Report,
    ) -> Result<T, E> {
        // What the last invocation has seen is not this one's news.
        self.registries.meter().forget();
        let begun = Instant::now();
        let result = work.await;
        let report = result.as_ref().ok().map(report);
        // Of an invocation that looked at nothing the quota says nothing new.
        let budget = self.budget().filter(|_| {
            report
                .as_ref()
                .is_some_and(|report| !report.images.is_empty())
        });
        let tally = report.map(|report| Tally::from_report(&report, self.now()));
        let metrics = InvocationMetrics {
            function,
            ended_at: self.now(),
            duration: begun.elapsed(),
            tally,
            budget,
        };
        metrics.print();
        result
    }
}
