//! Scopes of tokens (distribution spec, "Token Scope Documentation").

use serde::Serialize;

/// `repository:<name>:<action>,<action>`.
#[derive(Serialize)]
pub(super) struct Scope {
    #[serde(rename = "type")]
    kind: &'static str,
    pub(super) name: String,
    pub(super) actions: Vec<String>,
}

impl Scope {
    /// Reads a scope; `None` if it is not a repository scope.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, actions) = text.strip_prefix("repository:")?.rsplit_once(':')?;
        Some(Self {
            kind: "repository",
            name: name.into(),
            actions: actions.split(',').map(str::to_owned).collect(),
        })
    }
}
