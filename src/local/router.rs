//! What is served: the Invoke API, and function URLs.

use super::{
    api::{invoke, invoke_async, invoke_with_response_stream},
    configuration::{LocalSettings, new_id},
    connection, function_url, gateway,
    host::OwnHosts,
    invoke::Server,
    page,
    refusal::{self, Refusal, set},
};
use crate::{
    error::{IntoError, Result},
    http::has_no_content,
    invocation::Functions,
};
use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{DefaultBodyLimit, State},
    http::{Request, Response, StatusCode},
    middleware::{self, Next},
    routing::post,
};
use bytes::Bytes;
use futures::{
    future::{Either, select},
    stream,
};
use std::{future::Future, io, pin::pin, sync::Arc, thread};
use tokio::{net::TcpListener, runtime, sync::oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{Dispatch, dispatcher, subscriber::NoSubscriber};

/// Serves until `shutdown` ends, then answers what is in flight.
pub(crate) async fn serve(
    functions: Functions,
    settings: LocalSettings,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let at = listener.local_addr()?;
    let mut hosts = settings.hosts.clone();
    hosts.extend(OwnHosts::of_environment()?);
    let hosts = OwnHosts::new(at, hosts);
    if !hosts.is_loopback() {
        tracing::warn!("reachable from the network: whoever can connect to {at} can invoke");
    }
    let routes = settings.routes.parse().map_err(IntoError::into_error)?;
    routes.check(&functions).map_err(IntoError::into_error)?;
    let stopping = CancellationToken::new();
    let server = Server::new(functions, &settings, hosts, routes, stopping.clone())?;
    let server = Arc::new(server);
    // Whoever gives up waiting for the server stops it.
    let _stops = stopping.clone().drop_guard();
    let served = on_a_thread(listener.into_std()?, Arc::clone(&server), stopping.clone())?;
    let served = pin!(served);
    match select(pin!(shutdown), served).await {
        Either::Left(((), served)) => {
            stopping.cancel();
            served.await
        }
        Either::Right((served, _)) => served,
    }
    .unwrap_or_else(|_| Err("the thread of the local server panicked".into_error()))?;
    server.invocations.close();
    server.invocations.wait().await;
    Ok(())
}

/// Serves from a thread and a runtime of its own, which no handler can block.
fn on_a_thread(
    listener: std::net::TcpListener,
    server: Arc<Server>,
    stopping: CancellationToken,
) -> io::Result<oneshot::Receiver<Result<()>>> {
    let (ended, served) = oneshot::channel();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let serve = async move {
        let listener = TcpListener::from_std(listener)?;
        let app = app(Arc::clone(&server));
        let limits = Arc::clone(&server.limits);
        connection::serve(listener, app, limits, stopping.cancelled_owned()).await;
        Ok(())
    };
    // What the caller's thread logs to, this one does, too.
    let log = dispatcher::get_default(Dispatch::clone);
    let thread = thread::Builder::new().name("nodeback-local".into());
    thread.spawn(move || {
        let serve = || runtime.block_on(serve);
        let served = if log.is::<NoSubscriber>() {
            serve()
        } else {
            dispatcher::with_default(&log, serve)
        };
        // Nobody is left to be told if the receiver is gone.
        let _ = ended.send(served);
    })?;
    Ok(served)
}

fn app(server: Arc<Server>) -> Router {
    const EXPECTED: &str = "expected POST /2015-03-31/functions/{name}/invocations";
    let refuse = |status, error_type| async move {
        Refusal::new(status, error_type, EXPECTED).respond(&new_id())
    };
    // Clients of before 2023 end it with a slash.
    const INVOKE_ASYNC: &str = "/2014-11-13/functions/{name}/invoke-async";
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .route(
            "/2021-11-15/functions/{name}/response-streaming-invocations",
            post(invoke_with_response_stream),
        )
        .route(INVOKE_ASYNC, post(invoke_async))
        .route(&format!("{INVOKE_ASYNC}/"), post(invoke_async))
        .method_not_allowed_fallback(move || {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowedException")
        })
        .fallback(
            async move |server: State<Arc<Server>>, request: Request<Body>| {
                let path = request.uri().path();
                if function_url::is_api(path) {
                    refuse(StatusCode::NOT_FOUND, "UnknownOperationException").await
                } else if server.routes.is_empty() || path.starts_with(function_url::PREFIX) {
                    function_url::respond(server, request).await
                } else {
                    gateway::respond(server, request).await
                }
            },
        )
        // The limit is Lambda's, with Lambda's response.
        .layer(DefaultBodyLimit::disable())
        .merge(page::routes())
        .layer(middleware::from_fn_with_state(Arc::clone(&server), guard))
        .with_state(server)
}

async fn guard(
    State(server): State<Arc<Server>>,
    request: Request<Body>,
    next: Next,
) -> Response<Body> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = match server.origin.check(&request) {
        Ok(()) => {
            let response = next.run(request).await;
            refusal::log(&method, &path, &response);
            response
        }
        // The check has its own line in the log.
        Err(refusal) => {
            let mut response = refusal.respond(&new_id());
            // A browser that shows it would ask for this server's icon, as a page of this server.
            set(
                response.headers_mut(),
                "content-security-policy",
                "default-src 'none'",
            );
            response
        }
    };
    if has_no_content(response.status()) && response.body().size_hint().exact().is_some() {
        // axum gives a body of a known size a `Content-Length`, even one of 0.
        *response.body_mut() = Body::from_stream(stream::empty::<io::Result<Bytes>>());
    }
    response
}

#[cfg(test)]
#[path = "../tests/slow_clients.rs"]
mod slow_clients;
