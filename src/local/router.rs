//! What is served: the Invoke API, and function URLs.

use super::{
    Desk, connection,
    environment::{Environment, new_id},
    guard::Guard,
    http,
    response::Refusal,
    server::{Server, invoke},
};
use crate::{Result, invoke::Functions};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, State},
    http::{Request, Response, StatusCode},
    middleware::{self, Next},
    routing::post,
};
use std::{future::Future, sync::Arc};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// Serves until `shutdown` ends, then answers what is in flight.
pub(crate) async fn serve(
    functions: Functions,
    desk: Desk,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let at = listener.local_addr()?;
    let guard = Guard::new(at);
    if !guard.is_local() {
        tracing::warn!("reachable from the network: whoever can connect to {at} can invoke");
    }
    let server = Arc::new(Server {
        functions,
        environment: Environment::read(&desk)?,
        guard,
        limits: Arc::default(),
        invocations: TaskTracker::new(),
    });
    let app = app(Arc::clone(&server));
    connection::serve(listener, app, Arc::clone(&server.limits), shutdown).await;
    server.invocations.close();
    server.invocations.wait().await;
    Ok(())
}

fn app(server: Arc<Server>) -> Router {
    const EXPECTED: &str = "expected POST /2015-03-31/functions/{name}/invocations";
    let refuse = |status, error_type| async move {
        Refusal::new(status, error_type, EXPECTED).respond(&new_id())
    };
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .method_not_allowed_fallback(move || {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowedException")
        })
        .fallback(async move |server, request: Request<Body>| {
            if http::is_api(request.uri().path()) {
                refuse(StatusCode::NOT_FOUND, "UnknownOperationException").await
            } else {
                http::answer(server, request).await
            }
        })
        // The limit is Lambda's, with Lambda's answer.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(&server), guard))
        .with_state(server)
}

async fn guard(
    State(server): State<Arc<Server>>,
    request: Request<Body>,
    next: Next,
) -> Response<Body> {
    match server.guard.check(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.respond(&new_id()),
    }
}
