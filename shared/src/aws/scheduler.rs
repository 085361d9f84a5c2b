//! The one schedule of EventBridge Scheduler that wakes up for what was put off.

use std::time::Duration;

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, Target,
};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Aws, error};
use crate::error::{Cause, Error, Side};
use crate::outcome::retry_schedule::RetrySchedule;
use crate::settings;

/// The longest name of a schedule.
const MAX_NAME: usize = 64;
const SUFFIX: &str = "-deferred";
/// So often a schedule that others write at the same time is written again.
const TRIES: usize = 4;
/// After so long whoever had looked before it was written has written too, unless a call took as long.
const SETTLED: Duration = Duration::from_secs(1);

impl Aws {
    /// The wake-up that was asked for; `None` where there is none, and where its time has come and it is gone.
    pub async fn wake_up(
        &self,
        settings: &settings::RetryTarget,
    ) -> Result<Option<RetrySchedule>, Error> {
        let client = Client::new(self.config().await);
        let answer = client.get_schedule().name(name(settings)).send().await;
        match answer.map_err(|failure| error(Side::Replicator, "look at the wake-up", &failure)) {
            Ok(found) => {
                let at = found.schedule_expression().and_then(read_time);
                let input = found
                    .target()
                    .and_then(|target| target.input())
                    .unwrap_or_default();
                Ok(at.map(|at| RetrySchedule::parse(at, input)))
            }
            Err(error) if *error.cause() == Cause::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Has `wanted` join the wake-up, and says when that is.
    ///
    /// Safe to run twice, and side by side: what others have written in between is joined as well.
    pub async fn merge_retry_schedule(
        &self,
        settings: &settings::RetryTarget,
        wanted: &RetrySchedule,
        now: Timestamp,
    ) -> Result<Timestamp, Error> {
        for _ in 0..TRIES {
            let known = self.wake_up(settings).await?;
            if let Some(known) = known
                .as_ref()
                .filter(|known| known.at > now && known.at <= wanted.at)
                && known.covers(wanted)
            {
                return Ok(known.at);
            }
            let exists = known.is_some();
            let joined = wanted.clone().join(known, now);
            self.write_retry_schedule(settings, &joined, exists).await?;
            tokio::time::sleep(SETTLED).await;
            let written = self.wake_up(settings).await?;
            if let Some(written) = written.filter(|written| written.covers(wanted)) {
                return Ok(written.at);
            }
        }
        Err(
            Error::new(Side::Replicator, Cause::Unavailable, "ask for a wake-up")
                .because("others keep writing it"),
        )
    }

    /// That somebody else was quicker is found out by the look that follows.
    async fn write_retry_schedule(
        &self,
        settings: &settings::RetryTarget,
        wanted: &RetrySchedule,
        exists: bool,
    ) -> Result<(), Error> {
        let client = Client::new(self.config().await);
        let invalid = |failure| {
            Error::new(Side::Replicator, Cause::Invalid, "ask for a wake-up").because(failure)
        };
        let target = Target::builder()
            .arn(&settings.function)
            .role_arn(&settings.role)
            .input(wanted.input());
        let target = target.build().map_err(invalid)?;
        let exactly = FlexibleTimeWindow::builder()
            .mode(FlexibleTimeWindowMode::Off)
            .build()
            .map_err(invalid)?;
        let at = format!(
            "at({})",
            TimeZone::UTC
                .to_datetime(wanted.at)
                .strftime("%Y-%m-%dT%H:%M:%S")
        );
        let then = ActionAfterCompletion::Delete;
        if exists {
            let request = client
                .update_schedule()
                .name(name(settings))
                .schedule_expression(at)
                .target(target);
            let request = request
                .flexible_time_window(exactly)
                .action_after_completion(then);
            unless_raced(request.send().await.map(drop), "ResourceNotFoundException")
        } else {
            let request = client
                .create_schedule()
                .name(name(settings))
                .schedule_expression(at)
                .target(target);
            let request = request
                .flexible_time_window(exactly)
                .action_after_completion(then);
            unless_raced(request.send().await.map(drop), "ConflictException")
        }
    }
}

/// `result`, where the code `race` says that somebody else has just made or removed the schedule, which is no error.
fn unless_raced<E>(result: Result<(), SdkError<E>>, race: &str) -> Result<(), Error>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match result {
        Err(failure) if failure.code() == Some(race) => Ok(()),
        other => other.map_err(|failure| error(Side::Replicator, "ask for a wake-up", &failure)),
    }
}

/// `image-replicator-refresh-deferred`: after the function that is woken up.
fn name(settings: &settings::RetryTarget) -> String {
    let function = settings.function.split(':').nth(6).unwrap_or("refresh");
    let kept: String = function.chars().take(MAX_NAME - SUFFIX.len()).collect();
    format!("{kept}{SUFFIX}")
}

/// The time of `at(2026-11-25T08:15:00)`, which is UTC.
fn read_time(expression: &str) -> Option<Timestamp> {
    let text = expression.strip_prefix("at(")?.strip_suffix(')')?;
    let at: DateTime = text.parse().ok()?;
    at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_called_after_the_function_and_its_time_is_utc() {
        let function =
            "arn:aws:lambda:us-east-1:111122223333:function:image-replicator-refresh".to_owned();
        let settings = settings::RetryTarget {
            function,
            role: String::new(),
        };
        assert_eq!(name(&settings), "image-replicator-refresh-deferred");
        assert_eq!(
            read_time("at(2026-09-21T14:13:20)"),
            Timestamp::from_second(1_790_000_000).ok()
        );
        assert_eq!(read_time("rate(1 hour)"), None);
    }
}
