//! Node's `context`, under Node's names.

use super::{
    current, deadline::Time, json, members::ContextMembers, state::Invocation, task::Task,
    task_output::TaskOutput, unfinished::UnfinishedTask,
};
use crate::{
    completion::{Callback, Origin, Responder, into_callback},
    error::{Error, IntoError},
    stream::{Pipe, StreamObserver},
};
use bytes::Bytes;
use futures::FutureExt;
use serde::Serialize;
use serde_json::Value;
use std::{fmt, future::Future, ops::Deref, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Node's `context`: information about the invocation, its tasks, and the old `succeed`, `fail` and
/// `done`.
///
/// The members are the fields of [`ContextMembers`], in snake_case. A clone is the same context.
///
/// A context can signal, so the callback does not count as never called while a context exists. A
/// task that keeps a context without ever using it keeps its invocation waiting.
///
/// ```
/// use nodeback::{Callback, Context, Value, json};
///
/// fn handler(_: Value, context: Context, callback: Callback) {
///     callback(None, Some(json!({
///         "function": context.function_name,
///         "request": context.aws_request_id,
///         "left": context.get_remaining_time_in_millis(),
///     })));
/// }
/// ```
pub struct Context {
    pub(super) responder: Responder,
    pub(super) invocation: Arc<Invocation>,
}

/// The longest timeout that Lambda allows.
const LONGEST: Duration = Duration::from_secs(15 * 60);

impl Context {
    /// Returns the context of the current invocation: the one whose handler, task, timer or
    /// blocking function calls this, directly or not. Returns `None` elsewhere, for example in a
    /// thread or in a task of `tokio::spawn`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use nodeback::{Callback, Context, Value, json};
    ///
    /// fn request_id() -> Option<String> {
    ///     Some(Context::current()?.aws_request_id.clone())
    /// }
    /// let handler = |_: Value, _: Context, callback: Callback| callback.succeed(json!(request_id()));
    ///
    /// let context = Context::builder().aws_request_id("request-7").build();
    /// let outcome = nodeback::invoke(handler, json!({}), context).await;
    /// assert_eq!(outcome.result.unwrap(), "request-7");
    /// assert_eq!(request_id(), None);
    /// # }
    /// ```
    pub fn current() -> Option<Self> {
        let invocation = current::invocation().filter(|invocation| !invocation.is_detached)?;
        let kept = invocation.kept();
        Some(Context {
            // There is no handle once the callback was released or the outcome is claimed. A signal
            // is rejected then.
            responder: kept.unwrap_or_else(|| Responder::closed(invocation.span.clone())),
            invocation,
        })
    }

    /// Returns the remaining time until the deadline, in milliseconds. It is negative after the
    /// deadline.
    ///
    /// If the deadline is unknown (no timeout, or a deadline of 0 or in the distant past, which
    /// some tools send), it counts down from 15 minutes, the longest timeout that Lambda allows.
    ///
    /// ```
    /// let context = nodeback::Context::default();
    /// assert!(context.get_remaining_time_in_millis() <= 3_000);
    /// ```
    pub fn get_remaining_time_in_millis(&self) -> i64 {
        let now = Instant::now();
        let Time { started, deadline } = self.invocation.time;
        let Some(deadline) = deadline.or_else(|| started.checked_add(LONGEST)) else {
            return i64::MAX;
        };
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        match deadline.checked_duration_since(now) {
            Some(left) => millis(left),
            None => -millis(now.saturating_duration_since(deadline)),
        }
    }

    /// Whether a success, signalled through the callback, waits for the tasks of this invocation
    /// before it is sent: Node's `callbackWaitsForEmptyEventLoop`. The default is true.
    ///
    /// ```
    /// let context = nodeback::Context::default();
    /// assert!(context.callback_waits_for_empty_event_loop());
    /// context.set_callback_waits_for_empty_event_loop(false);
    /// assert!(!context.callback_waits_for_empty_event_loop());
    /// ```
    pub fn callback_waits_for_empty_event_loop(&self) -> bool {
        self.responder.waits()
    }

    /// Sets Node's `callbackWaitsForEmptyEventLoop`. The value at the time of the signal counts.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Value, json};
    ///
    /// fn handler(_: Value, context: Context, callback: Callback) {
    ///     context.set_callback_waits_for_empty_event_loop(false);
    ///     context.spawn(async { /* keeps running after the response */ });
    ///     callback(None, Some(json!("sent at once")));
    /// }
    /// ```
    pub fn set_callback_waits_for_empty_event_loop(&self, waits: bool) {
        self.responder.set_waits(waits);
    }

    /// Node's `context.succeed(result)`: the same completion as the callback's, sent at once.
    ///
    /// ```
    /// use nodeback::{Context, Value, json};
    ///
    /// fn handler(event: Value, context: Context) {
    ///     context.succeed(json!({ "hello": event["name"] }))
    /// }
    /// ```
    #[track_caller]
    pub fn succeed(&self, result: impl Serialize) {
        // Encoded here, so that the callback needs no type parameter. `Bytes` are not encoded
        // again.
        self.done_callback::<Bytes>()
            .settle(json::stringify(&result));
    }

    /// Node's `context.fail(error)`: the same completion as the callback's, sent at once.
    ///
    /// ```
    /// use nodeback::{Context, Value, error};
    ///
    /// fn handler(event: Value, context: Context) {
    ///     match event["name"].as_str() {
    ///         Some(name) => context.succeed(name),
    ///         None => context.fail(error!("name is missing")),
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn fail<M>(&self, error: impl IntoError<M>) {
        self.done_callback::<Value>().fail(error);
    }

    /// Node's `context.done(error, result)`: the same completion as the callback's, sent at once.
    ///
    /// ```
    /// use nodeback::{Context, Value, json};
    ///
    /// fn handler(_: Value, context: Context) {
    ///     context.done(None, Some(json!("done")))
    /// }
    /// ```
    #[track_caller]
    pub fn done(&self, error: Option<Error>, result: Option<Value>) {
        self.done_callback().call(error, result);
    }

    /// Returns `context.done` as a function value: a callback whose signal is sent at once.
    ///
    /// ```
    /// use nodeback::{Context, Value, json};
    ///
    /// fn read(key: &str, done: impl FnOnce(Result<Value, std::io::Error>) + Send + 'static) {
    ///     done(Ok(json!(key)))
    /// }
    /// fn handler(_: Value, context: Context) {
    ///     read("order", context.done_callback().into_once())
    /// }
    /// ```
    pub fn done_callback<R: Serialize + Send + 'static>(&self) -> Callback<R> {
        let responder = self.responder.clone_as(Origin::context(), true);
        into_callback(responder, json::to_json)
    }

    /// Runs a future as a task of this invocation.
    ///
    /// While [`callback_waits_for_empty_event_loop`](Self::callback_waits_for_empty_event_loop) is
    /// true, a success waits for it. If it panics or ends with an `Err` before the response is
    /// sent, the invocation fails with that error, as with an unhandled rejection in Node. A later
    /// failure is only logged.
    ///
    /// It runs on the runtime of the invocation, no matter which thread calls this. Without a tokio
    /// runtime (for a context from the builder in a test that is not async), the future is dropped
    /// and an error is logged.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Value, json};
    ///
    /// fn handler(_: Value, context: Context, callback: Callback) {
    ///     context.spawn(async move {
    ///         let stock: u32 = "7".parse()?;
    ///         callback.succeed(json!(stock));
    ///         Ok::<_, std::num::ParseIntError>(())
    ///     });
    /// }
    /// ```
    #[track_caller]
    pub fn spawn<F, M>(&self, future: F) -> Task
    where
        F: Future<Output: TaskOutput<M>> + Send + 'static,
    {
        self.add(UnfinishedTask::spawned(), future)
    }

    /// Runs a future as a task of this invocation, and calls an error-first function with its outcome, as
    /// [`spawn_then`](crate::spawn_then) does.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Value};
    ///
    /// async fn count() -> Result<u64, std::io::Error> {
    ///     Ok(7)
    /// }
    /// fn handler(_: Value, context: Context, callback: Callback<u64>) {
    ///     context.spawn_then(count(), move |error, count| callback(error, count));
    /// }
    /// ```
    #[track_caller]
    pub fn spawn_then<F, T, E, O, M, N>(
        &self,
        future: F,
        callback: impl FnOnce(Option<Error>, Option<T>) -> O + Send + 'static,
    ) -> Task
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: IntoError<M>,
        O: TaskOutput<N>,
    {
        let (future, keep) = (current::then(future, callback), Some(&self.responder));
        self.invocation.add(UnfinishedTask::spawned(), future, keep)
    }

    /// Runs a blocking function as a task of this invocation, like [`spawn`](Self::spawn), on a
    /// thread where it may block. It cannot be stopped once it has begun.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Value};
    ///
    /// fn handler(_: Value, context: Context, callback: Callback<u64>) {
    ///     context.spawn_blocking(move || callback.succeed((1..=10_u64).product()));
    /// }
    /// ```
    #[track_caller]
    pub fn spawn_blocking<T, M>(&self, f: impl FnOnce() -> T + Send + 'static) -> Task
    where
        T: TaskOutput<M>,
    {
        let name = UnfinishedTask::spawned();
        let f = move || f().into_failure();
        let keep = Some(&self.responder);
        self.invocation
            .add_blocking(name, f, |failure| failure, keep)
    }

    /// Node's `setTimeout`, like [`set_timeout`](crate::set_timeout), for code that runs outside of
    /// the invocation: in a thread, or in a callback of a client that spawns its own tasks.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Value, json};
    /// use std::{thread, time::Duration};
    ///
    /// fn handler(_: Value, context: Context, callback: Callback) {
    ///     thread::spawn(move || {
    ///         context.set_timeout(Duration::from_millis(5), move || callback.succeed(json!("later")));
    ///     });
    /// }
    /// ```
    #[track_caller]
    pub fn set_timeout<T, M>(&self, delay: Duration, f: impl FnOnce() -> T + Send + 'static) -> Task
    where
        T: TaskOutput<M>,
    {
        let name = UnfinishedTask::timeout();
        self.invocation
            .set_timeout(name, delay, f, Some(&self.responder))
    }

    /// Node's `setImmediate`, like [`set_immediate`](crate::set_immediate), for code that runs
    /// outside of the invocation.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Value, json};
    /// use std::thread;
    ///
    /// fn handler(_: Value, context: Context, callback: Callback) {
    ///     thread::spawn(move || context.set_immediate(move || callback.succeed(json!("soon"))));
    /// }
    /// ```
    #[track_caller]
    pub fn set_immediate<T, M>(&self, f: impl FnOnce() -> T + Send + 'static) -> Task
    where
        T: TaskOutput<M>,
    {
        let name = UnfinishedTask::immediate();
        self.add(name, async move { f() })
    }

    /// Runs a future that the response does not wait for, but the next event does: the future
    /// starts now, the response is sent as soon as it is available, and the next event is polled
    /// for when the future has ended. It is aborted 50 ms before the deadline, which is logged.
    ///
    /// Its failure is logged, and does not affect the response.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Value, json};
    ///
    /// fn handler(_: Value, context: Context, callback: Callback) {
    ///     context.wait_until(async { /* send the metrics */ });
    ///     callback.succeed(json!("sent before the metrics are"));
    /// }
    /// ```
    #[track_caller]
    pub fn wait_until<F, M>(&self, future: F) -> Task
    where
        F: Future<Output: TaskOutput<M>> + Send + 'static,
    {
        self.add(UnfinishedTask::wait_until(), future)
    }

    #[cfg(test)]
    #[cfg(feature = "lambda")]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.invocation.time.deadline
    }

    fn add<F, M>(&self, name: UnfinishedTask, future: F) -> Task
    where
        F: Future<Output: TaskOutput<M>> + Send + 'static,
    {
        let future = Box::pin(future.map(|output| output.into_failure()));
        let keep = Some(&self.responder);
        self.invocation.add(name, future, keep)
    }

    /// Makes the response a stream, whose pipe holds up to `high_water_mark` bytes.
    pub(super) fn open_stream(&self, high_water_mark: usize) -> Arc<Pipe> {
        let stream = &self.invocation.stream;
        Arc::clone(stream.get_or_init(|| {
            let recorder = self.invocation.recorder.clone();
            let observer = recorder.map(|recorder| {
                recorder.stream_opened(high_water_mark);
                recorder as Arc<dyn StreamObserver>
            });
            Pipe::new(high_water_mark, observer)
        }))
    }

    pub(super) fn callback<R: Serialize + Send + 'static>(&self) -> Callback<R> {
        let responder = self.responder.clone_as(Origin::first(), false);
        into_callback(responder, json::to_json)
    }
}

impl Clone for Context {
    fn clone(&self) -> Self {
        Context {
            responder: self.responder.to_keep(),
            invocation: Arc::clone(&self.invocation),
        }
    }
}

impl Deref for Context {
    type Target = ContextMembers;

    fn deref(&self) -> &ContextMembers {
        &self.invocation.members
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = self.callback_waits_for_empty_event_loop();
        f.debug_struct("Context")
            .field("members", &self.invocation.members)
            .field(
                "remaining_time_in_millis",
                &self.get_remaining_time_in_millis(),
            )
            .field("callback_waits_for_empty_event_loop", &waits)
            .finish()
    }
}
