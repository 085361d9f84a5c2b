//! `serve`: the two registries, for tools that are run by hand.

use crate::args::Serve;
use crate::output;
use crate::world::{Plan, World};

/// Starts the registries, says how to use them, and stays up until it is ended.
pub(crate) fn run(asked: Serve) -> Result<(), String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let Serve {
        item: items,
        network,
        timeline,
        rules,
        distance,
    } = asked;
    let names: Vec<_> = items
        .iter()
        .flat_map(|item| item.names().into_iter().take(1))
        .collect();
    let world = World::start(
        &Plan {
            network,
            items,
            rules,
            distance,
            timeline,
        },
        directory.path(),
    )?;
    let (source, destination) = (world.source.address, world.destination.address);
    output::line(format_args!("source       {source}"));
    output::line(format_args!("destination  {destination}"));
    if let Some(authority) = &world.authority {
        output::line(format_args!(
            "authority    SSL_CERT_FILE={}",
            authority.display()
        ));
    }
    let verify = format!(
        "--src-tls-verify={0} --dest-tls-verify={0}",
        world.network.is_secured()
    );
    output::line("\nFor example:\n");
    for (repository, tag) in names {
        let image = format!("{repository}:{tag}");
        output::line(format_args!(
            "skopeo copy --all {verify} docker://{source}/{image} docker://{destination}/{image}"
        ));
    }
    for (name, registry) in [
        ("source", &world.source),
        ("destination", &world.destination),
    ] {
        let control = registry.control_address();
        output::line(format_args!(
            "\nWhat was asked of the {name}, and what it holds; and back to the beginning:\n"
        ));
        output::line(format_args!(
            "curl http://{control}/counts http://{control}/known_content"
        ));
        output::line(format_args!("curl -X POST http://{control}/reset"));
    }
    output::line("\nUp until Ctrl-C.");
    loop {
        std::thread::park();
    }
}
