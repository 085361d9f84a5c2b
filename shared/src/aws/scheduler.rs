//! The one schedule of EventBridge Scheduler that retries deferred images.

use std::time::Duration;

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, Target,
};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Aws, error};
use crate::error::{Cause, Error, Side};
use crate::outcome::retry_schedule::RetrySchedule;
use crate::settings::RetryTarget;

/// The longest name of a schedule.
const MAX_NAME_LENGTH: usize = 64;
const NAME_SUFFIX: &str = "-deferred";
/// The most attempts to write the schedule while others write it too.
const MAX_ATTEMPTS: usize = 4;
/// How long to wait between a write and the check of it. After that, everybody who had read the
/// schedule before has written it too, unless a call took longer.
const SETTLE_TIME: Duration = Duration::from_secs(1);

impl Aws {
    /// The retry schedule; `None` if there is none, or if it was deleted after its time.
    pub async fn retry_schedule(
        &self,
        settings: &RetryTarget,
    ) -> Result<Option<RetrySchedule>, Error> {
        let client = Client::new(self.config().await);
        let name = schedule_name(settings);
        let response = client.get_schedule().name(&name).send().await;
        let action = format!("read the retry schedule {name}");
        let schedule = match response.map_err(|failure| error(Side::Replicator, &action, &failure))
        {
            Err(error) if *error.cause() == Cause::NotFound => return Ok(None),
            result => result?,
        };
        let input = schedule.target().and_then(|target| target.input());
        let at = schedule.schedule_expression().and_then(parse_time);
        Ok(at.map(|at| RetrySchedule::parse(at, input.unwrap_or_default())))
    }

    /// Merges `schedule` into the retry schedule, and returns the time of the schedule.
    ///
    /// Safe to run twice, and concurrently: what others have written in between is merged as well.
    pub async fn merge_retry_schedule(
        &self,
        settings: &RetryTarget,
        schedule: &RetrySchedule,
        now: Timestamp,
    ) -> Result<Timestamp, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let known = self.retry_schedule(settings).await?;
            if let Some(known) = &known
                && known.at > now
                && known.at <= schedule.at
                && known.covers(schedule)
            {
                return Ok(known.at);
            }
            let exists = known.is_some();
            let joined = schedule.clone().join(known, now);
            self.write_retry_schedule(settings, &joined, exists).await?;
            tokio::time::sleep(SETTLE_TIME).await;
            let written = self.retry_schedule(settings).await?;
            if let Some(written) = written
                && written.covers(schedule)
            {
                return Ok(written.at);
            }
        }
        let action = write_action(settings);
        let error = Error::new(Side::Replicator, Cause::Unavailable, action);
        Err(error.because("others keep writing it"))
    }

    /// Updates or creates the schedule. If somebody else has created or deleted it meanwhile, this
    /// writes nothing: the read that follows shows it.
    async fn write_retry_schedule(
        &self,
        settings: &RetryTarget,
        schedule: &RetrySchedule,
        exists: bool,
    ) -> Result<(), Error> {
        let client = Client::new(self.config().await);
        let action = write_action(settings);
        let invalid = |failure: BuildError| {
            Error::new(Side::Replicator, Cause::Invalid, &action).because(failure)
        };
        let name = schedule_name(settings);
        let target = Target::builder()
            .arn(&settings.function)
            .role_arn(&settings.role)
            .input(schedule.input())
            .build()
            .map_err(invalid)?;
        let exact_time = FlexibleTimeWindow::builder()
            .mode(FlexibleTimeWindowMode::Off)
            .build()
            .map_err(invalid)?;
        let expression = schedule_expression(schedule.at);
        if exists {
            let request = client
                .update_schedule()
                .name(name)
                .schedule_expression(expression)
                .target(target)
                .flexible_time_window(exact_time)
                .action_after_completion(ActionAfterCompletion::Delete);
            let written = request.send().await.map(drop);
            ignore_code(written, "ResourceNotFoundException", &action)
        } else {
            let request = client
                .create_schedule()
                .name(name)
                .schedule_expression(expression)
                .target(target)
                .flexible_time_window(exact_time)
                .action_after_completion(ActionAfterCompletion::Delete);
            let written = request.send().await.map(drop);
            ignore_code(written, "ConflictException", &action)
        }
    }
}

fn write_action(settings: &RetryTarget) -> String {
    format!("write the retry schedule {}", schedule_name(settings))
}

/// `result`, or success if its error has the code `ignored`.
fn ignore_code<E>(result: Result<(), SdkError<E>>, ignored: &str, action: &str) -> Result<(), Error>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match result {
        Err(failure) if failure.code() == Some(ignored) => Ok(()),
        other => other.map_err(|failure| error(Side::Replicator, action, &failure)),
    }
}

/// The name of the schedule, after the function that it invokes: `image-replicator-refresh-deferred`.
fn schedule_name(settings: &RetryTarget) -> String {
    let function = settings.function.split(':').nth(6).unwrap_or("refresh");
    let max_length = MAX_NAME_LENGTH - NAME_SUFFIX.len();
    let prefix: String = function.chars().take(max_length).collect();
    format!("{prefix}{NAME_SUFFIX}")
}

/// The time of a schedule: `at(2026-11-25T08:15:00)`, which is UTC.
fn schedule_expression(at: Timestamp) -> String {
    let time = TimeZone::UTC.to_datetime(at);
    let time = time.strftime("%Y-%m-%dT%H:%M:%S");
    format!("at({time})")
}

/// Parses the time of `at(2026-11-25T08:15:00)`, which is UTC.
fn parse_time(expression: &str) -> Option<Timestamp> {
    let text = expression.strip_prefix("at(")?.strip_suffix(')')?;
    let time: DateTime = text.parse().ok()?;
    let time = time.to_zoned(TimeZone::UTC).ok()?;
    Some(time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_named_after_the_function_and_its_time_is_utc() {
        let function = "arn:aws:lambda:us-east-1:111122223333:function:image-replicator-refresh";
        let settings = RetryTarget {
            function: function.to_owned(),
            role: String::new(),
        };
        let name = schedule_name(&settings);
        assert_eq!(name, "image-replicator-refresh-deferred");

        let time = parse_time("at(2026-09-21T14:13:20)").unwrap();
        assert_eq!(time.as_second(), 1_790_000_000);
        assert_eq!(parse_time("rate(1 hour)"), None);
    }
}
