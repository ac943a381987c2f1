//! Between callbacks and futures: the twins of Node's `util.promisify` and `util.callbackify`.

use super::{
    callback::{Callback, pair},
    future::Completion,
    tracker::CompletionTracker,
};
use crate::error::{Error, IntoError};
use std::future::Future;

/// Awaits an API that takes a callback: Node's `util.promisify`.
///
/// `call` gets a fresh callback, to be passed on as it is or as a closure; what it returns is
/// dropped. With it a nested callback becomes a line with `.await?`. `call` runs at once and not at
/// the first poll: as with a promise the work is under way when the future is there, so two of them
/// that are awaited together run together. A plain thread can [`wait`](Completion::wait) for one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Context, Error, Result, Value, json, promisify};
///
/// fn find_order(id: u64, done: impl FnOnce(Option<Error>, Option<Value>) + Send + 'static) {
///     tokio::spawn(async move {
///         match id {
///             7 => done(None, Some(json!({ "id": 7, "sku": "tea" }))),
///             _ => done(Some(Error::new("OrderNotFound", format!("no order {id}"))), None),
///         }
///     });
/// }
///
/// async fn handler(id: u64) -> Result<Option<Value>> {
///     let order = promisify(|done| find_order(id, done.into_error_first())).await?;
///     Ok(order.map(|order| order["sku"].clone()))
/// }
///
/// let outcome = nodeback::invoke(handler, 7, Context::default()).await;
/// assert_eq!(outcome.result.unwrap(), "tea");
/// let outcome = nodeback::invoke(handler, 8, Context::default()).await;
/// assert_eq!(outcome.result.unwrap_err().error_type(), "OrderNotFound");
/// # }
/// ```
///
/// # Errors
///
/// The completion ends with what was signalled, or with `Runtime.CallbackNotCalled` if the API
/// drops its callback; in Node such a promise stays pending for ever. A signal that has neither an
/// error nor a result is `Ok(None)`.
///
/// # Panics
///
/// If `call` does: its panic passes through. A panic in work that `call` started elsewhere drops the
/// callback there, which is an error as above.
///
/// A falsy error (`0`, `NaN`, `false` or an empty string) counts as no error, as with Node's `util.promisify`.
///
/// # Cancel safety
///
/// That of [`Completion`]: awaited by reference in a `select!` it loses nothing. Dropping it does not
/// stop the work; what that signals later is rejected.
pub fn promisify<R: Send + 'static, T>(call: impl FnOnce(Callback<R>) -> T) -> Completion<R> {
    let (callback, completion) = pair(CompletionTracker::ignoring_falsy_errors());
    call(callback);
    completion
}

/// Signals a callback with what a future ends with: Node's `util.callbackify`.
///
/// It is a future itself, which does nothing until it is awaited or spawned. Spawned through the
/// context it belongs to the invocation, which then tells a panic in it and waits for it. So it
/// ports `promise.then(value => callback(null, value)).catch(callback)`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Error, Result, Value, callbackify, json};
///
/// async fn find_order(id: u64) -> Result<Value> {
///     match id {
///         7 => Ok(json!({ "id": 7, "sku": "tea" })),
///         _ => Err(Error::new("OrderNotFound", format!("no order {id}"))),
///     }
/// }
///
/// fn handler(id: u64, context: Context, callback: Callback) {
///     context.spawn(callbackify(find_order(id), callback));
/// }
///
/// let outcome = nodeback::invoke(handler, 7, Context::default()).await;
/// assert_eq!(outcome.result.unwrap()["sku"], "tea");
/// let outcome = nodeback::invoke(handler, 8, Context::default()).await;
/// assert_eq!(outcome.result.unwrap_err().error_type(), "OrderNotFound");
/// # }
/// ```
///
/// # Errors
///
/// A falsy `Err` (`0`, `NaN`, `false` or an empty string) becomes an error with the code
/// `ERR_FALSY_VALUE_REJECTION`, as in Node.
///
/// An `Err` of the future goes to the callback, and is no failure of the task: after another signal
/// it is rejected, as any later signal is. Its call site is the call of `callbackify`.
///
/// # Panics
///
/// Where it is polled, if `future` panics. Nothing is lost by that: in a task of
/// [`Context::spawn`](crate::Context::spawn) and in an async handler the invocation fails with the
/// panic. Elsewhere, say in a task of `tokio::spawn`, the panic drops the callback; if that was the
/// last handle, the error `Runtime.CallbackNotCalled` says that a panic dropped it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Error, Value, callbackify, json};
///
/// let handler = |event: Value, context: Context, callback: Callback<u64>| {
///     let total = async move { Ok::<_, Error>(event["total"].as_u64().expect("a total")) };
///     context.spawn(callbackify(total, callback));
/// };
/// let outcome = nodeback::invoke(handler, json!({}), Context::default()).await;
/// let error = outcome.result.unwrap_err();
/// assert_eq!((error.error_type(), error.message()), ("Runtime.Panic", "a total"));
/// # }
/// ```
///
/// # Cancel safety
///
/// Dropped before its end, it drops `future`, and the callback, which may be the loss of the last
/// handle.
#[track_caller]
pub fn callbackify<F, R, E, M>(
    future: F,
    callback: Callback<R>,
) -> impl Future<Output = ()> + Send + 'static
where
    F: Future<Output = Result<R, E>> + Send + 'static,
    R: Send + 'static,
    E: IntoError<M>,
{
    let done = callback.into_once();
    async move {
        done(future.await.map_err(|error| {
            let error = error.into_error();
            if error.is_falsy() {
                Error::ours("Error", "Promise was rejected with falsy value")
                    .with_code("ERR_FALSY_VALUE_REJECTION")
            } else {
                error
            }
        }));
    }
}
