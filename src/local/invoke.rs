//! The Invoke API.

use super::{
    asynchronous::{Asynchronous, Retries},
    configuration::{FunctionConfiguration, new_id},
    function_name::FunctionName,
    invoke_request::{self, InvocationType, InvokeHeaders},
    limits::{EVENT_INVOCATION, INVOKE_ASYNC, Limits, RESPONSE_LIMIT},
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
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, Request, Response, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use serde::Deserialize;
use std::{future::Future, sync::Arc};
use tokio::{runtime::Handle, time::Instant};
use tokio_util::task::TaskTracker;
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

#[derive(Deserialize)]
pub(super) struct Qualifier {
    #[serde(rename = "Qualifier")]
    qualifier: Option<String>,
}

/// `Invoke`.
pub(super) async fn invoke(
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
        Err(mistake) => return Refusal::parameter(mistake).respond(&new_id()),
    };
    let (parts, body) = request.into_parts();
    let call = match Call::find(&server, &name, qualifier.as_deref(), &parts.headers) {
        Ok(call) => call,
        Err(refusal) => return refusal.respond(&new_id()),
    };
    let request_id = call.request_id.clone();
    match call.accept(&server, &parts.headers, body).await {
        Ok(response) => response,
        Err(refusal) => refusal.respond(&request_id),
    }
}

/// `InvokeAsync`, which AWS has replaced by `Invoke` with the type `Event`.
pub(super) async fn invoke_async(
    State(server): State<Arc<Server>>,
    path: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Response<Body> {
    let name = match path {
        Ok(Path(name)) => name,
        Err(mistake) => return Refusal::parameter(mistake.to_string()).respond(&new_id()),
    };
    let (parts, body) = request.into_parts();
    let call = match Call::find(&server, &name, None, &parts.headers) {
        Ok(call) => call,
        Err(refusal) => return refusal.respond(&new_id()),
    };
    let request_id = call.request_id.clone();
    let event = invoke_request::event(body, &server.limits, Some(INVOKE_ASYNC)).await;
    match event.and_then(|event| server.has_room().map(|()| event)) {
        Ok(event) => {
            call.start_asynchronous(&server, event);
            respond(StatusCode::ACCEPTED, &request_id, r#"{"Status":202}"#)
        }
        Err(refusal) => refusal.respond(&request_id),
    }
}

/// A call of a function that there is.
struct Call<'a> {
    named: FunctionName<'a>,
    function: Function,
    request_id: String,
    context: ContextBuilder,
}

impl<'a> Call<'a> {
    fn find(
        server: &'a Server,
        name: &'a str,
        qualifier: Option<&'a str>,
        headers: &'a HeaderMap,
    ) -> Result<Self, Refusal> {
        let signed_for = invoke_request::signed_region(headers);
        let region = server.configuration.region(signed_for);
        let named = FunctionName::parse(name, qualifier)?.in_region(region)?;
        let function = server.functions.named(named.name);
        let function = function
            .map_err(|mistake| Refusal::no_function(format!("{}: {mistake}", named.not_found())))?;
        let (request_id, context) = server.configuration.context(&named);
        Ok(Call {
            named,
            function: function.clone(),
            request_id,
            context,
        })
    }

    async fn accept(
        mut self,
        server: &Arc<Server>,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Response<Body>, Refusal> {
        let InvokeHeaders {
            invocation_type,
            log_tail,
            client_context,
            tenant_id,
            xray_trace_id,
        } = InvokeHeaders::parse(headers)?;
        let is_event = invocation_type == InvocationType::Event;
        let limit = is_event.then_some(EVENT_INVOCATION);
        let event = invoke_request::event(body, &server.limits, limit).await?;
        server.has_room()?;
        let request_id = self.request_id.clone();
        if invocation_type == InvocationType::DryRun {
            return Ok(respond(StatusCode::NO_CONTENT, &request_id, ""));
        }
        self.context = self.context.optional(|members| {
            members.client_context = client_context;
            members.tenant_id = tenant_id;
            members.xray_trace_id = xray_trace_id;
        });
        if is_event {
            self.start_asynchronous(server, event);
            return Ok(respond(StatusCode::ACCEPTED, &request_id, ""));
        }
        let tail = log_tail.then(|| log::Tail::of(&request_id));
        let version = self.named.version();
        let (callback, completion) = callback();
        start(
            server,
            self.function,
            self.request_id,
            self.context,
            event,
            callback,
        );
        let outcome = completion
            .await
            .map(Option::unwrap_or_default)
            .map_err(|error| {
                Refusal::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "ServiceException",
                    error.to_string(),
                )
            })?;
        Ok(outcome.respond(&request_id, version, tail.as_ref()))
    }

    fn start_asynchronous(self, server: &Arc<Server>, event: Bytes) {
        let invocation = Asynchronous {
            version_arn: self.named.version_arn(),
            function: self.function,
            request_id: self.request_id,
            context: self.context,
            event,
        };
        invocation.start(server);
    }
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
    fn respond(self, request_id: &str, version: &str, tail: Option<&log::Tail>) -> Response<Body> {
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
