//! The repository that a request may access.

use axum::http::StatusCode;

use super::ecr_messages::{no_such_repository, not_authorized};
use super::route::{Route, Target};
use super::{Registry, RegistryKind, Repository};
use crate::caller::{Action, Caller};
use crate::error_response::ErrorResponse;

impl Registry {
    /// The stored name of the repository of `route`, if the caller may access it.
    pub(super) fn open(
        &self,
        route: &Route,
        caller: &Caller,
        action: Action,
    ) -> Result<String, ErrorResponse> {
        let name = self.stored_name(&route.repository)?;
        if action == Action::Push && !self.config().kind.takes_pushes() {
            return Err(self.hidden(&route.repository, action));
        }
        let mut contents = self.contents();
        if !contents.repositories.contains_key(name) {
            if action == Action::Pull || !self.config().kind.creates_repositories() {
                return Err(self.missing(route, name, action));
            }
            contents
                .repositories
                .insert(name.to_owned(), Repository::new(self.now()));
        }
        let repository = &contents.repositories[name];
        if repository.private && caller.user.as_deref() != name.split('/').next() {
            return Err(self.hidden(&route.repository, action));
        }
        if repository.denied {
            Err(denied(name, action))
        } else {
            Ok(name.to_owned())
        }
    }

    /// Repository names in requests to ECR Public begin with the alias of the registry.
    fn stored_name<'a>(&self, name: &'a str) -> Result<&'a str, ErrorResponse> {
        let RegistryKind::EcrPublic { alias } = self.config().kind else {
            return Ok(name);
        };
        let stored = name
            .strip_prefix(alias)
            .and_then(|rest| rest.strip_prefix('/'));
        stored.ok_or_else(|| {
            let message = format!("The repository with name '{name}' does not exist");
            ErrorResponse::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message)
        })
    }

    /// The error for a missing repository. Docker Hub does not distinguish it from a private one.
    /// ECR closes the connection on an upload (dotnet/sdk-container-builds#279).
    fn missing(&self, route: &Route, name: &str, action: Action) -> ErrorResponse {
        match (self.config().kind, &route.target) {
            (RegistryKind::DockerHub, _) => self.hidden(&route.repository, action),
            (kind, Target::Uploads | Target::Upload(_)) if kind.is_ecr() => {
                ErrorResponse::Disconnect
            }
            _ => ErrorResponse::new(
                StatusCode::NOT_FOUND,
                "NAME_UNKNOWN",
                no_such_repository(name),
            ),
        }
    }

    fn hidden(&self, repository: &str, action: Action) -> ErrorResponse {
        let open = || {
            ErrorResponse::new(
                StatusCode::FORBIDDEN,
                "DENIED",
                "requested access to the resource is denied",
            )
        };
        self.config()
            .authentication
            .insufficient_scope(repository, action)
            .unwrap_or_else(open)
    }
}

fn denied(name: &str, action: Action) -> ErrorResponse {
    let permission = if action == Action::Pull {
        "ecr:BatchGetImage"
    } else {
        "ecr:InitiateLayerUpload"
    };
    ErrorResponse::new(
        StatusCode::FORBIDDEN,
        "DENIED",
        not_authorized(permission, name),
    )
}
