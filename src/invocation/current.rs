//! The current invocation, which allows code to spawn tasks without access to the context.

use super::{
    queue::TaskFuture, state::Invocation, task::Task, task_output::TaskOutput,
    unfinished::UnfinishedTask,
};
use crate::{
    completion::Responder,
    error::{Error, IntoError},
};
use futures::FutureExt;
use scoped_tls::scoped_thread_local;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

scoped_thread_local!(static CURRENT: Arc<Invocation>);

/// Runs `f` with `invocation` as the current one, and in its span. Calls may be nested.
pub(super) fn enter<T>(invocation: &Arc<Invocation>, f: impl FnOnce() -> T) -> T {
    CURRENT.set(invocation, || {
        #[cfg(any(feature = "lambda", feature = "local"))]
        if let Some(recorder) = &invocation.recorder {
            return recorder.capture(|| invocation.span.in_scope(f));
        }
        invocation.span.in_scope(f)
    })
}

/// Returns the invocation whose code calls this.
pub(super) fn invocation() -> Option<Arc<Invocation>> {
    CURRENT.is_set().then(|| CURRENT.with(Arc::clone))
}

/// Runs a future as a task of the current invocation, as [`Context::spawn`](crate::Context::spawn)
/// does, in code that has no access to the context.
///
/// The current invocation is the one whose handler, task, timer or blocking function calls this,
/// directly or not. A thread or a task of `tokio::spawn` belongs to no invocation and needs a
/// [`Context`](crate::Context) instead. Outside of any invocation, the future runs as a task of the
/// current tokio runtime, and its failure is logged.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Value, json};
///
/// fn save(order: Value, callback: Callback) {
///     nodeback::spawn(async move {
///         tokio::task::yield_now().await;
///         callback(None, Some(order));
///     });
/// }
/// let handler = |event: Value, _: Context, callback: Callback| save(event, callback);
///
/// let outcome = nodeback::invoke(handler, json!({ "id": 7 }), Context::default()).await;
/// assert_eq!(outcome.result.unwrap(), json!({ "id": 7 }));
/// # }
/// ```
#[track_caller]
pub fn spawn<F, M>(future: F) -> Task
where
    F: Future<Output: TaskOutput<M>> + Send + 'static,
{
    let name = UnfinishedTask::spawned();
    add(name, Box::pin(future.map(|output| output.into_failure())))
}

/// Runs a future as a task of the current invocation, and calls an error-first function with its outcome: the
/// `sdk.operation(params, (err, data) => ..)` of a handler in one expression.
///
/// The future determines the types of both parameters. An `Err` that the function returns
/// corresponds to Node's `throw`: it fails the invocation, even if the function owned the last
/// handle of the callback. In all other respects, this is a task like that of [`spawn`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Value, js::Access, json, spawn_then};
///
/// /// Stands in for an operation of an SDK.
/// async fn get(id: u64) -> Result<Value, std::io::Error> {
///     Ok(json!({ "id": id }))
/// }
///
/// // client.get(event.id, (err, order) => {
/// //     if (err) return callback(err);
/// //     callback(null, order.customer.name);
/// // });
/// let handler = |event: Value, _: Context, callback: Callback| {
///     spawn_then(get(event["id"].as_u64().unwrap_or(0)), move |error, order| -> nodeback::Result<()> {
///         let Some(order) = order else {
///             callback(error, None);
///             return Ok(());
///         };
///         let name = order.member("customer")?.member("name")?.cloned();
///         callback(None, name);
///         Ok(())
///     });
/// };
/// let error = nodeback::invoke(handler, json!({ "id": 7 }), Context::default()).await.result.unwrap_err();
/// assert_eq!(error.message(), "Cannot read properties of undefined (reading 'name')");
/// # }
/// ```
#[track_caller]
pub fn spawn_then<F, T, E, O, M, N>(
    future: F,
    callback: impl FnOnce(Option<Error>, Option<T>) -> O + Send + 'static,
) -> Task
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: IntoError<M>,
    O: TaskOutput<N>,
{
    add(UnfinishedTask::spawned(), then(future, callback))
}

