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
        // The quota that an earlier invocation saw is out of date.
        self.registries.meter().forget();
        let begun = Instant::now();
        let result = work.await;
        let duration = begun.elapsed();
        let ended_at = self.now();
        let report = result.as_ref().ok().map(Answer::report);
        // An invocation without images read no quota.
        let has_images = |report: &Report| !report.images.is_empty();
        let budget = if report.as_ref().is_some_and(has_images) {
            self.budget()
        } else {
            None
        };
        let tally = report.map(|report| Tally::from_report(&report, ended_at));
        let metrics = InvocationMetrics {
            function,
            ended_at,
            duration,
            tally,
            budget,
        };
        metrics.print();
        result
    }
}
