//! What a handler knows of its invocation, under Node's names.

use crate::{
    callback::{Callback, Wire},
    completion::{Completion, Tracker},
    error::{Error, IntoError},
    place::Origin,
    slot,
    tasks::{Leftover, Task, TaskOutput, Tasks},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    fmt,
    future::Future,
    ops::Deref,
    panic::Location,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// Node's `context`: what a handler knows of its invocation, its tasks, and the old
/// `succeed`, `fail` and `done`.
///
/// The members are fields, in snake_case, which stand at [`Members`]. A clone is the same context.
///
/// A context can signal, so while one lives the callback is not lost: a task that keeps a
/// context without ever using it keeps its invocation waiting.
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
#[derive(Clone)]
pub struct Context(Arc<Shared>);

struct Shared {
    members: Members,
    limit: Limit,
    started: Instant,
    deadline: Option<Instant>,
    wire: Wire,
    tasks: Arc<Tasks>,
}

/// The members of a [`Context`], which are reached through it.
///
/// | here | in Node |
/// | --- | --- |
/// | `function_name` | `functionName` |
/// | `function_version` | `functionVersion` |
/// | `invoked_function_arn` | `invokedFunctionArn` |
/// | `memory_limit_in_mb` | `memoryLimitInMB` |
/// | `aws_request_id` | `awsRequestId` |
/// | `log_group_name`, `log_stream_name` | `logGroupName`, `logStreamName` |
/// | `identity`, `client_context` | `identity`, `clientContext` |
/// | `tenant_id` | `tenantId` |
/// | `xray_trace_id` | `process.env._X_AMZN_TRACE_ID` |
/// | [`get_remaining_time_in_millis()`](Context::get_remaining_time_in_millis) | `getRemainingTimeInMillis()` |
/// | [`callback_waits_for_empty_event_loop()`](Context::callback_waits_for_empty_event_loop) | `callbackWaitsForEmptyEventLoop` |
/// | [`succeed`](Context::succeed), [`fail`](Context::fail), [`done`](Context::done) | the same |
///
/// ```
/// let context = nodeback::Context::builder().function_name("orders").build();
/// assert_eq!(context.function_name, "orders");
/// assert_eq!(context.memory_limit_in_mb, "128");
/// assert_eq!(context.client_context, None);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Members {
    /// The name of the function.
    pub function_name: String,
    /// The version that runs, such as `$LATEST` or `7`.
    pub function_version: String,
    /// The ARN that the function was invoked by; with the version or the alias, if one was used.
    pub invoked_function_arn: String,
    /// The memory of the function, in MB. A text, as in Node.
    pub memory_limit_in_mb: String,
    /// The id of this invocation.
    pub aws_request_id: String,
    /// The CloudWatch log group of the function.
    pub log_group_name: String,
    /// The CloudWatch log stream of this environment.
    pub log_stream_name: String,
    /// The Cognito identity of a mobile caller, if there is one.
    pub identity: Option<Identity>,
    /// What the caller sent as its client context, if it did.
    pub client_context: Option<Value>,
    /// The tenant, on a function with tenant isolation.
    pub tenant_id: Option<String>,
    /// The X-Ray trace header of this invocation.
    pub xray_trace_id: Option<String>,
}

/// The Cognito identity that invoked the function. Its JSON is Node's.
///
/// ```
/// let identity: nodeback::Identity =
///     serde_json::from_str(r#"{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}"#).unwrap();
/// assert_eq!(identity.cognito_identity_pool_id, "pool");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Identity {
    /// The id of the authenticated identity.
    pub cognito_identity_id: String,
    /// The identity pool that authenticated it.
    pub cognito_identity_pool_id: String,
}

/// How long an invocation may take.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    /// From the start of the invocation.
    Timeout(Duration),
    /// At a time, in milliseconds since 1970.
    At(u64),
    None,
}

/// A deadline further back than this was never meant as one. cargo-lambda, for one, sends ten
/// minutes after 1970.
const LONG_PAST: Duration = Duration::from_secs(60 * 60);

/// The most that Lambda lets a function take.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Lambda's default timeout.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

impl Limit {
    fn deadline(self, now: Instant) -> Option<Instant> {
        match self {
            Limit::None => None,
            Limit::Timeout(timeout) => now.checked_add(timeout),
            Limit::At(millis) => {
                let since_1970 = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                let at = Duration::from_millis(millis);
                match at.checked_sub(since_1970) {
                    Some(left) => now.checked_add(left),
                    None if since_1970.saturating_sub(at) > LONG_PAST => None,
                    None => now.checked_sub(since_1970.saturating_sub(at)).or(Some(now)),
                }
            }
        }
    }
}

