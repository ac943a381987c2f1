//! Handlers as tower services, for programs with a stack of their own.

use crate::{
    error::{Error, Result},
    invocation::{self, Handler, InvocationSettings, NeverCalled},
};
use futures::future::BoxFuture;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::value::RawValue;
use std::{
    fmt,
    marker::PhantomData,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};
use tower::Service;

/// Turns a handler into a tower service, for `lambda_runtime::run`, `lambda_runtime::Runtime` and
/// any tower middleware.
///
/// As everywhere, only the first signal counts, and a success waits for the invocation's tasks. The
/// rest is up to the stack: lambda_runtime sends errors without `trace`, and polls for the next
/// event as soon as it has the response, so the response also waits for the work of
/// [`wait_until`](crate::Context::wait_until). [`Runtime::layer`](crate::Runtime::layer) adds
/// middleware without these differences. If an environment variable for a setting has an invalid
/// value, each call fails with an error that names it.
///
/// ```no_run
/// use nodeback::{Callback, Context, Value, json};
/// use std::time::Duration;
/// use tower::ServiceBuilder;
///
/// fn handler(event: Value, _: Context, callback: Callback) {
///     callback(None, Some(json!({ "hello": event["name"] })));
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), lambda_runtime::Error> {
///     let service = ServiceBuilder::new()
///         .concurrency_limit(10)
///         .service(nodeback::service(handler));
///     lambda_runtime::run(service).await
/// }
/// ```
pub fn service<M, H: Handler<M>>(handler: H) -> HandlerService<H, M> {
    HandlerService {
        handler: Arc::new(handler),
        settings: InvocationSettings::default(),
        shape: PhantomData,
    }
}

/// The service that [`service`] returns.
///
/// ```
/// use lambda_runtime::LambdaEvent;
/// use nodeback::{Callback, Context, Value, json};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let service = nodeback::service(|event: Value, _: Context, callback: Callback| {
///     callback.succeed(event);
/// });
/// let event = LambdaEvent::new(json!({ "n": 1 }), lambda_runtime::Context::default());
/// let response = service.oneshot(event).await.unwrap();
/// assert_eq!(response.get(), r#"{"n":1}"#);
/// # }
/// ```
pub struct HandlerService<H, M> {
    handler: Arc<H>,
    settings: InvocationSettings,
    shape: PhantomData<fn() -> M>,
}

impl<M, H: Handler<M>> Service<LambdaEvent<H::Event>> for HandlerService<H, M> {
    type Response = Box<RawValue>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Box<RawValue>>>;

    /// Always returns ready.
    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, event: LambdaEvent<H::Event>) -> Self::Future {
        let (handler, settings) = (Arc::clone(&self.handler), self.settings());
        Box::pin(async move {
            let (event, context) = event.into_parts();
            let response = invocation::parsed(&handler, || Ok(event), settings?, context.into());
            Ok(serde_json::from_slice(&response.await?)?)
        })
    }
}

impl<H, M> HandlerService<H, M> {
    /// Sets the outcome of an invocation whose callback was never called: see
    /// [`Runtime::never_called`](crate::Runtime::never_called). `NODEBACK_NEVER_CALLED` in the
    /// environment overrides it.
    ///
    /// ```
    /// use nodeback::{Callback, Context, NeverCalled, Value};
    ///
    /// let forgetful = |_: Value, _: Context, _: Callback| {};
    /// let service = nodeback::service(forgetful).never_called(NeverCalled::Null);
    /// # drop(service);
    /// ```
    #[must_use]
    pub fn never_called(mut self, never_called: NeverCalled) -> Self {
        self.settings.never_called = never_called;
        self
    }

    /// Makes an invocation without an outcome fail `margin` before its deadline: see
    /// [`Runtime::fail_before_deadline`](crate::Runtime::fail_before_deadline).
    /// `NODEBACK_FAIL_BEFORE_DEADLINE` in the environment overrides it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let handler = async |event: nodeback::Value| Ok::<_, nodeback::Error>(event);
    /// let service = nodeback::service(handler).fail_before_deadline(Duration::from_millis(200));
    /// # drop(service);
    /// ```
    #[must_use]
    pub fn fail_before_deadline(mut self, margin: Duration) -> Self {
        self.settings.fail_before_deadline = Some(margin);
        self
    }

    fn settings(&self) -> Result<InvocationSettings> {
        self.settings.overridden()
    }
}

impl<H, M> Clone for HandlerService<H, M> {
    fn clone(&self) -> Self {
        HandlerService {
            handler: Arc::clone(&self.handler),
            settings: self.settings,
            shape: PhantomData,
        }
    }
}

impl<H, M> fmt::Debug for HandlerService<H, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerService").finish_non_exhaustive()
    }
}

impl From<Error> for Diagnostic {
    /// Converts an error without its trace, which a `Diagnostic` cannot hold.
    fn from(error: Error) -> Self {
        Diagnostic {
            error_type: error.error_type().into(),
            error_message: error.message().into(),
        }
    }
}
