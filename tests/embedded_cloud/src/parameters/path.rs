//! Names and hierarchies of parameters, by the rules of Parameter Store.

use crate::aws::AwsError;

/// The deepest hierarchy that Parameter Store accepts.
const MAX_LEVELS: usize = 15;

/// A hierarchy such as `/image-replicator/catalogue`.
#[derive(Debug)]
pub(super) struct Path<'a> {
    /// Without a trailing slash; empty for the root.
    prefix: &'a str,
}

impl<'a> Path<'a> {
    /// Checks a path as `GetParametersByPath` does. A trailing slash is allowed and has no effect.
    pub(super) fn parse(path: &'a str) -> Result<Self, AwsError> {
        let prefix = path.strip_suffix('/').unwrap_or(path);
        let root = prefix.is_empty() && path == "/";
        if root || (path.starts_with('/') && is_name(prefix)) {
            Ok(Self { prefix })
        } else {
            Err(refused())
        }
    }

    /// Whether the parameter is below the path: on the next level only, unless the search is
    /// recursive.
    pub(super) fn holds(&self, name: &str, recursive: bool) -> bool {
        let below = name
            .strip_prefix(self.prefix)
            .and_then(|rest| rest.strip_prefix('/'));
        below.is_some_and(|rest| recursive || !rest.contains('/'))
    }
}

/// Whether Parameter Store accepts the name. A name with levels begins with a slash, has no empty
/// level, and does not use a reserved prefix.
pub(super) fn is_name(name: &str) -> bool {
    let (hierarchical, levels) = match name.strip_prefix('/') {
        Some(levels) => (true, levels),
        None => (false, name),
    };
    let reserved = |prefix: &str| {
        levels
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    (hierarchical || !levels.contains('/'))
        && levels.split('/').count() <= MAX_LEVELS
        && levels.split('/').all(is_level)
        && !reserved("aws")
        && !reserved("ssm")
}

fn is_level(level: &str) -> bool {
    !level.is_empty()
        && level
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// The error text of AWS.
fn refused() -> AwsError {
    let message = "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a \
                   forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use \
                   only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special \
                   characters are not allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". \
                   Valid example: /get/parameters2-/by1./path0_.";
    AwsError::new("ValidationException", message)
}