impl Context {
    /// A context for a test, or for calling a handler by hand.
    ///
    /// ```
    /// use nodeback::{Context, json};
    /// use std::time::Duration;
    ///
    /// let context = Context::builder()
    ///     .function_name("orders")
    ///     .client_context(json!({ "custom": { "shop": "7" } }))
    ///     .timeout(Duration::from_secs(10))
    ///     .build();
    /// assert!(context.get_remaining_time_in_millis() > 9_000);
    /// ```
    pub fn builder() -> ContextBuilder {
        ContextBuilder {
            members: Members::default(),
            limit: Limit::Timeout(DEFAULT_TIMEOUT),
        }
    }

    /// The milliseconds until the invocation is cut off; below zero when it should have been.
    ///
    /// Where the deadline is unknown (no timeout, or a deadline of 0 or long past, as some tools
    /// send), it counts down from 15 minutes, the most that Lambda allows.
    ///
    /// ```
    /// let context = nodeback::Context::default();
    /// assert!(context.get_remaining_time_in_millis() <= 3_000);
    /// ```
    pub fn get_remaining_time_in_millis(&self) -> i64 {
        let now = Instant::now();
        let Some(deadline) = self
            .0
            .deadline
            .or_else(|| self.0.started.checked_add(LONGEST))
        else {
            return i64::MAX;
        };
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        match deadline.checked_duration_since(now) {
            Some(left) => millis(left),
            None => -millis(now.saturating_duration_since(deadline)),
        }
    }

    /// Whether a success, signalled through the callback, waits for the tasks of this invocation
    /// before it is sent. Node's `callbackWaitsForEmptyEventLoop`: true unless it was set.
    pub fn callback_waits_for_empty_event_loop(&self) -> bool {
        self.0
            .wire
            .signaller
            .attached()
            .waits
            .load(Ordering::Acquire)
    }

    /// Sets Node's `callbackWaitsForEmptyEventLoop`. What counts is how it stands when the
    /// callback is called.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Value, json};
    ///
    /// fn handler(_: Value, context: Context, callback: Callback) {
    ///     context.set_callback_waits_for_empty_event_loop(false);
    ///     context.spawn(async { /* runs on after the answer */ });
    ///     callback(None, Some(json!("sent at once")));
    /// }
    /// ```
    pub fn set_callback_waits_for_empty_event_loop(&self, waits: bool) {
        self.0
            .wire
            .signaller
            .attached()
            .waits
            .store(waits, Ordering::Release);
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
        // As JSON text it needs no type, and passes on as it is.
        let callback = self.done_callback::<Bytes>();
        callback.settle(
            serde_json::to_vec(&result)
                .map(Bytes::from)
                .map_err(crate::wire::unable_to_stringify),
        );
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

    /// `context.done` as a function value: a callback whose signal is sent at once.
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
        self.0.wire.clone_as(Origin::Context, true).into_callback()
    }

    /// Runs a future as a task of this invocation.
    ///
    /// While [`callback_waits_for_empty_event_loop`](Self::callback_waits_for_empty_event_loop)
    /// holds, a success waits for it. If it panics or ends with an `Err` before the answer is sent,
    /// the invocation fails with that, as on an unhandled rejection in Node; afterwards it is logged.
    ///
    /// It runs on the runtime of the invocation, whatever thread this is called on. Where there is
    /// no tokio runtime at all (a context from the builder, in a plain test), the future is dropped
    /// and an error logged.
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
        self.0
            .tasks
            .spawn(Leftover::Task(Location::caller()), future)
    }

    /// Runs a function that blocks, as a task of this invocation: [`spawn`](Self::spawn) on a thread
    /// where blocking is allowed. It cannot be stopped once it has begun.
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
        self.0
            .tasks
            .spawn_blocking(Leftover::Task(Location::caller()), f)
    }

    /// Runs a future that the answer does not wait for, and the environment does: it starts now,
    /// the answer goes out when it is there, and the next event is asked for when the future has
    /// ended. At the deadline, less 50 ms, it is cut off, and named in the log.
    ///
    /// Its failure is logged, and never alters the answer.
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
        self.0
            .tasks
            .spawn(Leftover::WaitUntil(Location::caller()), future)
    }

    pub(crate) fn to_builder(&self) -> ContextBuilder {
        ContextBuilder {
            members: self.0.members.clone(),
            limit: self.0.limit,
        }
    }

    pub(crate) fn tasks(&self) -> &Arc<Tasks> {
        &self.0.tasks
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// How long the invocation may take in all, if that is known.
    pub(crate) fn allowed(&self) -> Option<Duration> {
        Some(self.0.deadline?.saturating_duration_since(self.0.started))
    }

    pub(crate) fn callback<R: Serialize + Send + 'static>(&self) -> Callback<R> {
        self.0.wire.clone_as(Origin::First, false).into_callback()
    }
}

