//! AWS Systems Manager Parameter Store: a tree of named values, read one by one or by path.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ACCOUNT;
use crate::aws::{ActionResult, AwsError, HOME_REGION, read};
use crate::sync::lock;

mod path;
mod request;

use path::Path;
use request::{GetParameter, GetParametersByPath, MAX_PAGE};

/// The parameters of the account in us-east-1. Clones share their state.
#[derive(Clone, Debug)]
pub struct Parameters(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    parameters: BTreeMap<String, Parameter>,
    /// The largest page, whatever the request asks.
    page: usize,
}

#[derive(Debug)]
struct Parameter {
    value: String,
    secure: bool,
    version: u32,
    modified: Timestamp,
}

impl Parameters {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            parameters: BTreeMap::new(),
            page: MAX_PAGE,
        })))
    }

    /// Stores a `String` parameter. Storing again creates the next version.
    ///
    /// # Panics
    /// If Parameter Store would refuse the name.
    pub fn put(&self, name: &str, value: &str) {
        self.store(name, value, false);
    }

    /// Stores a `SecureString` parameter. Its value is readable only with decryption.
    ///
    /// # Panics
    /// If Parameter Store would refuse the name.
    pub fn put_secure(&self, name: &str, value: &str) {
        self.store(name, value, true);
    }

    /// Limits pages to `most` parameters. AWS guarantees only an upper bound; a page may even be
    /// empty.
    pub fn limit_pages(&self, most: usize) {
        self.state().page = most;
    }

    pub(crate) fn call(&self, region: &str, action: &str, input: &Value) -> ActionResult {
        if region != HOME_REGION {
            return Self::new().call(HOME_REGION, action, input);
        }
        match action {
            "GetParameter" => self.state().get(&read(input)?),
            "GetParametersByPath" => self.state().list(&read(input)?),
            _ => Err(AwsError::unknown_operation()),
        }
    }

    fn store(&self, name: &str, value: &str, secure: bool) {
        assert!(path::is_name(name), "{name} is no parameter name");
        let mut state = self.state();
        let version = state
            .parameters
            .get(name)
            .map_or(1, |parameter| parameter.version + 1);
        let parameter = Parameter {
            value: value.to_owned(),
            secure,
            version,
            modified: Timestamp::now(),
        };
        state.parameters.insert(name.to_owned(), parameter);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl State {
    fn get(&self, request: &GetParameter) -> ActionResult {
        let parameter = self.parameters.get(&request.name);
        let parameter = parameter.ok_or_else(|| AwsError::new("ParameterNotFound", ""))?;
        Ok(json!({ "Parameter": parameter.view(&request.name, request.with_decryption) }))
    }

    fn list(&self, request: &GetParametersByPath) -> ActionResult {
        let path = Path::parse(&request.path)?;
        let below: Vec<_> = self
            .parameters
            .iter()
            .filter(|(name, _)| path.holds(name, request.recursive))
            .collect();
        let start = request.start(below.len())?;
        let end = below.len().min(start + request.page()?.min(self.page));
        let views = below[start..end]
            .iter()
            .map(|(name, parameter)| parameter.view(name, request.with_decryption));
        let mut output = json!({ "Parameters": views.collect::<Vec<_>>() });
        if end < below.len() {
            output["NextToken"] = request::token(end).into();
        }
        Ok(output)
    }
}

impl Parameter {
    fn view(&self, name: &str, decrypted: bool) -> Value {
        let value = if self.secure && !decrypted {
            ciphertext(&self.value)
        } else {
            self.value.clone()
        };
        json!({
            "Name": name,
            "Type": if self.secure { "SecureString" } else { "String" },
            "Value": value,
            "Version": self.version,
            "LastModifiedDate": self.modified.as_second(),
            "ARN": format!("arn:aws:ssm:{HOME_REGION}:{ACCOUNT}:parameter/{}", name.trim_start_matches('/')),
            "DataType": "text",
        })
    }
}

/// An opaque value, in place of the ciphertext of KMS.
fn ciphertext(value: &str) -> String {
    format!("AQICAH{}", STANDARD.encode(value))
}
