//! Planning: the processor time and the memory that it takes to read a large catalogue and to plan
//! it.
//!
//! This measures the worst case. Every tag has moved, each image is an index of eight platforms
//! with attestations, and the previous index is available to estimate the price. Requests to
//! registries are not made: the survey already has the responses.

use std::collections::BTreeMap;
use std::time::Duration;

use image_replicator::catalogue::{Catalogue, Document};
use image_replicator::image::digest::Digest;
use image_replicator::image::manifest::Manifest;
use image_replicator::image::reference::RepositoryRef;
use image_replicator::plan::Plan;
use image_replicator::plan::budget::Budget;
use image_replicator::plan::decide::plan;
use image_replicator::plan::survey::{RepositoryTags, Survey, UpstreamTag};
use image_replicator::request::resolve::requests;
use image_replicator::request::{DestinationRoots, Request, Trigger, TriggerKind};
use jiff::Timestamp;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde_json::{Value, json};

use crate::output;
use crate::statistics::median;

const REGISTRY: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com";
const ARCHITECTURES: [&str; 8] = [
    "amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "mips64le",
];
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Destinations and defaults of the catalogue.
const CATALOGUE_HEAD: &str = "\
destinations:
  private: { ecr: { repository: 'docker-hub/{repository}' } }
defaults: { platforms: [linux/amd64, linux/arm64] }
";

/// How much is planned.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Repositories in the catalogue
    #[arg(long, default_value_t = 1000)]
    repositories: usize,
    /// Tags of each repository
    #[arg(long, default_value_t = 10)]
    tags: usize,
    /// Number of measurements
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
}

/// Plans several times, and prints the median of the time and the peak of the memory.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let catalogue = catalogue(options);
    let survey = worst_case(&read(&catalogue)?);
    let mut seconds = Vec::new();
    let mut copies = 0;
    for _ in 0..options.runs {
        let start = cpu_seconds()?;
        let requests = read(&catalogue)?;
        let plan = plan(requests, &survey, Some(&budget()), Timestamp::now());
        seconds.push(cpu_seconds()? - start);
        copies = count_copies(&plan);
    }
    let peak_mib = resources()?.max_rss() / 1024;
    output::stdout_line(format_args!(
        "{} tags in {} repositories: {:.2} s of processor time to read and to plan \
         (median of {}), {peak_mib} MiB peak memory;\n\
         the survey would send {} HEAD requests upstream and {} DescribeImages requests; \
         the budget suffices for {copies} copies",
        options.repositories * options.tags,
        options.repositories,
        median(&seconds),
        options.runs,
        survey.upstream.len(),
        survey.destinations.len(),
    ));
    Ok(())
}

fn count_copies(plan: &Plan) -> usize {
    let steps = plan.0.iter().flat_map(|planned| &planned.steps);
    steps.filter(|step| step.action.copied().is_some()).count()
}

/// The processor time of this process so far.
fn cpu_seconds() -> Result<f64, String> {
    let used = resources()?;
    let time = used.user_time() + used.system_time();
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run fit")]
    let seconds = time.num_microseconds() as f64 / 1e6;
    Ok(seconds)
}

fn resources() -> Result<Usage, String> {
    getrusage(UsageWho::RUSAGE_SELF).map_err(|error| error.to_string())
}

/// The YAML of a catalogue.
fn catalogue(options: &Options) -> String {
    let tags: Vec<String> = (0..options.tags).map(|tag| format!("'1.{tag}'")).collect();
    let tags = tags.join(", ");
    let mut images = Vec::new();
    for number in 0..options.repositories {
        let team = number % 50;
        let priority = number % 7;
        images.push(format!(
            "  - {{ image: team{team}/app{number}, tags: [{tags}], priority: {priority} }}\n"
        ));
    }
    format!("{CATALOGUE_HEAD}images:\n{}", images.concat())
}

/// Reads a catalogue, and returns the requests of a schedule.
fn read(text: &str) -> Result<Vec<Request>, String> {
    let document = Document::parse("catalogue", text).map_err(|problems| problems.to_string())?;
    let catalogue = Catalogue::merge(&[document]).map_err(|problems| problems.to_string())?;
    let registry = RepositoryRef {
        registry: REGISTRY.to_owned(),
        path: String::new(),
    };
    let roots: DestinationRoots = [("private".to_owned(), Ok(registry))].into();
    let trigger = Trigger {
        kind: TriggerKind::Schedule,
        id: "night".to_owned(),
    };
    Ok(requests(&catalogue, &catalogue.images, &roots, &trigger))
}

/// A survey in which every tag has moved.
fn worst_case(requests: &[Request]) -> Survey {
    let mut survey = Survey::default();
    let mut mirrors: BTreeMap<RepositoryRef, RepositoryTags> = BTreeMap::new();
    for request in requests {
        let image = request.image.to_string();
        let previous = index(&image);
        let current = Digest::from_content(image.as_bytes());
        let upstream = UpstreamTag {
            is_index: Some(true),
            size_bytes: Some(previous.bytes.len() as u64),
            is_metered: true,
            ..current.into()
        };
        survey.upstream.insert(request.image.clone(), Ok(upstream));
        for target in &request.targets {
            let repository = target.uri.repository().clone();
            let tags = mirrors.entry(repository).or_default();
            tags.insert(target.uri.tag().to_owned(), previous.digest.clone());
            let predecessors = &mut survey.predecessors;
            predecessors.insert(target.uri.clone(), previous.clone());
        }
    }
    for (repository, tags) in mirrors {
        survey.destinations.insert(repository, Ok(tags));
    }
    survey
}

/// An index of eight platforms, with an attestation of each.
fn index(name: &str) -> Manifest {
    let mut images = Vec::new();
    let mut attestations = Vec::new();
    for architecture in ARCHITECTURES {
        let digest = Digest::from_content(format!("{name} {architecture}").as_bytes());
        images.push(json!({
            "mediaType": MANIFEST,
            "digest": digest,
            "size": 1000,
            "platform": { "os": "linux", "architecture": architecture },
        }));
        attestations.push(attestation_descriptor(name, architecture, &digest));
    }
    images.extend(attestations);
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": images });
    let bytes = index.to_string().into_bytes();
    Manifest::parse(bytes.into(), Some(INDEX)).expect("this is an index")
}

fn attestation_descriptor(name: &str, architecture: &str, image: &Digest) -> Value {
    let content = format!("{name} {architecture} attestation");
    json!({
        "mediaType": MANIFEST,
        "digest": Digest::from_content(content.as_bytes()),
        "size": 800,
        "platform": { "os": "unknown", "architecture": "unknown" },
        "annotations": {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image,
        },
    })
}

fn budget() -> Budget {
    Budget {
        limit: 5000,
        remaining: 5000,
        reserve: 500,
        window: Duration::from_hours(6),
    }
}
