//! Builds contexts, for tests and for invocations that start.

use super::{
    context::Context,
    deadline::Limit,
    members::{CognitoIdentity, ContextMembers},
    state::Invocation,
    timeline::Recorder,
};
use crate::completion::{InvocationWaiter, Responder, SignalObserver};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tracing::Span;

/// Lambda's default timeout.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

impl Context {
    /// Returns a builder of a context for a test.
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
            members: Arc::default(),
            limit: Limit::Timeout(DEFAULT_TIMEOUT),
            recorder: None,
        }
    }

    pub(crate) fn to_builder(&self) -> ContextBuilder {
        ContextBuilder {
            members: Arc::clone(&self.invocation.members),
            limit: self.invocation.limit,
            // A new recorder, since its times count from the start of this invocation.
            recorder: self.invocation.recorder.as_ref().map(|_| Recorder::start()),
        }
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::builder().build()
    }
}

/// Builds a [`Context`]. Members that are not set have plausible values. The timeout is Lambda's
/// default, 3 s.
///
/// ```
/// use nodeback::{Context, json};
///
/// let context = Context::builder()
///     .function_name("orders")
///     .client_context(json!({ "custom": { "shop": "7" } }))
///     .build();
/// assert_eq!(context.function_name, "orders");
/// assert_eq!(context.client_context.as_ref().unwrap()["custom"]["shop"], "7");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ContextBuilder {
    /// Shared until a member is set, since a builder is cloned several times before its invocation
    /// starts.
    pub(super) members: Arc<ContextMembers>,
    pub(super) limit: Limit,
    /// The recorder of the timeline, if one is recorded.
    pub(super) recorder: Option<Arc<Recorder>>,
}

