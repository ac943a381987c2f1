//! The invocations of the local server.

use super::{
    configuration::{FunctionConfiguration, LocalSettings},
    event_stream,
    history::{Body as Kept, Entry, History},
    host::OwnHosts,
    limits::{Limits, RESPONSE_LIMIT},
    origin::OriginCheck,
    page::{self, EventFolder},
    rejection::{Rejection, respond, set},
    routes::Routes,
    stream::{LocalStream, complete, whole},
};
use crate::{
    completion::{Callback, callback},
    error::{Error, Result},
    invocation::{ContextBuilder, Function, Functions, Sink},
    log,
    stream::StreamReader,
};
use axum::{
    body::Body,
    http::{self, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Span;

/// The state that all requests share.
pub(super) struct Server {
    pub(super) functions: Functions,
    pub(super) configuration: FunctionConfiguration,
    pub(super) origin: OriginCheck,
    pub(super) routes: Routes,
    pub(super) limits: Arc<Limits>,
    /// The runtime of the handlers. The server has a separate runtime, so a handler that blocks its
    /// thread does not keep the server from reading other requests, or from sending the response of
    /// the watchdog.
    pub(super) runtime: Handle,
    /// The running invocations, which do not end with the connections of their clients.
    pub(super) invocations: TaskTracker,
    /// The last invocations, for the page.
    pub(super) history: Arc<History>,
    /// A permit for each page that is open.
    pub(super) pages: Arc<Semaphore>,
    pub(super) events: EventFolder,
    /// Cancelled when the server stops. Ends pauses and open pages, which would delay that.
    pub(super) stopping: CancellationToken,
    /// Whether to retry asynchronous invocations that fail.
    pub(super) retries: bool,
}

/// Starts one invocation in its own task, so that it continues when the client disconnects. Returns
/// its number in the history.
pub(super) fn start(
    server: &Arc<Server>,
    function: Function,
    request_id: String,
    context: ContextBuilder,
    event: Bytes,
    reply_to: ReplyTo,
) -> u64 {
    let entry = server.history.begin(&context, &event);
    let n = entry.n;
    let run = run(
        Arc::clone(server),
        function,
        request_id,
        context,
        event,
        reply_to,
        entry,
    );
    server.invocations.spawn_on(run, &server.runtime);
    n
}

/// The receiver of an outcome.
#[derive(Clone)]
pub(super) struct ReplyTo {
    pub(super) callback: Callback<LocalOutcome>,
    /// Whether the receiver accepts a stream. If not, a streamed response is collected into one.
    pub(super) accepts_streams: bool,
}

/// Runs one invocation, and passes its outcome to the callback.
pub(super) fn run(
    server: Arc<Server>,
    function: Function,
    request_id: String,
    context: ContextBuilder,
    event: Bytes,
    reply_to: ReplyTo,
    entry: Entry,
) -> impl Future<Output = ()> + Send {
    log::platform::start(&request_id, &context.members().function_version);
    let reply = Reply {
        server,
        started: Instant::now(),
        request_id,
        reply_to,
        entry: entry.clone(),
        is_reported: Arc::default(),
    };
    async move {
        let context = context.record_timeline();
        let recorder = context.recorder().cloned();
        if let Some(recorder) = &recorder {
            entry.records(Arc::clone(recorder));
        }
        function.drive(Ok(event), context, reply).await;
        if let Some(recorder) = recorder {
            entry.over(&recorder);
        }
    }
}

/// Runs one invocation, and waits for its outcome or for the start of a stream. The invocation
/// continues when the client disconnects.
pub(super) async fn outcome(
    server: &Arc<Server>,
    function: Function,
    request_id: &str,
    context: ContextBuilder,
    event: Bytes,
) -> Result<Response> {
    let (callback, completion) = callback();
    start(
        server,
        function,
        request_id.to_owned(),
        context,
        event,
        ReplyTo {
            callback,
            accepts_streams: true,
        },
    );
    match completion.await?.unwrap_or_default() {
        LocalOutcome::Whole(outcome) => Ok(Response::Whole(outcome?)),
        LocalOutcome::Stream(mut stream) => match stream.failed_at_once() {
            Some(error) => Err(error),
            None => Ok(Response::Stream(stream)),
        },
    }
}

/// A response to an HTTP request.
pub(super) enum Response {
    Whole(Bytes),
    Stream(Box<LocalStream>),
}

/// Passes the outcome on to the client, if one still waits.
#[derive(Clone)]
struct Reply {
    server: Arc<Server>,
    started: Instant,
    request_id: String,
    reply_to: ReplyTo,
    entry: Entry,
    /// Whether the outcome is in the log and in the history.
    is_reported: Arc<AtomicBool>,
}

impl Sink for Reply {
    type Sent = ();
    const WATCHED: bool = true;

    async fn send(self, outcome: Result<Bytes>, span: &Span) {
        span.in_scope(|| self.respond(outcome.and_then(within_limit)));
    }

    async fn stream(self, stream: StreamReader, span: Span) {
        if !self.reply_to.accepts_streams {
            let outcome = whole(&stream).await;
            span.in_scope(|| self.respond(outcome));
            return;
        }
        let closed = stream.closed();
        let report = {
            let this = self.clone();
            Box::new(move |sent: Result<Kept, &Error>| span.in_scope(|| this.report(sent)))
        };
        let stream = LocalStream::begin(stream, report).await;
        // If the client has disconnected, this drops the stream, which closes it.
        let begun = LocalOutcome::Stream(Box::new(stream));
        drop(self.reply_to.callback.try_settle(Ok::<_, Error>(begun)));
        closed.await;
    }

    async fn send_for_blocked(self, error: Error) {
        self.respond(Err(error));
    }

    async fn ended_for_blocked(self, error: Error, closed: impl Future<Output = ()> + Send) {
        if timeout(UNSENT, closed).await.is_ok() {
            return;
        }
        // If no response has begun, the error is the outcome. Otherwise, the stream is sent as far as the
        // blocked thread has written it.
        self.respond(Err(error));
    }
}

impl Reply {
    fn respond(self, outcome: Result<Bytes>) {
        self.report(outcome.as_ref().map(|body| Kept::whole(body)));
        let outcome = LocalOutcome::Whole(outcome);
        // This fails if no client waits: after an asynchronous call, or if the client has
        // disconnected.
        let _ = self.reply_to.callback.try_settle(Ok::<_, Error>(outcome));
    }

    /// Reports the outcome, the first time.
    fn report(&self, outcome: Result<Kept, &Error>) {
        // ORDERING: Relaxed, since the flag decides who reports and publishes nothing.
        if self.is_reported.swap(true, Ordering::Relaxed) {
            return;
        }
        let error = outcome.as_ref().err().copied();
        if let Some(error) = error {
            error.log();
        }
        let took = self.started.elapsed();
        let report = log::platform::Report {
            request_id: &self.request_id,
            took,
            memory: self.server.configuration.memory(),
            error,
        };
        report.write();
        self.entry.ended(outcome, took);
    }
}

/// How long the watchdog waits for the end of a stream to be sent if the handler blocks its thread.
const UNSENT: Duration = Duration::from_secs(1);

/// AWS's default limit of concurrent invocations.
const CONCURRENCY: usize = 1_000;

impl Server {
    /// Creates the state of a server, whose handlers run on the current runtime.
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
            history: Arc::default(),
            pages: Arc::new(Semaphore::new(page::PAGES)),
            events: EventFolder::of(settings.events.clone()),
            stopping,
            retries: settings.retry,
        })
    }

    /// Checks that one more invocation may run. Running invocations count even if their clients
    /// have disconnected.
    pub(super) fn has_room(&self) -> Result<(), Rejection> {
        if self.invocations.len() < CONCURRENCY {
            return Ok(());
        }
        Err(Rejection::new(
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

/// The outcome of a call.
pub(super) enum LocalOutcome {
    Whole(Result<Bytes>),
    Stream(Box<LocalStream>),
}

impl Default for LocalOutcome {
    fn default() -> Self {
        LocalOutcome::Whole(Ok(Bytes::from_static(b"null")))
    }
}

impl LocalOutcome {
    /// Returns the outcome as a whole, for a call that does not accept a stream.
    pub(super) fn whole(self) -> Result<Bytes> {
        match self {
            LocalOutcome::Whole(outcome) => outcome,
            LocalOutcome::Stream(_) => Err(Error::ours(
                "Runtime.ExitError",
                "the response is a stream, which this call does not accept",
            )),
        }
    }

    /// Returns the response of `Invoke`.
    pub(super) fn respond(
        self,
        request_id: &str,
        version: &str,
        tail: Option<&log::Tail>,
    ) -> http::Response<Body> {
        let outcome = self.whole();
        let failed = outcome.is_err();
        let body = outcome.unwrap_or_else(|error| error.to_json().into());
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

    /// Returns the response of `InvokeWithResponseStream`.
    pub(super) fn stream(
        self,
        request_id: &str,
        version: &str,
        tail: Option<log::Tail>,
    ) -> http::Response<Body> {
        let body = match self {
            LocalOutcome::Stream(stream) => stream.into_events(tail),
            LocalOutcome::Whole(outcome) => {
                let chunk = outcome.as_ref().map(event_stream::payload_chunk);
                let end = complete(outcome.as_ref().err(), tail.as_ref());
                Body::from([chunk.unwrap_or_default(), end].concat())
            }
        };
        let mut response = http::Response::new(body);
        let headers = response.headers_mut();
        set(headers, "content-type", event_stream::CONTENT_TYPE);
        set(headers, "x-amzn-requestid", request_id);
        set(headers, "x-amz-executed-version", version);
        response
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{
        completion::Completion,
        invocation::Context,
        local::history::{Outcome, Record},
    };
    use std::{
        future::pending,
        net::{Ipv4Addr, SocketAddr},
    };

    fn reply() -> (Reply, Completion<LocalOutcome>) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::new(
            Functions::default(),
            &LocalSettings::default(),
            OwnHosts::new(address, Vec::new()),
            Routes::default(),
            CancellationToken::new(),
        );
        let server = Arc::new(server.unwrap());
        let (callback, completion) = callback();
        let reply = Reply {
            entry: server.history.begin(&Context::builder(), &Bytes::new()),
            server,
            started: Instant::now(),
            request_id: "id".into(),
            reply_to: ReplyTo {
                callback,
                accepts_streams: true,
            },
            is_reported: Arc::default(),
        };
        (reply, completion)
    }

    /// Returns what the history has of the invocation: its response, or its error as JSON.
    fn in_history(reply: &Reply) -> Option<Result<Bytes, String>> {
        let outcome = |outcome: &Outcome| match &outcome.result {
            Ok(body) => Ok(body.kept.clone()),
            Err(failure) => Err(failure.json.clone()),
        };
        let outcome = |record: &Record| record.outcome.as_ref().map(outcome);
        reply.server.history.read(reply.entry.n, outcome).unwrap()
    }

    /// The thread of a streaming handler is blocked, and the client does not read the end of the
    /// stream, so the watchdog reports the error. The stream ends later.
    #[tokio::test(start_paused = true)]
    async fn an_outcome_is_reported_once() {
        let (reply, completion) = reply();
        let error = Error::new("Late", "");
        reply.clone().ended_for_blocked(error, pending()).await;
        assert!(in_history(&reply).unwrap().unwrap_err().contains("Late"));
        let changes = || reply.server.history.since(0).seen;
        let reported = changes();
        reply
            .clone()
            .send(Ok(Bytes::from_static(b"1")), &Span::none())
            .await;
        assert!(in_history(&reply).unwrap().is_err());
        assert_eq!(changes(), reported);
        // The client receives the first outcome, too.
        let outcome = completion.await.unwrap().unwrap().whole();
        assert_eq!(outcome.unwrap_err().error_type(), "Late");
    }
}
