//! Planning: what it costs the processor and the memory to read a large catalogue and to decide about all of it.
//!
//! The worst night: every tag has moved, each stands for an index of eight platforms with attestations, and the index that the
//! mirror has is at hand to tell the price. Requests to registries are left out; their number is that of the survey's entries.

use std::collections::BTreeMap;

use image_replicator::catalogue::{Catalogue, Document};
use image_replicator::image::digest::Digest;
use image_replicator::image::manifest::Manifest;
use image_replicator::image::reference::RepositoryRef;
use image_replicator::plan::budget::Budget;
use image_replicator::plan::{Action, Plan, RepositoryTags, Survey, UpstreamTag, plan};
use image_replicator::request::{DestinationRoots, Request, Trigger, TriggerKind, requests};
use jiff::Timestamp;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde_json::{Value, json};

use crate::output;
use crate::statistics::median;

const REGISTRY: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com";
const PLATFORMS: [&str; 8] = [
    "amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "mips64le",
];
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// How much is planned.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Repositories of the catalogue
    #[arg(long, default_value_t = 1000)]
    repositories: usize,
    /// Tags of each
    #[arg(long, default_value_t = 10)]
    tags: usize,
    /// How often it is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
}

/// Plans several times and prints what that took.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let text = catalogue(options);
    let mut seconds = Vec::new();
    let mut last = (Vec::new(), Plan::default());
    let mut survey = None;
    for _ in 0..options.runs {
        let began = cpu_seconds()?;
        let requests = read(&text)?;
        let mut spent = cpu_seconds()? - began;
        let survey = survey.get_or_insert_with(|| worst_night(&requests));
        let began = cpu_seconds()?;
        let plan = plan(&requests, survey, Some(&budget()), Timestamp::now());
        spent += cpu_seconds()? - began;
        seconds.push(spent);
        last = (requests, plan);
    }
    let survey = survey.expect("there was a run");
    let (requests, plan) = last;
    let copies = plan
        .0
        .iter()
        .flat_map(|planned| &planned.steps)
        .filter(|step| matches!(step.action, Action::Copy(_)));
    let peak_mebibytes = getrusage(UsageWho::RUSAGE_SELF)
        .map_err(|error| error.to_string())?
        .max_rss()
        / 1024;
    output::line(format_args!(
        "{} tags in {} repositories: {:.2} s of processor time to read and to plan (median of {}), {peak_mebibytes} MiB at the most;\n\
         asked for by {} HEADs upstream and {} DescribeImages; {} copies fit into the budget",
        requests.len(),
        options.repositories,
        median(&seconds),
        options.runs,
        survey.upstream.len(),
        survey.mirrors.len(),
        copies.count(),
    ));
    Ok(())
}

fn cpu_seconds() -> Result<f64, String> {
    let used = getrusage(UsageWho::RUSAGE_SELF).map_err(|error| error.to_string())?;
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run fit")]
    let seconds = (used.user_time() + used.system_time()).num_microseconds() as f64 / 1e6;
    Ok(seconds)
}

/// A catalogue as a user writes it.
fn catalogue(options: &Options) -> String {
    let tags = (0..options.tags)
        .map(|tag| format!("'1.{tag}'"))
        .collect::<Vec<_>>()
        .join(", ");
    let image = |number| {
        format!(
            "  - {{ image: team{}/app{number}, tags: [{tags}], priority: {} }}\n",
            number % 50,
            number % 7
        )
    };
    let images: String = (0..options.repositories).map(image).collect();
    format!(
        "destinations:\n  private: {{ ecr: {{ repository: 'docker-hub/{{repository}}' }} }}\ndefaults: {{ platforms: [linux/amd64, linux/arm64] }}\nimages:\n{images}"
    )
}

fn read(text: &str) -> Result<Vec<Request>, String> {
    let document = Document::parse("catalogue", text).map_err(|problems| problems.to_string())?;
    let catalogue = Catalogue::merge(&[document]).map_err(|problems| problems.to_string())?;
    let registry = RepositoryRef {
        registry: REGISTRY.to_owned(),
        path: String::new(),
    };
    let places: DestinationRoots = [("private".to_owned(), Ok(registry))].into();
    let trigger = Trigger {
        kind: TriggerKind::Schedule,
        id: "night".to_owned(),
    };
    Ok(requests(&catalogue, &catalogue.images, &places, &trigger))
}

/// Every tag has moved.
fn worst_night(requests: &[Request]) -> Survey {
    let mut survey = Survey::default();
    let mut mirrors: BTreeMap<RepositoryRef, RepositoryTags> = BTreeMap::new();
    for request in requests {
        let (old, new) = (
            index(&request.image.to_string()),
            Digest::from_content(request.image.to_string().as_bytes()),
        );
        let seen = UpstreamTag {
            is_index: Some(true),
            size_bytes: Some(old.bytes.len() as u64),
            is_metered: true,
            ..new.into()
        };
        survey.upstream.insert(request.image.clone(), Ok(seen));
        for target in &request.targets {
            let mirror = mirrors.entry(target.uri.repository().clone()).or_default();
            mirror.insert(target.uri.tag().to_owned(), old.digest.clone());
            survey.predecessors.insert(target.uri.clone(), old.clone());
        }
    }
    survey.mirrors = mirrors
        .into_iter()
        .map(|(repository, mirror)| (repository, Ok(mirror)))
        .collect();
    survey
}

/// An index of eight platforms, with what attests each.
fn index(name: &str) -> Manifest {
    let image = |architecture: &str| {
        let digest = Digest::from_content(format!("{name} {architecture}").as_bytes());
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1000,
               "platform": {"os": "linux", "architecture": architecture}})
    };
    let attestation = |architecture: &str| {
        let of = Digest::from_content(format!("{name} {architecture}").as_bytes());
        let digest = Digest::from_content(format!("{name} {architecture} attestation").as_bytes());
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 800,
               "platform": {"os": "unknown", "architecture": "unknown"},
               "annotations": {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": of}})
    };
    let children: Vec<Value> = PLATFORMS
        .into_iter()
        .map(image)
        .chain(PLATFORMS.into_iter().map(attestation))
        .collect();
    let bytes = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).to_string();
    Manifest::parse(bytes.into_bytes().into(), Some(INDEX)).expect("this is an index")
}

fn budget() -> Budget {
    Budget {
        limit: 5000,
        remaining: 5000,
        reserve: 500,
        window: std::time::Duration::from_hours(6),
    }
}
