//! The shapes that a handler may have.

#[cfg(feature = "parity")]
mod picked;
mod shapes;
mod streaming;

pub use streaming::{StreamingHandler, streamify_response};

#[cfg(feature = "parity")]
pub use picked::{Picked, Picker};

use super::{context::Context, queue::TaskFuture, timeline::Recorder};
use crate::{completion::Callback, error::Error};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, sync::Arc};

/// A function or closure that [`run`](fn@crate::run) and [`invoke`](crate::invoke()) accept.
///
#[doc = include_str!("../../docs/shapes.md")]
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Result, Value, error, invoke};
///
/// fn calls(event: Value, _: Context, callback: Callback) {
///     callback(None, Some(event));
/// }
/// fn calls_or_throws(event: Value, _: Context, callback: Callback) -> Result<()> {
///     let id = event.as_u64().ok_or_else(|| error!("an id is a number"))?;
///     callback.succeed(id.into());
///     Ok(())
/// }
/// async fn awaits_and_calls(event: Value, _: Context, callback: Callback) {
///     tokio::task::yield_now().await;
///     callback.succeed(event);
/// }
/// async fn awaits_and_returns(event: Value, _: Context) -> Result<Value> {
///     tokio::task::yield_now().await;
///     Ok(event)
/// }
/// fn blocks_and_returns(event: Value, _: Context) -> Result<Value> {
///     std::thread::yield_now();
///     Ok(event)
/// }
/// fn uses_the_context(event: Value, context: Context) {
///     context.succeed(event);
/// }
///
/// let context = Context::default;
/// assert_eq!(invoke(calls, 7, context()).await.result.unwrap(), 7);
/// assert_eq!(invoke(calls_or_throws, 7, context()).await.result.unwrap(), 7);
/// assert_eq!(invoke(awaits_and_calls, 7, context()).await.result.unwrap(), 7);
/// assert_eq!(invoke(awaits_and_returns, 7, context()).await.result.unwrap(), 7);
/// assert_eq!(invoke(blocks_and_returns, 7, context()).await.result.unwrap(), 7);
/// assert_eq!(invoke(uses_the_context, 7, context()).await.result.unwrap(), 7);
/// # }
/// ```
///
/// # The parameter `M`
///
/// The compiler infers it and uses it to distinguish the shapes. Code that calls a function with a handler
/// never names it. A function that takes any handler declares it:
///
/// ```
/// use nodeback::Handler;
///
/// fn register<M>(handler: impl Handler<M>) {
///     // ..
/// #   let _ = handler;
/// }
/// # register(async |event: nodeback::Value| Ok::<_, nodeback::Error>(event));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has none of the shapes of a handler",
    label = "not a handler",
    note = "a handler is a function or closure, `Send + Sync + 'static`, of one of these shapes:
    fn(E, Context, Callback<R>)
    fn(E, Context, Callback<R>) -> Result<(), Err>
    async fn(E, Context, Callback<R>)
    async fn(E, Context, Callback<R>) -> Result<(), Err>
    async fn(E, Context) -> Result<R, Err>
    fn(E, Context) -> Result<R, Err>
    fn(E, Context)
where the last parameter may be left out of those that return a result: `async fn(E)`, `fn(E)`;
or `streamify_response` of `async fn(E, ResponseStream, Context) -> Result<(), Err>`",
    note = "`E` is `DeserializeOwned + Send`, `R` is `Serialize + Send`, `Err` is what `nodeback::IntoError` accepts; a future has to be `Send`; a closure has to name the types of its parameters",
    note = "an `async move |..|` closure that uses what it captured is no `Fn`: write `move |..| {{ let state = state.clone(); async move {{ .. }} }}`"
)]
pub trait Handler<M>: Send + Sync + 'static {
    /// The type of the event.
    type Event: DeserializeOwned + Send + 'static;
    /// The type of the result.
    type Response: Serialize + Send + 'static;

    /// Enters the handler.
    #[doc(hidden)]
    fn call(
        self: &Arc<Self>,
        event: Self::Event,
        context: Context,
        callback: Callback<Self::Response>,
    ) -> Work;
}

/// The work that is left once a handler was entered.
#[doc(hidden)]
pub enum Work {
    /// Nothing.
    Done,
    /// A future.
    Future(TaskFuture),
    /// A function that may block. It returns a function that signals its result in the event loop.
    Blocking(Box<dyn FnOnce() -> Returned + Send>),
}

pub(super) type Returned = Box<dyn FnOnce() + Send>;

/// Enters a handler, unless `event` fails.
pub(super) fn enter<M, H: Handler<M>>(
    handler: &Arc<H>,
    event: impl FnOnce() -> Result<H::Event, Error>,
    context: Context,
) -> Result<Work, Error> {
    let event = event()?;
    context.invocation.record(Recorder::handler_entered);
    let callback = context.callback();
    Ok(handler.call(event, context, callback))
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Work::Done => "Done",
            Work::Future(_) => "Future",
            Work::Blocking(_) => "Blocking",
        })
    }
}