impl Deref for Context {
    type Target = Members;

    fn deref(&self) -> &Members {
        &self.0.members
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = self.callback_waits_for_empty_event_loop();
        f.debug_struct("Context")
            .field("members", &self.0.members)
            .field(
                "remaining_time_in_millis",
                &self.get_remaining_time_in_millis(),
            )
            .field("callback_waits_for_empty_event_loop", &waits)
            .finish()
    }
}

impl Default for Members {
    fn default() -> Self {
        Members {
            function_name: "function".into(),
            function_version: "$LATEST".into(),
            invoked_function_arn: "arn:aws:lambda:us-east-1:123456789012:function:function".into(),
            memory_limit_in_mb: "128".into(),
            aws_request_id: "00000000-0000-4000-8000-000000000000".into(),
            log_group_name: "/aws/lambda/function".into(),
            log_stream_name: "stream".into(),
            identity: None,
            client_context: None,
            tenant_id: None,
            xray_trace_id: None,
        }
    }
}

/// Builds a [`Context`]; what is not set is plausible. The timeout is Lambda's default, 3 s.
#[derive(Clone, Debug)]
#[must_use]
pub struct ContextBuilder {
    members: Members,
    limit: Limit,
}

macro_rules! member {
    ($($(#[$doc:meta])* $name:ident: $type:ty => $value:expr;)+) => {$(
        $(#[$doc])*
        pub fn $name(mut self, $name: $type) -> Self {
            self.members.$name = $value;
            self
        }
    )+};
}

impl ContextBuilder {
    member! {
        /// The name of the function.
        function_name: impl Into<String> => function_name.into();
        /// The version that runs.
        function_version: impl Into<String> => function_version.into();
        /// The ARN that the function was invoked by.
        invoked_function_arn: impl Into<String> => invoked_function_arn.into();
        /// The memory of the function, in MB.
        memory_limit_in_mb: impl Into<String> => memory_limit_in_mb.into();
        /// The id of the invocation.
        aws_request_id: impl Into<String> => aws_request_id.into();
        /// The CloudWatch log group.
        log_group_name: impl Into<String> => log_group_name.into();
        /// The CloudWatch log stream.
        log_stream_name: impl Into<String> => log_stream_name.into();
        /// The Cognito identity of the caller.
        identity: impl Into<Option<Identity>> => identity.into();
        /// What the caller sent as its client context.
        client_context: impl Into<Option<Value>> => client_context.into();
        /// The tenant.
        tenant_id: impl Into<Option<String>> => tenant_id.into();
        /// The X-Ray trace header.
        xray_trace_id: impl Into<Option<String>> => xray_trace_id.into();
    }

    /// How long the invocation may take, from its start. Zero means as long as it likes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limit = if timeout.is_zero() {
            Limit::None
        } else {
            Limit::Timeout(timeout)
        };
        self
    }

    /// When the invocation is cut off, in milliseconds since 1970, as the Runtime API sends it. A
    /// deadline of 0 or more than an hour past means that it is unknown.
    pub fn deadline_ms(mut self, millis: u64) -> Self {
        self.limit = if millis == 0 {
            Limit::None
        } else {
            Limit::At(millis)
        };
        self
    }

    #[cfg(feature = "lambda")]
    pub(crate) fn request_id(&self) -> &str {
        &self.members.aws_request_id
    }

    /// The context. Its [`spawn`](Context::spawn) works where there is a tokio runtime; nobody waits
    /// for its `succeed`, `fail` and `done` until it is given to [`invoke`](crate::invoke()).
    pub fn build(self) -> Context {
        self.start().0
    }

    /// The context of an invocation that starts now, and what it completes.
    pub(crate) fn start(self) -> (Context, Completion<Bytes>) {
        let ContextBuilder { members, limit } = self;
        let span = span(&members);
        let (signaller, waiter) = slot::slot(Tracker::new(span.clone()));
        let started = Instant::now();
        let context = Context(Arc::new(Shared {
            members,
            limit,
            started,
            deadline: limit.deadline(started),
            wire: Wire::new(signaller),
            tasks: Arc::new(Tasks::new(span)),
        }));
        (context, Completion { waiter })
    }
}

/// The span that every line of an invocation is logged in. Its name and fields are those of
/// lambda_runtime's.
fn span(members: &Members) -> tracing::Span {
    let Members {
        aws_request_id,
        xray_trace_id,
        tenant_id,
        ..
    } = members;
    tracing::info_span!(
        "Lambda runtime invoke",
        requestId = %aws_request_id,
        xrayTraceId = xray_trace_id.as_deref(),
        tenantId = tenant_id.as_deref(),
    )
}
