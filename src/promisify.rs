//! Node's `util.promisify` and `util.callbackify`.

use crate::{
    callback::{Callback, callback},
    completion::Completion,
    error::IntoError,
};
use std::future::Future;

/// Node's `util.promisify`: calls `f` with a fresh callback, and gives the future of what is
/// signalled through it.
///
/// With it a nested callback becomes a line with `.await?`. `f` is called at once, not at the first
/// poll: as with a promise the work is under way when the future is there, so two of them that
/// are awaited together run together. The future is a [`Completion`], so a plain thread can
/// [`wait`](Completion::wait) for it too.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Context, Error, Result, Value, json, promisify};
///
/// /// A helper as it was ported, with an error-first callback.
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
/// The future ends with the error that was signalled. It ends with `Runtime.CallbackNotCalled` as
/// soon as every handle to the callback is dropped without a signal; in Node such a promise stays
/// pending for ever. A signal without an error and without a result is `Ok(None)`.
///
/// # Panics
///
/// Only if `f` does: its panic passes through, as the code around it would panic. A panic in work
/// that `f` has started elsewhere drops the callback there, which is an error as above.
///
/// # Cancel safety
///
/// That of [`Completion`]: polled by reference in a `select!` it loses nothing. Dropping it does not
/// stop the work; what that signals later is refused.
#[track_caller]
pub fn promisify<R: Send + 'static>(f: impl FnOnce(Callback<R>)) -> Completion<R> {
    let (callback, completion) = callback();
    f(callback);
    completion
}

/// Node's `util.callbackify`: the future that runs `future` and signals the callback with its
/// `Result`.
///
/// It starts nothing by itself. Give it to [`Context::spawn`](crate::Context::spawn): then it is a
/// task of the invocation, with all that means for its panic and for the event loop. This ports
/// `promise.then(value => callback(null, value)).catch(callback)`. Awaited in an async handler it
/// does the same there.
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
/// assert_eq!(outcome.result.unwrap(), json!({ "id": 7, "sku": "tea" }));
/// let outcome = nodeback::invoke(handler, 8, Context::default()).await;
/// assert_eq!(outcome.result.unwrap_err().error_type(), "OrderNotFound");
/// # }
/// ```
///
/// # Errors
///
/// An `Err` of the future goes to the callback, whatever [`IntoError`] takes. It is no failure of
/// the task: one that comes after another signal is refused as any later signal is, and logged
/// with the places of both. The place of this one is the call of `callbackify`.
///
/// # Panics
///
/// Never by itself. A panic in `future` passes through it and drops the callback, so it is not lost:
///
/// - in a task of [`Context::spawn`](crate::Context::spawn), and in an async handler, the invocation
///   fails with the panic, `Runtime.Panic`;
/// - elsewhere, say in a task of `tokio::spawn`, the callback ends with `Runtime.CallbackNotCalled`,
///   which says that a panic dropped it, unless a clone of it lives.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Error, Value, callbackify, json};
///
/// let handler = |event: Value, context: Context, callback: Callback<u64>| {
///     let work = async move { Ok::<_, Error>(event["total"].as_u64().expect("a total")) };
///     context.spawn(callbackify(work, callback));
/// };
/// let outcome = nodeback::invoke(handler, json!({}), Context::default()).await;
/// let error = outcome.result.unwrap_err();
/// assert_eq!((error.error_type(), error.message()), ("Runtime.Panic", "a total"));
/// # }
/// ```
///
/// # Cancel safety
///
/// The future is dropped with this one, and the callback with it, never signalled half: dropped
/// before its end (an aborted task, a `select!` that another branch wins), the callback counts as
/// lost unless a clone of it lives.
#[track_caller]
pub fn callbackify<R, E, M>(
    future: impl Future<Output = Result<R, E>>,
    callback: Callback<R>,
) -> impl Future<Output = ()>
where
    R: Send + 'static,
    E: IntoError<M>,
{
    let signal = callback.into_once();
    async move { signal(future.await) }
}
