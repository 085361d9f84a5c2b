//! Reading the documents of a catalogue from where they are kept. The only module here with IO.

use std::path::Path;

use crate::aws::Aws;
use crate::catalogue::{Document, Problems};
use crate::error::{Cause, Error, Side};
use crate::settings::Location;

/// The documents at `location`. The problems of all documents are reported together.
pub(crate) async fn documents(location: &Location, aws: &Aws) -> Result<Vec<Document>, Error> {
    let texts = match location {
        Location::File(path) => vec![read_file(path)?],
        Location::Ssm(path) => read_parameters(path, aws).await?,
    };
    let mut documents = Vec::with_capacity(texts.len());
    let mut problems = Problems::default();
    for (name, text) in &texts {
        match Document::parse(name, text) {
            Ok(document) => documents.push(document),
            Err(found) => problems.extend(found),
        }
    }
    problems.or(documents).map_err(invalid)
}

fn read_file(path: &Path) -> Result<(String, String), Error> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(invalid(format!("{name}: {error}"))),
    }
}

async fn read_parameters(path: &str, aws: &Aws) -> Result<Vec<(String, String)>, Error> {
    let found = aws.parameters(path).await?;
    if found.is_empty() {
        return Err(invalid(format!(
            "there is no parameter below {path}; put one, for example {path}/default"
        )));
    }
    Ok(found)
}

/// The catalogue cannot be used.
pub(crate) fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Side::Configuration, Cause::Invalid, "read the catalogue").because(why)
}