macro_rules! member {
    ($($(#[$doc:meta])* $name:ident: $type:ty => $value:expr;)+) => {$(
        $(#[$doc])*
        pub fn $name(mut self, $name: $type) -> Self {
            Arc::make_mut(&mut self.members).$name = $value;
            self
        }
    )+};
}

impl ContextBuilder {
    member! {
        /// The name of the function.
        function_name: impl Into<String> => function_name.into();
        /// The version of the function.
        function_version: impl Into<String> => function_version.into();
        /// The ARN that was used to invoke the function.
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
        identity: CognitoIdentity => Some(identity);
        /// The client context that the caller sent.
        client_context: impl Into<Value> => Some(client_context.into());
        /// The tenant.
        tenant_id: impl Into<String> => Some(tenant_id.into());
        /// The X-Ray trace header.
        xray_trace_id: impl Into<String> => Some(xray_trace_id.into());
    }

    /// Sets how long the invocation may take, from its start. Zero means that there is no limit.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Value, json};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let hangs = async |_: Value, _: Context, callback: Callback| {
    ///     std::future::pending::<()>().await;
    ///     callback.succeed(json!("never"));
    /// };
    /// let context = Context::builder().timeout(Duration::from_millis(10)).build();
    /// let error = nodeback::invoke(hangs, (), context).await.result.unwrap_err();
    /// assert!(error.message().ends_with("Task timed out after 0.01 seconds"));
    /// # }
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limit = if timeout.is_zero() {
            Limit::None
        } else {
            Limit::Timeout(timeout)
        };
        self
    }

    /// Sets the deadline of the invocation, in milliseconds since 1970, as the Runtime API sends
    /// it. A deadline of 0 or more than an hour in the past means that it is unknown.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// let deadline = SystemTime::now() + Duration::from_secs(60);
    /// let millis = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    /// let context = nodeback::Context::builder().deadline_ms(millis as u64).build();
    /// assert!(context.get_remaining_time_in_millis() > 50_000);
    /// ```
    pub fn deadline_ms(mut self, millis: u64) -> Self {
        self.limit = if millis == 0 {
            Limit::None
        } else {
            Limit::At(millis)
        };
        self
    }

    /// Records the [`Timeline`](crate::timeline::Timeline) of the invocation, as
    /// [`Outcome::timeline`](crate::Outcome::timeline).
    ///
    /// It contains log lines, unless the program has a `tracing` subscriber of its own.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use nodeback::{Callback, Context, Value, json};
    ///
    /// let handler = |_: Value, context: Context, callback: Callback| {
    ///     context.spawn(async {});
    ///     callback.succeed(json!("deferred"));
    /// };
    /// let context = Context::builder().record_timeline().build();
    /// let outcome = nodeback::invoke(handler, json!({}), context).await;
    /// println!("{}", outcome.timeline.unwrap());
    /// # }
    /// ```
    pub fn record_timeline(mut self) -> Self {
        self.recorder = Some(Recorder::start());
        self
    }

    /// Returns how long the invocation may take from its start, if that is limited.
    #[cfg(feature = "local")]
    pub(crate) fn limit(&self) -> Option<Duration> {
        match self.limit {
            Limit::Timeout(timeout) => Some(timeout),
            Limit::At(_) | Limit::None => None,
        }
    }

    /// Returns the recorder of the timeline, if one is recorded.
    pub(crate) fn recorder(&self) -> Option<&Arc<Recorder>> {
        self.recorder.as_ref()
    }

    /// Sets members that not every invocation has.
    #[cfg(any(feature = "lambda", feature = "local"))]
    pub(crate) fn optional(mut self, set: impl FnOnce(&mut ContextMembers)) -> Self {
        set(Arc::make_mut(&mut self.members));
        self
    }

    #[cfg(any(feature = "lambda", feature = "local"))]
    pub(crate) fn members(&self) -> &ContextMembers {
        &self.members
    }

    /// Returns the span that every line of the invocation is logged in.
    pub(crate) fn span(&self) -> Span {
        span(&self.members)
    }

    /// Builds the context. Its [`spawn`](Context::spawn) needs a tokio runtime. Its `succeed`,
    /// `fail` and `done` have no effect, since only [`invoke`](crate::invoke()) starts an
    /// invocation that waits for a signal.
    ///
    /// ```
    /// let context = nodeback::Context::builder().aws_request_id("request-1").build();
    /// assert_eq!(context.aws_request_id, "request-1");
    /// ```
    pub fn build(self) -> Context {
        self.begin(|_| None).0
    }

    /// Returns the context of an invocation that a driver starts now, and the waiter for its
    /// signal.
    pub(crate) fn start(self) -> (Context, InvocationWaiter) {
        self.begin(|responder| Some(responder.to_keep()))
    }

    /// Returns the span of an invocation whose timeline is recorded.
    #[cold]
    fn begin_recording(&self, recorder: &Arc<Recorder>) -> Span {
        let ContextMembers {
            aws_request_id,
            function_name,
            ..
        } = &*self.members;
        recorder.begin(aws_request_id, function_name, self.limit);
        #[cfg(any(feature = "lambda", feature = "local"))]
        {
            recorder.record_lines(|| self.span())
        }
        #[cfg(not(any(feature = "lambda", feature = "local")))]
        {
            self.span()
        }
    }

    fn begin(
        self,
        keep: impl FnOnce(&Responder) -> Option<Responder>,
    ) -> (Context, InvocationWaiter) {
        let span = match &self.recorder {
            None => self.span(),
            Some(recorder) => self.begin_recording(recorder),
        };
        let ContextBuilder {
            members,
            limit,
            recorder,
        } = self;
        let observer = recorder.clone();
        let observer = observer.map(|recorder| recorder as Arc<dyn SignalObserver>);
        let (responder, waiter) = Responder::new(span.clone(), observer);
        let invocation = Invocation::new(members, limit, span, keep(&responder), recorder);
        let context = Context {
            responder,
            invocation,
        };
        (context, waiter)
    }
}

/// Creates the span of an invocation, with the name and the fields of the span of lambda_runtime.
fn span(members: &ContextMembers) -> Span {
    let ContextMembers {
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
