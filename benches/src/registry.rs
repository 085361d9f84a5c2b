//! A registry that counts requests. It is fast enough not to limit the tools, and runs as a
//! separate process, so that its work is not counted as the client's.
//!
//! Blobs are generated while they are served, and discarded when they are uploaded. The size of an
//! upload is always checked; its digest only with `--verify-uploads`. A manifest is accepted only
//! if everything that it lists is present.
//!
//! * `state`: the registry itself, `store`: what it holds,
//! * `dispatch`, `route`: which endpoint handles a request, and the kind under which it is counted,
//! * `reads`, `uploads`: the endpoints, with `sessions`: uploads in progress,
//! * `outgoing`: responses and their bodies, counted,
//! * `counts`, `timeline`: how many requests, and when,
//! * `listener`: TCP and TLS,
//! * `control`: a second port, through which the harness resets and reads the registry.

mod control;
mod counts;
mod dispatch;
mod listener;
mod options;
mod outgoing;
mod reads;
mod route;
mod sessions;
mod state;
mod store;
mod timeline;
mod uploads;

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;

pub(crate) use counts::Counts;
pub(crate) use options::{Addresses, Options, Rules};
pub(crate) use route::KINDS;
pub(crate) use state::CHECK_REPOSITORY;
pub(crate) use store::RepositoryContent;

use crate::output;
use state::Registry;

/// Runs until the standard input ends, which happens when the parent process ends.
pub(crate) fn run(options: Options) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), String> {
    let tcp = bind(options.listen).await?;
    let control_tcp = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let addresses = Addresses {
        registry: tcp.local_addr().map_err(|error| error.to_string())?,
        control: control_tcp
            .local_addr()
            .map_err(|error| error.to_string())?,
    };
    let identity = options.identity.clone();
    let registry = Arc::new(Registry::new(options)?);
    let router = Router::new()
        .fallback(dispatch::respond)
        .with_state(Arc::clone(&registry));
    let counters = Arc::clone(&registry.counters);
    let server = listener::serve(tcp, identity.as_deref(), counters, router)?;
    let control_router = control::router(registry);
    let control_server =
        tokio::spawn(async move { axum::serve(control_tcp, control_router).await });
    output::stdout_line(serde_json::to_string(&addresses).expect("addresses are JSON"));
    let parent = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        _ = parent => Ok(()),
        ended = server => Err(format!("the registry ended: {ended:?}")),
        ended = control_server => Err(format!("the control port ended: {ended:?}")),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}"))
}
