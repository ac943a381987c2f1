//! The invocations of the local server.

use super::{
    configuration::{FunctionConfiguration, LocalSettings},
    history::{Body as Kept, Client, Entry, History},
    host::OwnHosts,
    limits::Limits,
    origin::OriginCheck,
    outcome::{LocalOutcome, within_limit},
    page::{self, EventFolder},
    rejection::Rejection,
    routes::Routes,
    stream::{LocalStream, whole},
};
use crate::{
    completion::{Callback, callback},
    error::{Error, Result},
    invocation::{ContextBuilder, Function, Functions, Sink},
    log,
    stream::StreamReader,
};
use axum::http::StatusCode;
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
/// its entry in the history.
pub(super) fn start(
    server: &Arc<Server>,
    client: Client,
    function: Function,
    context: ContextBuilder,
    event: Bytes,
    reply_to: ReplyTo,
) -> Entry {
    let entry = server.history.begin(client, &context, &event);
    let run = run(function, context, event, reply_to, entry.clone());
    server.invocations.spawn_on(run, &server.runtime);
    entry
}

/// The receiver of an outcome.
#[derive(Clone)]
pub(super) enum ReplyTo {
    Client {
        callback: Callback<LocalOutcome>,
        /// Whether the client accepts a stream. If not, a streamed response is collected into one.
        accepts_streams: bool,
    },
    /// The page, which reads the outcome from the history.
    Page,
}

/// Runs one invocation, and passes its outcome to the receiver.
pub(super) fn run(
    function: Function,
    context: ContextBuilder,
    event: Bytes,
    reply_to: ReplyTo,
    entry: Entry,
) -> impl Future<Output = ()> + Send {
    let members = context.members();
    log::platform::start(&members.aws_request_id, &members.function_version);
    let reply = Reply {
        started: Instant::now(),
        context: context.clone(),
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
    client: Client,
    function: Function,
    context: ContextBuilder,
    event: Bytes,
) -> (Entry, Result<Response>) {
    let (callback, completion) = callback();
    let reply_to = ReplyTo::Client {
        callback,
        accepts_streams: true,
    };
    let entry = start(server, client, function, context, event, reply_to);
    let outcome = completion.await.map(Option::unwrap_or_default);
    let outcome = outcome.and_then(|outcome| match outcome {
        LocalOutcome::Whole(outcome) => Ok(Response::Whole(outcome?)),
        LocalOutcome::Stream(mut stream) => match stream.failed_at_once() {
            Some(error) => Err(error),
            None => Ok(Response::Stream(stream)),
        },
    });
    (entry, outcome)
}

/// A response to an HTTP request.
pub(super) enum Response {
    Whole(Bytes),
    Stream(Box<LocalStream>),
}

/// Passes the outcome on to its receiver, if one still waits.
#[derive(Clone)]
struct Reply {
    started: Instant,
    context: ContextBuilder,
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
        let callback = match &self.reply_to {
            ReplyTo::Client {
                callback,
                accepts_streams: true,
            } => callback.clone(),
            _ => {
                let outcome = whole(&stream).await;
                span.in_scope(|| self.respond(outcome));
                return;
            }
        };
        let closed = stream.closed();
        let report = {
            let this = self.clone();
            Box::new(move |sent: Result<Kept, &Error>| {
                span.in_scope(|| {
                    this.report(sent);
                })
            })
        };
        let stream = LocalStream::begin(stream, report).await;
        // If the client has received an error of the watchdog, this drops the stream, which closes
        // it.
        let begun = LocalOutcome::Stream(Box::new(stream));
        drop(callback.try_settle(Ok::<_, Error>(begun)));
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
        let is_first = self.report(outcome.as_ref().map(|body| Kept::whole(body)));
        let outcome = LocalOutcome::Whole(outcome);
        match self.reply_to {
            ReplyTo::Client { callback, .. } => {
                // This fails if the client has received an outcome before, such as the start of a
                // stream.
                let _ = callback.try_settle(Ok::<_, Error>(outcome));
            }
            // The page shows the response that `Invoke` would send.
            ReplyTo::Page if is_first => {
                let response = outcome.respond(self.context.members(), None);
                self.entry.sends(&response);
            }
            ReplyTo::Page => {}
        }
    }

    /// Reports the outcome, the first time. Returns whether it is the first time.
    fn report(&self, outcome: Result<Kept, &Error>) -> bool {
        // ORDERING: Relaxed, since the flag decides who reports and publishes nothing.
        if self.is_reported.swap(true, Ordering::Relaxed) {
            return false;
        }
        let error = outcome.as_ref().err().copied();
        if let Some(error) = error {
            error.log();
        }
        let took = self.started.elapsed();
        let used = log::platform::peak_memory();
        let members = self.context.members();
        let report = log::platform::Report {
            request_id: &members.aws_request_id,
            took,
            memory: &members.memory_limit_in_mb,
            used,
            error,
        };
        report.write();
        self.entry.ended(outcome, took, used);
        true
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{
        invocation::Context,
        local::history::{Outcome, Record},
    };
    use serde_json::Value;
    use std::future::pending;

    fn reply_to(reply_to: ReplyTo) -> (Reply, Arc<History>) {
        let history = Arc::<History>::default();
        let context = Context::builder();
        let reply = Reply {
            entry: history.begin(Client::Invoke, &context, &Bytes::new()),
            started: Instant::now(),
            context,
            reply_to,
            is_reported: Arc::default(),
        };
        (reply, history)
    }

    /// Reports an error and then a response. Returns what the history has of them.
    async fn report_twice(reply: Reply, history: &History) -> Value {
        // The thread of a streaming handler is blocked, and the client does not read the end of the
        // stream, so the watchdog reports the error. The stream ends later.
        let error = Error::new("Late", "");
        reply.clone().ended_for_blocked(error, pending()).await;
        let n = reply.entry.n;
        assert!(in_history(history, n).unwrap_err().contains("Late"));
        let reported = history.since(0).seen;
        let response = Ok(Bytes::from_static(b"1"));
        reply.send(response, &Span::none()).await;
        assert!(in_history(history, n).is_err());
        assert_eq!(history.since(0).seen, reported);
        let sent = history.read(n, |record| serde_json::to_value(&record.sent));
        sent.unwrap().unwrap()
    }

    /// Returns what the history has of an invocation: its response, or its error as JSON.
    fn in_history(history: &History, n: u64) -> Result<Bytes, String> {
        let outcome = |outcome: &Outcome| match &outcome.result {
            Ok(body) => Ok(body.kept.clone()),
            Err(failure) => Err(failure.json.clone()),
        };
        let outcome = |record: &Record| record.outcome.as_ref().map(outcome);
        history.read(n, outcome).unwrap().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_outcome_is_reported_once() {
        let (callback, completion) = callback();
        let (reply, history) = reply_to(ReplyTo::Client {
            callback,
            accepts_streams: true,
        });
        assert_eq!(report_twice(reply, &history).await, Value::Null);
        // The client receives the first outcome, too.
        let outcome: Option<LocalOutcome> = completion.await.unwrap();
        let outcome = outcome.unwrap().whole();
        assert_eq!(outcome.unwrap_err().error_type(), "Late");
    }

    #[tokio::test(start_paused = true)]
    async fn the_page_shows_the_headers_of_the_first_outcome() {
        let (reply, history) = reply_to(ReplyTo::Page);
        let sent = report_twice(reply, &history).await.to_string();
        assert!(sent.contains("x-amz-function-error"), "{sent}");
    }
}
