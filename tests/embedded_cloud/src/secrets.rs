//! AWS Secrets Manager: secrets with versions, read by name or by ARN.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::{ActionResult, AwsError, HOME_REGION, read, unique_id};
use crate::sync::lock;
use crate::{ACCOUNT, Clock};

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// The secrets of the account in us-east-1. Clones share their state.
#[derive(Clone, Debug)]
pub struct Secrets {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// By name; the newest version is last.
    secrets: BTreeMap<String, Vec<Version>>,
    denied: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Version {
    id: String,
    value: String,
    created: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetSecretValue {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

impl Secrets {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::default(),
        }
    }

    /// Stores a value under a name and returns the ARN of the secret.
    ///
    /// Storing again rotates the secret: the new version becomes `AWSCURRENT`, the previous one
    /// `AWSPREVIOUS`.
    pub fn put(&self, name: &str, value: &str) -> String {
        let version = Version {
            id: unique_id(),
            value: value.to_owned(),
            created: self.clock.now(),
        };
        self.state()
            .secrets
            .entry(name.to_owned())
            .or_default()
            .push(version);
        arn(name)
    }

    /// Denies reading a secret, as for a role without the permission. The secret need not exist.
    pub fn deny(&self, name: &str) {
        self.state().denied.insert(name.to_owned());
    }

    pub(crate) fn call(&self, region: &str, action: &str, input: &Value) -> ActionResult {
        match action {
            "GetSecretValue" => self.state().get(region, &read(input)?),
            _ => Err(AwsError::unknown_operation()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// Permission is checked first: AWS does not disclose which secrets exist.
    fn get(&self, region: &str, request: &GetSecretValue) -> ActionResult {
        if let Some(name) = self
            .denied
            .iter()
            .find(|name| is_named(name, &request.secret_id))
        {
            return Err(denied(name));
        }
        let found = self
            .secrets
            .iter()
            .find(|(name, _)| region == HOME_REGION && is_named(name, &request.secret_id));
        let (name, versions) =
            found.ok_or_else(|| missing("Secrets Manager can't find the specified secret."))?;
        let wanted =
            |index: &usize| request.wants(&versions[*index].id, stage(*index, versions.len()));
        let index = (0..versions.len())
            .rev()
            .find(wanted)
            .ok_or_else(|| request.missing_version())?;
        let Version { id, value, created } = &versions[index];
        Ok(json!({
            "ARN": arn(name),
            "Name": name,
            "VersionId": id,
            "SecretString": value,
            "VersionStages": Vec::from_iter(stage(index, versions.len())),
            "CreatedDate": created.as_second(),
        }))
    }
}

impl GetSecretValue {
    fn wants(&self, id: &str, stage: Option<&str>) -> bool {
        match (&self.version_id, &self.version_stage) {
            (None, None) => stage == Some(CURRENT),
            (id_wanted, stage_wanted) => {
                id_wanted.as_deref().is_none_or(|wanted| wanted == id)
                    && stage_wanted
                        .as_deref()
                        .is_none_or(|wanted| stage == Some(wanted))
            }
        }
    }

    fn missing_version(&self) -> AwsError {
        let (by, which) = match (&self.version_id, &self.version_stage) {
            (Some(id), _) => ("VersionId", id.as_str()),
            (None, stage) => ("staging label", stage.as_deref().unwrap_or(CURRENT)),
        };
        missing(&format!(
            "Secrets Manager can't find the specified secret value for {by}: {which}"
        ))
    }
}

/// The staging label of a version by its age. Older versions have no label and are found by ID
/// only.
fn stage(index: usize, versions: usize) -> Option<&'static str> {
    match versions - index {
        1 => Some(CURRENT),
        2 => Some(PREVIOUS),
        _ => None,
    }
}

/// Whether the identifier is the name, the ARN, or the ARN without its random suffix, which AWS
/// completes.
fn is_named(name: &str, id: &str) -> bool {
    let arn = arn(name);
    id == name || id == arn || arn.strip_suffix("-AbCdEf") == Some(id)
}

fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{HOME_REGION}:{ACCOUNT}:secret:{name}-AbCdEf")
}

fn missing(message: &str) -> AwsError {
    AwsError::new("ResourceNotFoundException", message)
}

fn denied(name: &str) -> AwsError {
    let message = format!(
        "User: arn:aws:sts::{ACCOUNT}:assumed-role/image-replicator/function is not authorized to perform: \
         secretsmanager:GetSecretValue on resource: {name} because no identity-based policy allows the \
         secretsmanager:GetSecretValue action"
    );
    AwsError::new("AccessDeniedException", message)
}
