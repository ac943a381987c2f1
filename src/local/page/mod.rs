//! The page of the local server, to invoke functions and to look at invocations.
//!
//! Its files are part of the binary, and request nothing from other servers. Requests below
//! [`PATH`] never reach a function.

mod assets;
mod events;
mod feed;
mod invoke;
mod opened;

pub(super) use self::{events::EventFolder, feed::PAGES};

use super::{
    configuration::new_id,
    function_url::own_name,
    invoke::Server,
    limits::EVENT_LIMIT,
    rejection::{Rejection, set},
};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, Response, StatusCode, header},
    middleware::{self, Next},
    response::Redirect,
    routing::{get, post},
};
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

/// The path of the page.
pub(super) const PATH: &str = "/_nodeback/";

/// The content security policy: the page may load only its own files, and send requests only to
/// this server. The browser does not let its scripts parse text as markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/_nodeback", get(async || Redirect::permanent(PATH)))
        .route(PATH, get(assets::index))
        // A path without a file does not reach the function either.
        .route("/_nodeback/{*file}", get(assets::file))
        .route("/_nodeback/api/program", get(program))
        .route("/_nodeback/api/samples/{name}", get(events::sample))
        .route("/_nodeback/api/files/{name}", get(events::file))
        .route("/_nodeback/api/check", post(events::check))
        .route("/_nodeback/api/invoke", post(invoke::invoke))
        .route("/_nodeback/api/invocations", get(feed::invocations))
        .route("/_nodeback/api/invocations/{n}", get(opened::opened))
        .route("/_nodeback/api/invocations/{n}/event", get(opened::event))
        .route(
            "/_nodeback/api/invocations/{n}/response",
            get(opened::response),
        )
        .route(
            "/_nodeback/api/invocations/{n}/timeline",
            get(opened::timeline),
        )
        .route(
            "/_nodeback/api/invocations/{n}/repeat",
            post(invoke::repeat),
        )
        .method_not_allowed_fallback(async || {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let expected = "expected GET, or POST to invoke, to repeat and to check";
            Rejection::new(status, "MethodNotAllowedException", expected).respond(&new_id())
        })
        // The limit is that of an event.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(secured))
}

/// Sets the headers of every response.
async fn secured(request: Request, next: Next) -> Response<Body> {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        // The page may change whenever the program is rebuilt.
        ("cache-control", "no-store"),
    ] {
        set(headers, name, value);
    }
    response
}

fn not_found() -> Response<Body> {
    let message = "The page of the local server has no such path";
    Rejection::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", message).respond(&new_id())
}

fn json_of(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    // The values contain only text, numbers and parsed JSON, whose serialization does not fail.
    let json = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// Responds with the properties of the program that the page needs.
async fn program(State(server): State<Arc<Server>>) -> Response<Body> {
    let mut functions: Vec<_> = server.functions.names().map(String::from).collect();
    let name = own_name();
    if functions.is_empty() {
        functions.push(name.clone());
    }
    let folder = server.events.list().await;
    let value = json!({
        "name": name,
        "version": env!("CARGO_PKG_VERSION"),
        "functions": functions,
        "region": server.configuration.region(None),
        "timeout": server.configuration.timeout().as_secs_f64(),
        "memory": server.configuration.memory(),
        "eventLimit": EVENT_LIMIT,
        "samples": events::samples(),
        "folder": folder,
    });
    json_of(StatusCode::OK, &value)
}
