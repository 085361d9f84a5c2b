//! Amazon EventBridge Scheduler: one-time schedules and their deliveries.
//!
//! Only `at(…)` in UTC is supported. The [`Clock`] decides when a schedule is due. A test takes due
//! schedules from [`Scheduler::next_due`] and invokes the target itself.
//!
//! Field names, constraints and statuses are those of the API model `scheduler` of 2021-06-30.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::aws::{ActionResult, AwsError, HOME_REGION, read};
use crate::sync::lock;
use crate::{ACCOUNT, Clock};

mod arn;
mod delivery;
mod draft;
mod key;
mod request;
mod rules;
mod schedule;
mod target;

use draft::Draft;
use key::Key;
use request::{DeleteSchedule, GetSchedule};
use schedule::Schedule;

/// The group that every account has.
const DEFAULT_GROUP: &str = "default";

/// The schedules of the account in us-east-1. Clones share their state.
#[derive(Clone, Debug)]
pub struct Scheduler {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

/// A schedule, for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleView {
    /// The name, unique in its group.
    pub name: String,
    /// The name of the group; `default` if none was given.
    pub group: String,
    /// When it is due.
    pub at: Timestamp,
    /// The input as it was given, with its keywords; empty if none was given.
    pub input: String,
    /// The ARN of the target.
    pub target_arn: String,
    /// The ARN of the execution role.
    pub role_arn: String,
    /// `NONE` or `DELETE`.
    pub action_after_completion: &'static str,
}

#[derive(Debug)]
struct State {
    groups: BTreeSet<String>,
    schedules: BTreeMap<Key, Schedule>,
    /// The created and deleted schedules, by client token.
    created: BTreeMap<String, Draft>,
    deleted: BTreeMap<String, Key>,
}

impl Scheduler {
    pub(crate) fn new(clock: Clock) -> Self {
        let groups = BTreeSet::from([DEFAULT_GROUP.to_owned()]);
        let (schedules, created, deleted) = Default::default();
        Self {
            clock,
            state: Arc::new(Mutex::new(State {
                groups,
                schedules,
                created,
                deleted,
            })),
        }
    }

    /// Creates a group unless it exists. The group `default` always exists.
    pub fn create_group(&self, name: &str) {
        self.state().groups.insert(name.to_owned());
    }

    /// Every schedule, including delivered ones, earliest first.
    pub fn schedules(&self) -> Vec<ScheduleView> {
        let mut views: Vec<_> = self
            .state()
            .schedules
            .values()
            .map(Schedule::view)
            .collect();
        views.sort_by_key(|view| view.at);
        views
    }

    /// Delivers the earliest due schedule: the ARN of its target, and the event.
    ///
    /// Each schedule is delivered once. One with `ActionAfterCompletion: DELETE` no longer exists
    /// afterwards.
    pub fn next_due(&self) -> Option<(String, Value)> {
        self.state().deliver(self.clock.now())
    }

    pub(crate) fn call(&self, region: &str, action: &str, input: &Value) -> ActionResult {
        if region != HOME_REGION {
            let message =
                format!("the embedded cloud has schedules in {HOME_REGION} only, not in {region}");
            return Err(AwsError::new("ValidationException", message));
        }
        let now = self.clock.now();
        match action {
            "CreateSchedule" => self.state().create(read(input)?, now),
            "UpdateSchedule" => self.state().update(read(input)?, now),
            "GetSchedule" => self.state().get(&read(input)?),
            "DeleteSchedule" => self.state().delete(&read(input)?),
            _ => Err(AwsError::unknown_operation()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// A request that repeats a client token gets the same response and changes nothing, even after
    /// its time.
    fn create(&mut self, draft: Draft, now: Timestamp) -> ActionResult {
        draft.check()?;
        let key = draft.key();
        if let Some(known) = draft
            .client_token
            .as_ref()
            .and_then(|token| self.created.get(token))
        {
            let other = || conflict("The client token was used for another request.".to_owned());
            return if *known == draft {
                Ok(named(&key))
            } else {
                Err(other())
            };
        }
        self.check_group(&key.group)?;
        if self.schedules.contains_key(&key) {
            return Err(conflict(format!("Schedule {} already exists.", key.name)));
        }
        let schedule = Schedule::new(draft.clone(), now)?;
        self.created
            .extend(draft.client_token.clone().map(|token| (token, draft)));
        self.schedules.insert(key.clone(), schedule);
        Ok(named(&key))
    }

    fn update(&mut self, draft: Draft, now: Timestamp) -> ActionResult {
        draft.check()?;
        let key = draft.key();
        self.check_group(&key.group)?;
        let schedule = self
            .schedules
            .get_mut(&key)
            .ok_or_else(|| no_schedule(&key))?;
        schedule.replace(draft, now)?;
        Ok(named(&key))
    }

    fn get(&self, request: &GetSchedule) -> ActionResult {
        let key = request.key()?;
        self.check_group(&key.group)?;
        self.schedules
            .get(&key)
            .map(Schedule::describe)
            .ok_or_else(|| no_schedule(&key))
    }

    fn delete(&mut self, request: &DeleteSchedule) -> ActionResult {
        let key = request.key()?;
        if request
            .client_token
            .as_ref()
            .is_some_and(|token| self.deleted.get(token) == Some(&key))
        {
            return Ok(json!({}));
        }
        self.check_group(&key.group)?;
        self.schedules
            .remove(&key)
            .ok_or_else(|| no_schedule(&key))?;
        self.deleted
            .extend(request.client_token.clone().map(|token| (token, key)));
        Ok(json!({}))
    }

    fn deliver(&mut self, now: Timestamp) -> Option<(String, Value)> {
        let due = self
            .schedules
            .iter_mut()
            .filter(|(_, schedule)| schedule.is_due(now));
        let (key, schedule) = due.min_by_key(|(_, schedule)| schedule.at())?;
        let delivery = schedule.deliver();
        if schedule.goes_when_done() {
            let key = key.clone();
            self.schedules.remove(&key);
        }
        Some(delivery)
    }

    fn check_group(&self, name: &str) -> Result<(), AwsError> {
        let missing = || missing(format!("Schedule group {name} does not exist."));
        self.groups.contains(name).then_some(()).ok_or_else(missing)
    }
}

fn named(key: &Key) -> Value {
    json!({ "ScheduleArn": key.arn() })
}

fn no_schedule(key: &Key) -> AwsError {
    missing(format!("Schedule {} does not exist.", key.name))
}

fn missing(message: String) -> AwsError {
    AwsError::new("ResourceNotFoundException", message)
}

fn conflict(message: String) -> AwsError {
    AwsError::new("ConflictException", message)
}

fn arn_prefix() -> String {
    format!("arn:aws:scheduler:{HOME_REGION}:{ACCOUNT}:schedule/")
}
