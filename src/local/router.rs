//! Serves the Invoke API, function URLs, gateways and the page.

use super::{
    api::{invoke, invoke_async, invoke_with_response_stream},
    configuration::{LocalSettings, new_id},
    connection, function_url, gateway,
    host::OwnHosts,
    invoke::Server,
    page,
    rejection::{self, Rejection, set},
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

/// Serves until `shutdown` ends, then waits for the requests in flight.
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
        tracing::warn!(
            "reachable from the network: any client that can connect to {at} can invoke, and can see all events and responses on the page"
        );
    }
    let routes = settings.routes.parse().map_err(IntoError::into_error)?;
    routes.check(&functions).map_err(IntoError::into_error)?;
    let stopping = CancellationToken::new();
    let server = Server::new(functions, &settings, hosts, routes, stopping.clone())?;
    let server = Arc::new(server);
    // Dropping this future stops the server.
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

/// Serves from a separate thread and runtime, which no handler can block.
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
    // The new thread logs to the subscriber of the caller's thread.
    let log = dispatcher::get_default(Dispatch::clone);
    let thread = thread::Builder::new().name("nodeback-local".into());
    thread.spawn(move || {
        let serve = || runtime.block_on(serve);
        let served = if log.is::<NoSubscriber>() {
            serve()
        } else {
            dispatcher::with_default(&log, serve)
        };
        // If the receiver is gone, the caller no longer waits for the result.
        let _ = ended.send(served);
    })?;
    Ok(served)
}

fn app(server: Arc<Server>) -> Router {
    const EXPECTED: &str = "expected POST /2015-03-31/functions/{name}/invocations";
    let reject = |status, error_type| async move {
        Rejection::new(status, error_type, EXPECTED).respond(&new_id())
    };
    // Clients from before 2023 end the path with a slash.
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
            reject(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowedException")
        })
        .fallback(
            async move |server: State<Arc<Server>>, request: Request<Body>| {
                let path = request.uri().path();
                if function_url::is_api(path) {
                    reject(StatusCode::NOT_FOUND, "UnknownOperationException").await
                } else if server.routes.is_empty() || path.starts_with(function_url::PREFIX) {
                    function_url::respond(server, request).await
                } else {
                    gateway::respond(server, request).await
                }
            },
        )
        // `invoke_request::body` applies Lambda's limit, with Lambda's response.
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
            rejection::log(&method, &path, &response);
            response
        }
        // The check logs its rejections itself.
        Err(rejection) => {
            let mut response = rejection.respond(&new_id());
            // Without this, a browser that shows the response would request the icon of this
            // server, as one of its own pages.
            set(
                response.headers_mut(),
                "content-security-policy",
                "default-src 'none'",
            );
            response
        }
    };
    if has_no_content(response.status()) && response.body().size_hint().exact().is_some() {
        // axum adds a `Content-Length` for a body of a known size, even for 0 bytes.
        *response.body_mut() = Body::from_stream(stream::empty::<io::Result<Bytes>>());
    }
    response
}

#[cfg(test)]
#[path = "../tests/slow_clients.rs"]
mod slow_clients;
