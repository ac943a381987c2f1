//! The Invoke API.

use super::{
    environment::{Environment, FunctionName},
    request::{self, InvocationType, Invoke},
    response::{Refusal, respond, set},
};
use crate::{
    Result,
    callback::{Callback, callback},
    context::ContextBuilder,
    error::Error,
    invoke::{Function, Watch},
    log,
};
use axum::{
    Router,
    body::Body,
    extract::{
        DefaultBodyLimit, Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{Request, Response, StatusCode},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use serde::Deserialize;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::task::TaskTracker;

/// What the server's invocations share.
struct Server {
    function: Function,
    environment: Environment,
    /// The invocations under way, which outlive the connections that asked for them.
    invocations: TaskTracker,
}

/// Serves until `shutdown` ends, then answers what is in flight.
pub(crate) async fn serve(
    function: Function,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let server = Arc::new(Server {
        function,
        environment: Environment::read()?,
        invocations: TaskTracker::new(),
    });
    let app = app(Arc::clone(&server));
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown)
        .await?;
    server.invocations.close();
    server.invocations.wait().await;
    Ok(())
}

fn app(server: Arc<Server>) -> Router {
    const EXPECTED: &str = "expected POST /2015-03-31/functions/{name}/invocations";
    let refuse = |status, error_type| async move {
        let id = uuid::Uuid::new_v4().to_string();
        Refusal::new(status, error_type, EXPECTED).respond(&id)
    };
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .method_not_allowed_fallback(move || {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowedException")
        })
        .fallback(move || refuse(StatusCode::NOT_FOUND, "UnknownOperationException"))
        // The limit is Lambda's, with Lambda's answer.
        .layer(DefaultBodyLimit::disable())
        .with_state(server)
}

#[derive(Deserialize)]
struct Qualifier {
    #[serde(rename = "Qualifier")]
    qualifier: Option<String>,
}

async fn invoke(
    State(server): State<Arc<Server>>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Qualifier>, QueryRejection>,
    request: Request<Body>,
) -> Response<Body> {
    let named = path
        .map_err(|error| error.to_string())
        .and_then(|Path(name)| {
            let Query(query) = query.map_err(|error| error.to_string())?;
            Ok((name, query.qualifier))
        });
    let (name, qualifier) = match named {
        Ok(named) => named,
        Err(mistake) => {
            let id = uuid::Uuid::new_v4().to_string();
            return Refusal::parameter(mistake).respond(&id);
        }
    };
    let function = FunctionName::parse(&name);
    let qualifier = qualifier.as_deref().or(function.qualifier);
    let (request_id, context) = server.environment.context(function.name, qualifier);
    match accept(&server, &request_id, context, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.respond(&request_id),
    }
}

async fn accept(
    server: &Arc<Server>,
    request_id: &str,
    context: ContextBuilder,
    request: Request<Body>,
) -> Result<Response<Body>, Refusal> {
    let (parts, body) = request.into_parts();
    let Invoke {
        invocation_type,
        log_tail,
        client_context,
        tenant_id,
        xray_trace_id,
    } = Invoke::parse(&parts.headers)?;
    let event = request::event(body).await?;
    if invocation_type == InvocationType::DryRun {
        return Ok(respond(StatusCode::NO_CONTENT, request_id, ""));
    }
    let context = context
        .client_context(client_context)
        .tenant_id(tenant_id)
        .xray_trace_id(xray_trace_id);
    let tail = log_tail.then(|| log::Tail::of(request_id));
    let (callback, completion) = callback();
    server.invocations.spawn(run(
        Arc::clone(server),
        request_id.to_owned(),
        context,
        event,
        callback,
    ));
    if invocation_type == InvocationType::Event {
        return Ok(respond(StatusCode::ACCEPTED, request_id, ""));
    }
    let answer = completion
        .await
        .map(Option::unwrap_or_default)
        .map_err(|error| {
            Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "ServiceException",
                error.to_string(),
            )
        })?;
    Ok(answer.respond(request_id, tail.as_ref()))
}

/// Runs one invocation, in a task of its own: that the client goes does not end it.
async fn run(
    server: Arc<Server>,
    request_id: String,
    context: ContextBuilder,
    event: Bytes,
    callback: Callback<Answer>,
) {
    let started = Instant::now();
    log::line(
        &request_id,
        &format!("START RequestId: {request_id} Version: $LATEST"),
    );
    let mut watch = Watch::start(&context, {
        let (server, request_id, callback) =
            (Arc::clone(&server), request_id.clone(), callback.clone());
        async move |error: Error| {
            error.log();
            server.answer(&request_id, started, callback, Err(error));
        }
    });
    let mut invocation = server.function.start(Ok(event), context);
    let answer = invocation.answer().await.and_then(within_limit);
    if !watch.answered() {
        return;
    }
    if let Err(error) = &answer {
        invocation.log_failure(error);
    }
    server.answer(&request_id, started, callback, answer);
    invocation.finish().await;
}

impl Server {
    fn answer(
        &self,
        request_id: &str,
        started: Instant,
        callback: Callback<Answer>,
        answer: Result<Bytes, Error>,
    ) {
        log::line(request_id, &format!("END RequestId: {request_id}"));
        let memory = self.environment.memory();
        log::line(request_id, &report(request_id, started.elapsed(), memory));
        // Nobody waits for that of an asynchronous call, or when the client has gone.
        let _ = callback.try_settle(Ok::<_, Error>(Answer(answer)));
    }
}

/// How much Lambda takes for a response.
const RESPONSE_LIMIT: usize = request::EVENT_LIMIT + 100;

fn within_limit(body: Bytes) -> Result<Bytes, Error> {
    let size = body.len();
    if size <= RESPONSE_LIMIT {
        return Ok(body);
    }
    Err(Error::ours(
        "Function.ResponseSizeTooLarge",
        format!(
            "Response payload size ({size} bytes) exceeded maximum allowed payload size \
             ({RESPONSE_LIMIT} bytes)."
        ),
    ))
}

/// What a call is answered with.
struct Answer(Result<Bytes, Error>);

impl Default for Answer {
    fn default() -> Self {
        Answer(Ok(Bytes::from_static(b"null")))
    }
}

impl Answer {
    fn respond(self, request_id: &str, tail: Option<&log::Tail>) -> Response<Body> {
        let failed = self.0.is_err();
        let body = self.0.unwrap_or_else(|error| error.to_wire().into());
        let mut response = respond(StatusCode::OK, request_id, body);
        let headers = response.headers_mut();
        set(headers, "x-amz-executed-version", "$LATEST");
        if failed {
            set(headers, "x-amz-function-error", "Unhandled");
        }
        if let Some(tail) = tail {
            set(headers, "x-amz-log-result", &BASE64.encode(tail.text()));
        }
        response
    }
}

fn report(request_id: &str, took: Duration, memory: &str) -> String {
    let millis = took.as_secs_f64() * 1000.0;
    let billed = millis.ceil();
    let used = peak_memory().map_or(String::new(), |mb| format!("\tMax Memory Used: {mb} MB"));
    format!(
        "REPORT RequestId: {request_id}\tDuration: {millis:.2} ms\tBilled Duration: {billed} ms\t\
         Memory Size: {memory} MB{used}"
    )
}

/// The most memory that the process has had, in MB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .parse::<u64>()
        .ok()
        .map(|kb| kb.div_ceil(1024))
}
