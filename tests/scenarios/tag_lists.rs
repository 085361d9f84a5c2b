//! Tag lists of registries that paginate in unusual ways.

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tests::world::{World, assert_reason, statuses};

/// How a registry responds to a request for its tags.
type Respond = fn(&Uri) -> Response;

/// Starts a registry `odd.example` in this world, whose tag lists are what `respond` returns.
async fn serve_registry(world: &mut World, respond: Respond) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    let serve = move |method: Method, uri: Uri| async move {
        match uri.path() {
            "/v2/" => StatusCode::OK.into_response(),
            _ if method == Method::GET => respond(&uri),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    };
    tokio::spawn(axum::serve(listener, Router::new().fallback(serve)).into_future());
    let known = world
        .environment()
        .find(|(name, _)| *name == "REPLICATOR_REGISTRY_ENDPOINTS")
        .map(|(_, value)| value.clone());
    let endpoints = format!(
        "{},odd.example={endpoint}",
        known.expect("the cloud has registries")
    );
    world.set("REPLICATOR_REGISTRY_ENDPOINTS", &endpoints);
    world.set_catalogue("destinations: { private: { ecr: { repository: '{registry}/{repository}' } } }\nimages: [{ image: odd.example/tool, tags: { glob: '*' } }]");
}

/// A page with these tags, and with a `Link` header unless `link` is empty.
fn page(tags: &[String], link: &str) -> Response {
    let body = json!({"name": "tool", "tags": tags}).to_string();
    if link.is_empty() {
        body.into_response()
    } else {
        ([("link", link)], body).into_response()
    }
}

fn numbered(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|n| format!("t{n:04}")).collect()
}

#[tokio::test]
async fn unusual_pages_end_in_a_complete_list_or_in_an_error() {
    let full = |uri: &Uri| match uri.query().and_then(|query| query.split_once("last=")) {
        None => page(&numbered(0, 1000), ""),
        Some((_, "t0999")) => page(&numbered(1000, 1500), ""),
        Some(_) => page(&[], ""),
    };
    let single_page = |_: &Uri| page(&numbered(0, 1500), "");
    for respond in [full, single_page] {
        let mut world = World::start().await;
        serve_registry(&mut world, respond).await;
        let report = world.refresh().await;
        assert_eq!(
            statuses(&report).len(),
            1500,
            "each tag of the list is requested, and none exists"
        );
        assert_eq!(statuses(&report)[1499], "failed odd.example/tool:t1499");
    }
    let cases: [(Respond, &str); 6] = [
        (
            |_| {
                page(
                    &numbered(0, 2),
                    "<http://127.0.0.2/v2/tool/tags/list>; rel=\"next\"",
                )
            },
            "failed: the link to the next page leads to another origin",
        ),
        (
            |_| page(&numbered(0, 2), "<?n=1000>; rel=next"),
            "failed: a page has no new tag",
        ),
        (
            |_| "{\"name\":\"tool\"}".into_response(),
            "failed: missing field `tags`",
        ),
        (
            |_| page(&["not a tag".to_owned()], ""),
            "failed: the repository has no tags",
        ),
        (
            |_| "x".repeat(9_000_000).into_response(),
            "failed: the response has more than 8388608 bytes",
        ),
        (
            |_| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")]).into_response(),
            "deferred: too many tag lists",
        ),
    ];
    for (respond, expected) in cases {
        let mut world = World::start().await;
        serve_registry(&mut world, respond).await;
        let report = world.refresh().await;
        let (status, why) = expected.split_once(": ").unwrap();
        assert_eq!(
            statuses(&report),
            [format!("{status} odd.example/tool:{{glob *}}")]
        );
        assert_reason(&report, why);
    }
}
