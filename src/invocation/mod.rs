//! One invocation of a handler: its context, its event loop, its outcome, and the one driver that
//! takes it from the event to the response wherever it runs.

mod context;
mod current;
mod driver;
mod event_loop;
mod function;
mod handler;
pub(crate) mod json;
#[cfg(feature = "lambda")]
pub(crate) mod layers;
mod queue;
mod rest;
mod running;
mod state;
mod task;
mod watchdog;

pub use context::{Context, ContextBuilder, Identity, Members};
pub use current::{set_immediate, set_timeout, spawn};
pub(crate) use driver::Sink;
pub(crate) use function::{Function, Functions, Settings};
pub use handler::Handler;
pub use task::{Leftover, Task, TaskOutput};

use crate::{completion::Refused, error::Error, guard::guarded};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
#[cfg(feature = "lambda")]
use std::sync::Arc;
use tracing::Span;

/// What an invocation answers with when nobody called the callback, and nobody can any more.
///
/// ```
/// use nodeback::{Callback, Context, Runtime, Unsignalled, Value};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let forgetful = |_: Value, _: Context, _: Callback| {};
/// let fails = Runtime::new(forgetful).invoke((), Context::default()).await;
/// assert_eq!(fails.result.unwrap_err().error_type(), "Runtime.CallbackNotCalled");
///
/// let as_in_node = Runtime::new(forgetful).unsignalled(Unsignalled::Null);
/// assert_eq!(as_in_node.invoke((), Context::default()).await.result.unwrap(), Value::Null);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsignalled {
    /// The error `Runtime.CallbackNotCalled`, at once: a lost callback is a bug.
    #[default]
    Fail,
    /// Node's answer: a success with `null`, once the tasks of the invocation have ended.
    Null,
}

/// What one invocation came to: see [`invoke`].
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
/// assert_eq!(outcome.refused_count, 1);
/// println!("again at {}", outcome.refused[0].again); // src/main.rs:8:5
/// assert!(outcome.leftover.is_empty());
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The response, or the failure.
    pub result: Result<Value, Error>,
    /// The signals that came after the first one, up to 16 of them.
    pub refused: Vec<Refused>,
    /// How many there were.
    pub refused_count: usize,
    /// What was still running when the environment would have asked for the next event.
    pub leftover: Vec<Leftover>,
}

/// Runs one invocation in process, as it runs on Lambda: for tests.
///
/// The event is anything that serialises. The deadline of the context is enforced
/// (3 s unless the [builder](Context::builder) says otherwise), so a handler that hangs
/// fails the test and does not hang it.
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
/// Where there is no tokio runtime with its time driver enabled.
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
    let event = match guarded(|| serde_json::to_vec(&event)) {
        Ok(Ok(event)) => Bytes::from(event),
        Ok(Err(error)) => return Outcome::failed(Error::from(error).with_type("Error")),
        Err(panic) => return Outcome::failed(Error::panic(panic)),
    };
    let driven = function
        .drive(Ok(event), context.to_builder(), InProcess)
        .await;
    let parse = |body: Bytes| Ok(serde_json::from_slice(&body)?);
    Outcome {
        result: sent(driven.sent).and_then(parse),
        refused: driven.refused,
        refused_count: driven.refused_count,
        leftover: driven.leftover,
    }
}

/// Runs one invocation to its end, within the layers.
pub(crate) async fn raw(
    function: &Function,
    event: Bytes,
    context: ContextBuilder,
) -> Result<Bytes, Error> {
    let driven = function.drive(Ok(event), context, InProcess).await;
    sent(driven.sent)
}

/// Runs one invocation of a handler of a known type.
#[cfg(feature = "lambda")]
pub(crate) async fn parsed<M, H: Handler<M>>(
    handler: &Arc<H>,
    event: impl FnOnce() -> Result<H::Event, Error>,
    settings: Settings,
    context: ContextBuilder,
) -> Result<Bytes, Error> {
    let enter = |context| handler::enter(handler, event, context);
    let driven = driver::drive_parsed(enter, settings, context, InProcess).await;
    sent(driven.sent)
}

/// Gives the outcome back to whoever runs the invocation.
#[derive(Clone, Copy)]
struct InProcess;

impl Sink for InProcess {
    type Sent = Result<Bytes, Error>;
    /// Whoever awaits the outcome is on the very thread that is blocked.
    const WATCHED: bool = false;

    async fn send(self, outcome: Result<Bytes, Error>, span: &Span) -> Self::Sent {
        if let Err(error) = &outcome {
            span.in_scope(|| error.log());
        }
        outcome
    }

    async fn send_for_blocked(self, _: Error) {}
}

/// What an invocation that nothing watches over has come to.
fn sent(sent: Option<Result<Bytes, Error>>) -> Result<Bytes, Error> {
    sent.unwrap_or_else(|| {
        Err(Error::ours(
            "Runtime.ExitError",
            "the invocation was given up",
        ))
    })
}

impl Outcome {
    pub(crate) fn failed(error: Error) -> Self {
        Outcome {
            result: Err(error),
            refused: vec![],
            refused_count: 0,
            leftover: vec![],
        }
    }
}
