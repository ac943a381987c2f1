//! Running a handler for one event, and what that came to.

#[cfg(any(feature = "lambda", feature = "local"))]
mod answering;
mod function;
mod invocation;
#[cfg(feature = "lambda")]
mod layers;
#[cfg(any(feature = "lambda", feature = "local"))]
mod watch;

#[cfg(any(feature = "lambda", feature = "local"))]
pub(crate) use answering::Answering;
pub(crate) use function::{Function, Functions, Settings};
pub(crate) use invocation::Invocation;
#[cfg(any(feature = "lambda", feature = "local"))]
pub(crate) use watch::Watch;

#[cfg(feature = "lambda")]
use crate::callback::Spare;
use crate::{
    completion::Refused,
    context::{Context, ContextBuilder},
    error::Error,
    handler::Handler,
    tasks::Leftover,
};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
#[cfg(feature = "lambda")]
use std::sync::Arc;

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
    let event = match serde_json::to_vec(&event) {
        Ok(event) => Bytes::from(event),
        Err(error) => return Outcome::failed(Error::from(error).with_type("Error")),
    };
    let ended = raw(function, event, context.to_builder()).await;
    Outcome {
        result: ended
            .answer
            .and_then(|body| Ok(serde_json::from_slice(&body)?)),
        refused: ended.refused,
        refused_count: ended.refused_count,
        leftover: ended.leftover,
    }
}

/// What an invocation came to, whose answer nobody has read yet.
pub(crate) struct Ended {
    pub(crate) answer: Result<Bytes, Error>,
    refused: Vec<Refused>,
    refused_count: usize,
    leftover: Vec<Leftover>,
}

/// Runs one invocation to its end, within the layers.
pub(crate) async fn raw(function: &Function, event: Bytes, context: ContextBuilder) -> Ended {
    #[cfg(feature = "lambda")]
    if !function.layers.is_empty() {
        let (inner, start) = (function.clone(), context.clone());
        let work = async move |event, answering: Answering| {
            end(inner.start(event, start), || answering.begin()).await
        };
        let ended = function.layers.around(Ok(event), &context, work).await;
        return ended.unwrap_or_else(|error| {
            context.span().in_scope(|| error.log());
            Ended {
                answer: Err(error),
                refused: vec![],
                refused_count: 0,
                leftover: vec![],
            }
        });
    }
    end(function.start(Ok(event), context), || {}).await
}

/// Runs one invocation of a handler of a known type.
#[cfg(feature = "lambda")]
pub(crate) async fn parsed<M, H: Handler<M>>(
    handler: &Arc<H>,
    event: impl FnOnce() -> Result<H::Event, Error>,
    context: ContextBuilder,
) -> Ended {
    let (settings, spare) = (Settings::default(), Spare::default());
    let invocation = Invocation::start(handler, event, context, settings, &spare);
    end(invocation, || {}).await
}

async fn end(mut invocation: Invocation, answered: impl FnOnce()) -> Ended {
    let answer = invocation.answer().await;
    answered();
    if let Err(error) = &answer {
        invocation.log_failure(error);
    }
    let (refused, refused_count) = invocation.finish().await;
    Ended {
        answer,
        refused,
        refused_count,
        leftover: invocation.leftover(),
    }
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
