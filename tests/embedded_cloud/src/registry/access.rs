//! Which repository a request reaches.

use axum::http::StatusCode;

use super::gate::{Action, Caller};
use super::route::{Route, Target};
use super::wording::{no_such_repository, not_authorized};
use super::{Dialect, Registry, Repository};
use crate::refusal::Refusal;

impl Registry {
    /// The name under which the repository of `route` is stored, if the caller may use it.
    pub(super) fn open(
        &self,
        route: &Route,
        caller: &Caller,
        action: Action,
    ) -> Result<String, Refusal> {
        let name = self.stored_name(&route.repository)?;
        if action == Action::Push && !self.parts().dialect.takes_pushes() {
            return Err(self.hidden(&route.repository, action));
        }
        let mut contents = self.contents();
        if !contents.repositories.contains_key(name) {
            if action == Action::Pull || !self.parts().dialect.creates_repositories() {
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

    /// In ECR Public, names on the wire begin with the alias of the registry.
    fn stored_name<'a>(&self, name: &'a str) -> Result<&'a str, Refusal> {
        let Dialect::EcrPublic { alias } = self.parts().dialect else {
            return Ok(name);
        };
        let stored = name
            .strip_prefix(alias)
            .and_then(|rest| rest.strip_prefix('/'));
        stored.ok_or_else(|| {
            let message = format!("The repository with name '{name}' does not exist");
            Refusal::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message)
        })
    }

    /// Missing repositories: Docker Hub does not tell them from hidden ones, and ECR hangs up on an upload
    /// (dotnet/sdk-container-builds#279).
    fn missing(&self, route: &Route, name: &str, action: Action) -> Refusal {
        match (self.parts().dialect, &route.target) {
            (Dialect::DockerHub, _) => self.hidden(&route.repository, action),
            (dialect, Target::Uploads | Target::Upload(_)) if dialect.is_ecr() => Refusal::Cut,
            _ => Refusal::new(
                StatusCode::NOT_FOUND,
                "NAME_UNKNOWN",
                no_such_repository(name),
            ),
        }
    }

    fn hidden(&self, repository: &str, action: Action) -> Refusal {
        let open = || {
            Refusal::new(
                StatusCode::FORBIDDEN,
                "DENIED",
                "requested access to the resource is denied",
            )
        };
        self.parts()
            .gate
            .insufficient_scope(repository, action)
            .unwrap_or_else(open)
    }
}

fn denied(name: &str, action: Action) -> Refusal {
    let permission = if action == Action::Pull {
        "ecr:BatchGetImage"
    } else {
        "ecr:InitiateLayerUpload"
    };
    Refusal::new(
        StatusCode::FORBIDDEN,
        "DENIED",
        not_authorized(permission, name),
    )
}
