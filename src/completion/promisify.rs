//! Conversions between callbacks and futures: the counterparts of Node's `util.promisify` and
//! `util.callbackify`.

use super::{
    callback::{Callback, pair},
    future::Completion,
    tracker::CompletionTracker,
};
use crate::error::{Error, IntoError};
use std::future::Future;

/// Turns a call of an API that takes a callback into a future: Node's `util.promisify`.
///
/// `call` receives a new callback, which it passes on as it is or as a closure. Its return value is
/// dropped. A nested callback becomes a line with `.await?` in this way. `call` runs at once, not
/// at the first poll: as with a promise, the work is already under way, so two such futures that
/// are awaited together run concurrently. A plain thread can [`wait`](Completion::wait) for the
/// outcome.
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
/// The completion resolves to the error that was signalled, or to `Runtime.CallbackNotCalled` if
/// the API drops its callback; in Node, such a promise stays pending forever. A signal with neither
/// an error nor a result is `Ok(None)`.
///
/// A falsy error (`0`, `NaN`, `false` or an empty string) counts as no error, as with Node's
/// `util.promisify`.
///
/// # Panics
///
/// Panics if `call` does. A panic in work that `call` started on another task or thread drops the
/// callback there, which is an error as above.
/// # Cancel safety
///
/// As for [`Completion`]: awaiting it by reference in a `select!` loses nothing. Dropping it does
/// not stop the work, whose later signals are rejected.
pub fn promisify<R: Send + 'static, T>(call: impl FnOnce(Callback<R>) -> T) -> Completion<R> {
    let (callback, completion) = pair(CompletionTracker::ignoring_falsy_errors());
    call(callback);
    completion
}

/// Signals a callback with the outcome of a future: Node's `util.callbackify`.
///
/// It returns a future, which does nothing until it is awaited or spawned. If it is spawned through
/// the context, it belongs to the invocation, which waits for it and reports a panic in it. This
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
/// An `Err` of the future goes to the callback, and does not fail the task: after another signal,
/// it is rejected like any later signal. Its call site is the call of `callbackify`.
///
/// # Panics
///
/// Polling it panics if `future` does. The panic is not lost: in a task of
/// [`Context::spawn`](crate::Context::spawn) and in an async handler, the invocation fails with it.
/// Elsewhere, such as in a task of `tokio::spawn`, the panic drops the callback; if that was the
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
/// If it is dropped before it completes, it drops `future` and the callback. If that was the last
/// handle, the error is `Runtime.CallbackNotCalled`.
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
