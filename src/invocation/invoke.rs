//! Runs one invocation in the same process: [`invoke`], and the services that run a handler for its
//! result.

use super::{
    context::Context, context_builder::ContextBuilder, function::Function, handler::Handler,
    sink::Sink, timeline::Timeline, unfinished::UnfinishedTask,
};
#[cfg(feature = "lambda")]
use super::{driver, handler::enter, settings::InvocationSettings};
use crate::{
    completion::DuplicateSignal,
    error::{Error, Result},
    guard::guarded,
    phases,
    stream::{StreamReader, StreamedResponse},
};
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use serde::Serialize;
use serde_json::Value;
#[cfg(feature = "lambda")]
use std::sync::Arc;
use tracing::Span;

/// The outcome of one invocation and what it left behind: see [`invoke`].
///
/// ```
/// use nodeback::{Callback, Context, Value, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let hasty = |_: Value, _: Context, callback: Callback| {
///     callback(None, Some(json!("first")));
///     callback(None, Some(json!("second")));
/// };
/// let outcome = nodeback::invoke(hasty, (), Context::default()).await;
/// assert_eq!(outcome.result.unwrap(), "first");
/// assert_eq!(outcome.duplicate_signal_count, 1);
/// println!("duplicate at {}", outcome.duplicate_signals[0].duplicate); // src/main.rs:8:5
/// assert!(outcome.unfinished_tasks.is_empty());
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The response, or the error.
    pub result: Result<Value>,
    /// Whether a success was deferred until the tasks finished: in Node, until the event loop was empty.
    pub deferred: bool,
    /// The first 16 signals that came after the accepted one and were rejected.
    pub duplicate_signals: Vec<DuplicateSignal>,
    /// How many rejected signals there were in total.
    pub duplicate_signal_count: usize,
    /// What a handler of [`streamify_response`](crate::streamify_response()) has written, in a
    /// success as well as in a failure. The `result` of such a handler is null or the error.
    pub stream: Option<StreamedResponse>,
    /// The tasks that were still running when the environment would have polled for the next event.
    pub unfinished_tasks: Vec<UnfinishedTask>,
    /// The timeline of the invocation, if the context was built with
    /// [`record_timeline`](crate::ContextBuilder::record_timeline).
    pub timeline: Option<Box<Timeline>>,
}

/// Runs one invocation in the same process as it runs on Lambda, for tests.
///
/// The event can be any value that implements `Serialize`. The deadline of the context is enforced
/// (3 s unless the [builder](Context::builder) sets another timeout), so a handler that hangs makes
/// the test fail instead of hang.
///
/// ```
/// use nodeback::{Callback, Context, Value, json};
///
/// fn greet(event: Value, _: Context, callback: Callback) {
///     match event["name"].as_str() {
///         Some(name) => callback.succeed(json!({ "hello": name })),
///         None => callback.fail("name is missing"),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let outcome = nodeback::invoke(greet, json!({ "name": "Ada" }), Context::default()).await;
/// assert_eq!(outcome.result.unwrap(), json!({ "hello": "Ada" }));
///
/// let outcome = nodeback::invoke(greet, json!({}), Context::default()).await;
/// assert_eq!(outcome.result.unwrap_err().message(), "name is missing");
/// # }
/// ```
///
/// # Panics
///
/// If there is no tokio runtime with its time driver enabled.
pub async fn invoke<M>(
    handler: impl Handler<M>,
    event: impl Serialize,
    context: Context,
) -> Outcome {
    in_process(&Function::new(handler), event, context).await
}

pub(crate) async fn in_process(
    function: &Function,
    event: impl Serialize,
    context: Context,
) -> Outcome {
    match guarded(|| serde_json::to_vec(&event)) {
        Ok(Ok(event)) => driven(function, event.into(), context).await,
        Ok(Err(error)) => Outcome::failed(Error::from(error).with_type("Error")),
        Err(panic) => Outcome::failed(Error::panic(panic)),
    }
}

