//! `CreateRepository` and `DescribeRepositories`.

use serde_json::{Value, json};

use super::input::{Input, invalid};
use super::{EcrApi, not_found, page, seconds, settings, tags};
use crate::ACCOUNT;
use crate::aws::{ActionResult, AwsError};
use crate::registry::{RegistryKind, Repository};

impl EcrApi<'_> {
    pub(super) fn create_repository(&self, input: &Value) -> ActionResult {
        let name = input.required("repositoryName")?;
        self.check_name(name)?;
        let mut repository = Repository::new(self.registry.now());
        repository.resource_tags = tags::parse(input)?;
        tags::check_number(&repository.resource_tags)?;
        self.read_settings(&mut repository, input)?;
        let document = self.describe(name, &repository);
        let mut contents = self.registry.contents();
        if contents.repositories.contains_key(name) {
            let message = format!(
                "The repository with name '{name}' already exists in the registry with id '{ACCOUNT}'"
            );
            return Err(AwsError::new("RepositoryAlreadyExistsException", message));
        }
        let catalog = repository.catalog.clone();
        contents.repositories.insert(name.to_owned(), repository);
        let mut answer = json!({ "repository": document });
        if self.is_public() {
            answer["catalogData"] = if catalog.is_null() {
                json!({})
            } else {
                catalog
            };
        }
        Ok(answer)
    }

    pub(super) fn describe_repositories(&self, input: &Value) -> ActionResult {
        let names = input.list("repositoryNames", 100)?;
        let contents = self.registry.contents();
        if names.is_empty() {
            let all = contents
                .repositories
                .iter()
                .map(|(name, repository)| self.describe(name, repository));
            return page::page(all.collect(), input, "repositories");
        }
        if !input["maxResults"].is_null() || !input["nextToken"].is_null() {
            return Err(invalid("'repositoryNames' cannot be combined with pages"));
        }
        let wanted = names.iter().map(|name| {
            let name = name
                .as_str()
                .ok_or_else(|| invalid("'repositoryNames' must be strings"))?;
            let repository = contents
                .repositories
                .get(name)
                .ok_or_else(|| not_found(name))?;
            Ok(self.describe(name, repository))
        });
        Ok(json!({ "repositories": wanted.collect::<Result<Vec<_>, AwsError>>()? }))
    }

    fn read_settings(&self, repository: &mut Repository, input: &Value) -> Result<(), AwsError> {
        if self.is_public() {
            repository.catalog = input["catalogData"].clone();
            return Ok(());
        }
        repository.mutability = settings::mutability(input)?;
        repository.scan_on_push = input["imageScanningConfiguration"]["scanOnPush"]
            .as_bool()
            .unwrap_or(false);
        Ok(())
    }

    fn describe(&self, name: &str, repository: &Repository) -> Value {
        let namespace = match self.registry.config().kind {
            RegistryKind::EcrPublic { alias } => format!("{}/{alias}", self.registry.host()),
            _ => self.registry.host().to_owned(),
        };
        let mut document = json!({
            "repositoryArn": format!("{}{name}", self.arn_prefix),
            "registryId": ACCOUNT,
            "repositoryName": name,
            "repositoryUri": format!("{namespace}/{name}"),
            "createdAt": seconds(repository.created_at),
        });
        if !self.is_public() {
            document["imageTagMutability"] = repository.mutability.mode.clone().into();
            document["imageScanningConfiguration"] =
                json!({ "scanOnPush": repository.scan_on_push });
            document["encryptionConfiguration"] = json!({ "encryptionType": "AES256" });
            settings::add_filters(&mut document, &repository.mutability);
        }
        document
    }

    /// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` between slashes, 2 to 256 characters; ECR Public has 205
    /// and no double separators.
    fn check_name(&self, name: &str) -> Result<(), AwsError> {
        let (most, public) = if self.is_public() {
            (205, true)
        } else {
            (256, false)
        };
        if (2..=most).contains(&name.len())
            && name.split('/').all(|part| is_component(part, public))
        {
            return Ok(());
        }
        Err(invalid(format!(
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: '{name}'"
        )))
    }
}

fn is_component(part: &str, public: bool) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let edges = part.bytes().next().is_some_and(word) && part.bytes().next_back().is_some_and(word);
    let mut separators =
        part.split(|character: char| character.is_ascii_lowercase() || character.is_ascii_digit());
    edges
        && separators.all(|separator| match separator {
            "" | "." | "_" | "-" => true,
            "__" => !public,
            dashes => !public && dashes.bytes().all(|byte| byte == b'-'),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_has_words_between_its_separators() {
        for legal in ["node", "a.b", "a__b", "a---b", "0"] {
            assert!(is_component(legal, false), "{legal}");
        }
        for illegal in ["", "Node", "-a", "a_", "a..b", "a___b", "a-_b"] {
            assert!(!is_component(illegal, false), "{illegal}");
        }
        assert!(!is_component("a__b", true));
    }
}
