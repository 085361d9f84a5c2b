//! `benches serve`: runs the two registries for tools that are started by hand.

use crate::args::Serve;
use crate::item::Item;
use crate::output::stdout_line;
use crate::world::{Setup, World};

/// Starts the registries, prints how to use them, and runs until it is ended.
pub(crate) fn run(options: Serve) -> Result<(), String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let setup = Setup {
        network: options.network,
        items: options.item,
        rules: options.rules,
        distance: options.distance,
        timeline: options.timeline,
    };
    let world = World::start(&setup, directory.path())?;
    print_addresses(&world);
    print_examples(&world, &setup.items);
    print_control_commands(&world);
    stdout_line("\nPress Ctrl-C to stop.");
    loop {
        std::thread::park();
    }
}

fn print_addresses(world: &World) {
    stdout_line(format_args!("source       {}", world.source.address));
    stdout_line(format_args!("destination  {}", world.destination.address));
    if let Some(authority) = &world.authority {
        let path = authority.display();
        stdout_line(format_args!("authority    SSL_CERT_FILE={path}"));
    }
}

/// Prints a skopeo command for the first image of each item.
fn print_examples(world: &World, items: &[Item]) {
    let source = world.source.address;
    let destination = world.destination.address;
    let verify = world.network.uses_tls();
    let options = format!("--all --src-tls-verify={verify} --dest-tls-verify={verify}");
    stdout_line("\nExamples:\n");
    for item in items {
        if let Some((repository, tag)) = item.names().first() {
            let from = format!("docker://{source}/{repository}:{tag}");
            let to = format!("docker://{destination}/{repository}:{tag}");
            stdout_line(format_args!("skopeo copy {options} {from} {to}"));
        }
    }
}

fn print_control_commands(world: &World) {
    let registries = [
        ("source", &world.source),
        ("destination", &world.destination),
    ];
    for (name, registry) in registries {
        let control = registry.control_address;
        stdout_line(format_args!(
            "\nTo read the request counts and the content of the {name}, and to reset it:\n"
        ));
        stdout_line(format_args!(
            "curl http://{control}/counts http://{control}/content"
        ));
        stdout_line(format_args!("curl -X POST http://{control}/reset"));
    }
}
