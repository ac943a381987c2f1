//! Between callbacks and futures: the twins of Node's `util.promisify` and `util.callbackify`.

use crate::{
    callback::{Callback, callback},
    completion::Completion,
    error::IntoError,
};
use std::future::Future;

/// Awaits an API that takes a callback: Node's `util.promisify`.
///
/// `call` gets a fresh callback, to be passed on as it is or as a closure; what it returns is
/// dropped. The completion is the one outcome of that callback: see there for cancel safety.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> nodeback::Result<()> {
/// use nodeback::promisify;
///
/// fn get_item(key: &str, done: impl FnOnce(Option<std::io::Error>, Option<String>) + Send + 'static) {
///     done(None, Some(format!("item of {key}")));
/// }
///
/// let item = promisify(|done| get_item("order", done.into_error_first())).await?;
/// assert_eq!(item.as_deref(), Some("item of order"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The completion ends with what was signalled, or with `Runtime.CallbackNotCalled` if the API
/// drops its callback.
pub fn promisify<R: Send + 'static, T>(call: impl FnOnce(Callback<R>) -> T) -> Completion<R> {
    let (callback, completion) = callback();
    call(callback);
    completion
}

/// Signals a callback with what a future ends with: Node's `util.callbackify`.
///
/// It is a future itself, which does nothing until it is awaited or spawned. Spawned through the
/// context it belongs to the invocation, which then tells a panic in it.
///
/// ```
/// use nodeback::{Callback, Context, Value, callbackify, json};
///
/// async fn get_item(key: String) -> Result<Value, std::io::Error> {
///     Ok(json!({ "key": key }))
/// }
///
/// fn handler(event: Value, context: Context, callback: Callback) {
///     let key = event["key"].to_string();
///     context.spawn(callbackify(get_item(key), callback));
/// }
/// ```
///
/// # Cancel safety
///
/// Dropped before its end, it drops the callback, which may be the loss of the last handle.
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
    async move { done(future.await) }
}
