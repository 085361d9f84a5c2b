//! Metrics: one line for each invocation, whether it succeeds or fails.

use std::time::Instant;

use super::Replicator;
use crate::outcome::metrics::{InvocationMetrics, Tally};
use crate::outcome::report::{Answer, Report};

impl Replicator {
    /// Does the `work` of an invocation of `function`, prints its metrics, and returns its result.
    pub async fn with_metrics<A: Answer, E>(
        &self,
        function: &str,
        work: impl Future<Output = Result<A, E>>,
    ) -> Result<A, E> {
        // The quota that the last invocation saw is not this one's.
        self.registries.meter().forget();
        let begun = Instant::now();
        let result = work.await;
        let report = result.as_ref().ok().map(Answer::report);
        let has_images = |report: &Report| !report.images.is_empty();
        // An invocation without images learned nothing new of the quota.
        let budget = self
            .budget()
            .filter(|_| report.as_ref().is_some_and(has_images));
        let ended_at = self.now();
        let metrics = InvocationMetrics {
            function,
            ended_at,
            duration: begun.elapsed(),
            tally: report.map(|report| Tally::from_report(&report, ended_at)),
            budget,
        };
        metrics.print();
        result
    }
}