/// Runs one invocation to its end. The future is boxed, so that it is compiled in this crate, once,
/// and not in each test of a user.
fn driven(function: &Function, event: Bytes, context: Context) -> BoxFuture<'_, Outcome> {
    let context = context.to_builder();
    Box::pin(async move {
        let recorder = context.recorder().cloned();
        let driving = function.drive(Ok(event), context, InProcess);
        let driven = phases::awaited(driving).await;
        let parse = |body: Bytes| Ok(serde_json::from_slice(&body)?);
        let (result, stream) = match driven.sent {
            Some(Returned::Stream(streamed, ended)) => {
                (ended.map(|()| Value::Null), Some(*streamed))
            }
            sent => (whole(sent).and_then(parse), None),
        };
        Outcome {
            result,
            stream,
            deferred: driven.deferred,
            duplicate_signals: driven.duplicate_signals,
            duplicate_signal_count: driven.duplicate_signal_count,
            unfinished_tasks: driven.unfinished_tasks,
            timeline: recorder.map(|recorder| Box::new(recorder.timeline())),
        }
    })
}

/// Runs one invocation to its end, within the layers, and returns the bytes of its response.
pub(crate) fn raw(
    function: &Function,
    event: Bytes,
    context: ContextBuilder,
) -> impl Future<Output = Result<Bytes>> {
    let driving = function.drive(Ok(event), context, InProcess);
    phases::awaited(driving).map(|driven| whole(driven.sent))
}

/// Runs one invocation of a handler of a known type.
#[cfg(feature = "lambda")]
pub(crate) async fn parsed<M, H: Handler<M>>(
    handler: &Arc<H>,
    event: impl FnOnce() -> Result<H::Event>,
    settings: InvocationSettings,
    context: ContextBuilder,
) -> Result<Bytes> {
    let enter = |context| enter(handler, event, context);
    let driving = driver::drive_parsed(enter, settings, context, InProcess);
    let driven = phases::awaited(driving).await;
    match driven.sent {
        Some(Returned::Stream(_, Ok(()))) => Err(Error::ours(
            "Runtime.InvalidStreamingOperation",
            "a tower service has no stream: expected the handler of `streamify_response` to be run by \
             `nodeback::run` or by a `Runtime`",
        )),
        sent => whole(sent),
    }
}

/// What the driver returns for an invocation in the same process.
enum Returned {
    Whole(Result<Bytes>),
    /// A stream, and how it ended.
    Stream(Box<StreamedResponse>, Result<()>),
}

/// Returns the outcome to the caller that runs the invocation.
#[derive(Clone, Copy)]
struct InProcess;

impl Sink for InProcess {
    type Sent = Returned;
    /// The caller that awaits the outcome runs on the thread that would be blocked.
    const WATCHED: bool = false;

    async fn send(self, outcome: Result<Bytes>, span: &Span) -> Self::Sent {
        if let Err(error) = &outcome {
            span.in_scope(|| error.log());
        }
        Returned::Whole(outcome)
    }

    async fn stream(self, stream: StreamReader, span: Span) -> Self::Sent {
        let (streamed, ended) = StreamedResponse::read(&stream).await;
        if let Err(error) = &ended {
            span.in_scope(|| error.log());
        }
        Returned::Stream(Box::new(streamed), ended)
    }

    async fn send_for_blocked(self, _: Error) {}

    async fn ended_for_blocked(self, _: Error, _: impl Future<Output = ()> + Send) {}
}

/// Returns the outcome of an invocation as one response. A stream becomes one response, too, as
/// with Lambda's `Invoke`.
fn whole(sent: Option<Returned>) -> Result<Bytes> {
    match sent {
        Some(Returned::Whole(outcome)) => outcome,
        Some(Returned::Stream(streamed, ended)) => ended.map(|()| streamed.raw()),
        None => Err(Error::ours(
            "Runtime.ExitError",
            "the invocation ended without an outcome",
        )),
    }
}

impl Outcome {
    pub(crate) fn failed(error: Error) -> Self {
        Outcome {
            result: Err(error),
            deferred: false,
            duplicate_signals: vec![],
            duplicate_signal_count: 0,
            stream: None,
            unfinished_tasks: vec![],
            timeline: None,
        }
    }
}