/// Returns the task that calls an error-first function with the outcome of a future. It fails with
/// the error that the function returns.
pub(super) fn then<F, T, E, O, M, N>(
    future: F,
    callback: impl FnOnce(Option<Error>, Option<T>) -> O + Send + 'static,
) -> TaskFuture
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    E: IntoError<M>,
    O: TaskOutput<N>,
{
    Box::pin(future.map(move |outcome| {
        let output = match outcome {
            Ok(result) => callback(None, Some(result)),
            Err(error) => callback(Some(error.into_error()), None),
        };
        output.into_failure()
    }))
}

/// Calls a function after a delay, as a task of the current invocation: Node's
/// `setTimeout(callback, delay)`.
///
/// A success that is signalled through the callback waits for it. If the function returns an `Err` or
/// panics, the invocation fails, as with an uncaught exception in Node. Timers of the same time fire
/// in the order in which they were set. The shortest delay is one millisecond, as in Node.
///
/// [`Task::abort`] is Node's `clearTimeout`. Dropping the task does not clear the timer. Node's
/// `return setTimeout(..)` becomes `set_timeout(..); return;`. For the current invocation, see
/// [`spawn`]. In a thread or a task of `tokio::spawn`, use
/// [`Context::set_timeout`](crate::Context::set_timeout).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Value, json, set_timeout};
/// use std::time::Duration;
///
/// let handler = |_: Value, _: Context, callback: Callback| {
///     let late = callback.clone();
///     let timer = set_timeout(Duration::from_secs(2), move || late.fail("too slow"));
///     set_timeout(Duration::from_millis(5), move || {
///         timer.abort();
///         callback.succeed(json!("in time"));
///     });
/// };
/// let outcome = nodeback::invoke(handler, json!({}), Context::default()).await;
/// assert_eq!(outcome.result.unwrap(), "in time");
/// # }
/// ```
#[track_caller]
pub fn set_timeout<T, M>(delay: Duration, f: impl FnOnce() -> T + Send + 'static) -> Task
where
    T: TaskOutput<M>,
{
    let name = UnfinishedTask::timeout();
    invocation_or_detached().set_timeout(name, delay, f, None)
}

impl Invocation {
    pub(super) fn set_timeout<T, M>(
        self: &Arc<Self>,
        name: UnfinishedTask,
        delay: Duration,
        f: impl FnOnce() -> T + Send + 'static,
        keep: Option<&Responder>,
    ) -> Task
    where
        T: TaskOutput<M>,
    {
        // The delay counts from this call, not from the first poll of the task.
        let due = Instant::now().checked_add(delay.max(Duration::from_millis(1)));
        let fires = async move {
            match due {
                // The thread may have been blocked for longer than the delay.
                Some(due) if due <= Instant::now() => {}
                Some(due) => sleep_until(due).await,
                // The time is beyond the range of the clock.
                None => std::future::pending().await,
            }
            f().into_failure()
        };
        self.add(name, Box::pin(fires), keep)
    }
}

/// Calls a function when nothing else of the current invocation is ready and no timer is due: Node's
/// `setImmediate(callback)`.
///
/// It is a task like that of [`set_timeout`]. [`Task::abort`] is Node's `clearImmediate`. An
/// immediate that another immediate sets runs after the next poll of timers and sockets.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Value, json, set_immediate};
///
/// let handler = |_: Value, _: Context, callback: Callback| {
///     set_immediate(move || callback(None, Some(json!("second"))));
///     nodeback::spawn(async { /* first */ });
/// };
/// let outcome = nodeback::invoke(handler, json!({}), Context::default()).await;
/// assert_eq!(outcome.result.unwrap(), "second");
/// # }
/// ```
#[track_caller]
pub fn set_immediate<T, M>(f: impl FnOnce() -> T + Send + 'static) -> Task
where
    T: TaskOutput<M>,
{
    let name = UnfinishedTask::immediate();
    add(name, Box::pin(async move { f().into_failure() }))
}

fn add(name: UnfinishedTask, future: TaskFuture) -> Task {
    invocation_or_detached().add(name, future, None)
}

fn invocation_or_detached() -> Arc<Invocation> {
    invocation().unwrap_or_else(Invocation::detached)
}
