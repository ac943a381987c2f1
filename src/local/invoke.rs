//! The invocations of the local server.

use super::{
    configuration::{FunctionConfiguration, LocalSettings},
    host::OwnHosts,
    limits::{Limits, RESPONSE_LIMIT},
    origin::OriginCheck,
    refusal::{Refusal, respond, set},
    routes::Routes,
};
use crate::{
    completion::{Callback, callback},
    error::{Error, Result},
    invocation::{ContextBuilder, Function, Functions, Sink},
    log,
};
use axum::{
    body::Body,
    http::{Response, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use std::{future::Future, sync::Arc};
use tokio::{runtime::Handle, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Span;

/// What the server's invocations share.
pub(super) struct Server {
    pub(super) functions: Functions,
    pub(super) configuration: FunctionConfiguration,
    pub(super) origin: OriginCheck,
    pub(super) routes: Routes,
    pub(super) limits: Arc<Limits>,
    /// Where the handlers run. The server has a runtime of its own: a handler that blocks its thread
    /// blocks nobody else's request, and not the response that the watchdog sends for it.
    pub(super) runtime: Handle,
    /// The invocations under way, which outlive the connections that asked for them.
    pub(super) invocations: TaskTracker,
    pub(super) retries: Retries,
}

/// Whether failed asynchronous invocations are retried.
#[derive(Debug)]
pub(super) struct Retries {
    pub(super) enabled: bool,
    /// Ends the pauses, so that nobody waits for them when the server stops.
    pub(super) stopping: CancellationToken,
}

/// Starts one invocation, in a task of its own: it does not end when the client goes.
pub(super) fn start(
    server: &Arc<Server>,
    function: Function,
    request_id: String,
    context: ContextBuilder,
    event: Bytes,
    callback: Callback<LocalOutcome>,
) {
    let run = run(
        Arc::clone(server),
        function,
        request_id,
        context,
        event,
        callback,
    );
    server.invocations.spawn_on(run, &server.runtime);
}

/// Runs one invocation, whose outcome goes to the callback.
pub(super) fn run(
    server: Arc<Server>,
    function: Function,
    request_id: String,
    context: ContextBuilder,
    event: Bytes,
    callback: Callback<LocalOutcome>,
) -> impl Future<Output = ()> + Send {
    log::platform::start(&request_id, &context.members().function_version);
    let reply = Reply {
        server,
        started: Instant::now(),
        request_id,
        callback,
    };
    async move {
        function.drive(Ok(event), context, reply).await;
    }
}

/// Runs one invocation, and waits for its outcome. It does not end when the client goes.
pub(super) async fn outcome(
    server: &Arc<Server>,
    function: Function,
    request_id: &str,
    context: ContextBuilder,
    event: Bytes,
) -> Result<Bytes> {
    let (callback, completion) = callback();
    start(
        server,
        function,
        request_id.to_owned(),
        context,
        event,
        callback,
    );
    completion.await?.unwrap_or_default().0
}

/// Responds to the client that waits, if one does.
#[derive(Clone)]
struct Reply {
    server: Arc<Server>,
    started: Instant,
    request_id: String,
    callback: Callback<LocalOutcome>,
}

impl Sink for Reply {
    type Sent = ();
    const WATCHED: bool = true;

    async fn send(self, outcome: Result<Bytes>, span: &Span) {
        span.in_scope(|| self.respond(outcome.and_then(within_limit)));
    }

    async fn send_for_blocked(self, error: Error) {
        self.respond(Err(error));
    }
}

impl Reply {
    fn respond(self, outcome: Result<Bytes>) {
        if let Err(error) = &outcome {
            error.log();
        }
        let report = log::platform::Report {
            request_id: &self.request_id,
            took: self.started.elapsed(),
            memory: self.server.configuration.memory(),
            error: outcome.as_ref().err(),
        };
        report.write();
        // Nobody waits for that of an asynchronous call, or when the client has gone.
        let _ = self
            .callback
            .try_settle(Ok::<_, Error>(LocalOutcome(outcome)));
    }
}

/// How many invocations AWS has of an account at a time, unless it is asked for more.
const CONCURRENCY: usize = 1_000;

impl Server {
    /// The state of a server on this runtime, before its first invocation.
    pub(super) fn new(
        functions: Functions,
        settings: &LocalSettings,
        hosts: OwnHosts,
        routes: Routes,
        stopping: CancellationToken,
    ) -> Result<Self> {
        Ok(Server {
            functions,
            configuration: FunctionConfiguration::read(settings)?,
            origin: OriginCheck::new(hosts),
            routes,
            limits: Arc::default(),
            runtime: Handle::current(),
            invocations: TaskTracker::new(),
            retries: Retries {
                enabled: settings.retry,
                stopping,
            },
        })
    }

    /// Whether one more invocation may run, those included that nobody waits for any more.
    pub(super) fn has_room(&self) -> Result<(), Refusal> {
        if self.invocations.len() < CONCURRENCY {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequestsException",
            format!("Rate Exceeded: {CONCURRENCY} invocations are running"),
        ))
    }
}

fn within_limit(body: Bytes) -> Result<Bytes> {
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
pub(super) struct LocalOutcome(pub(super) Result<Bytes>);

impl Default for LocalOutcome {
    fn default() -> Self {
        LocalOutcome(Ok(Bytes::from_static(b"null")))
    }
}

impl LocalOutcome {
    pub(super) fn respond(
        self,
        request_id: &str,
        version: &str,
        tail: Option<&log::Tail>,
    ) -> Response<Body> {
        let failed = self.0.is_err();
        let body = self.0.unwrap_or_else(|error| error.to_json().into());
        let mut response = respond(StatusCode::OK, request_id, body);
        let headers = response.headers_mut();
        set(headers, "x-amz-executed-version", version);
        if failed {
            set(headers, "x-amz-function-error", "Unhandled");
        }
        if let Some(tail) = tail {
            set(headers, "x-amz-log-result", &BASE64.encode(tail.text()));
        }
        response
    }
}
