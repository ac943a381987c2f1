//! Where a handler runs, and with what settings.

use crate::{
    context::Context,
    handler::Handler,
    invoke::{self, Function, Outcome, Settings, Unsignalled},
};
use serde::Serialize;
use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

/// Runs a handler: on Lambda where that started the program, at one's desk otherwise.
///
/// - **On Lambda** (`AWS_LAMBDA_RUNTIME_API` is set) it answers invocations until the environment
///   is shut down; several at a time where `AWS_LAMBDA_MAX_CONCURRENCY` says so.
/// - **At the desk** it is a command line: `hello event.json` (or `-`) runs one invocation, prints
///   the response, and ends the process: with exit code 1 if the invocation failed, which is then
///   printed as JSON on stderr. Without an argument it serves Lambda's Invoke API on
///   `127.0.0.1:9000`, for `curl`, the AWS CLI and any AWS SDK. `--help` says the rest.
///
/// It installs a `tracing` subscriber that writes to stderr, unless the program has its own.
///
/// ```no_run
/// use nodeback::{Callback, Context, Value, json};
///
/// fn handler(event: Value, _: Context, callback: Callback) {
///     callback(None, Some(json!({ "hello": event["name"] })));
/// }
///
/// #[tokio::main]
/// async fn main() -> nodeback::Result<()> {
///     nodeback::run(handler).await
/// }
/// ```
///
/// # Errors
///
/// What keeps it from running: an address that is taken, or an environment that lacks variables
/// (all of which are named).
#[cfg(any(feature = "lambda", feature = "local"))]
pub async fn run<M>(handler: impl Handler<M>) -> crate::Result<()> {
    Runtime::new(handler).run().await
}

/// A handler with its settings: what [`run`] and [`invoke`](crate::invoke()) make of one, for who
/// wants others than theirs.
///
/// ```
/// use nodeback::{Callback, Context, Runtime, Unsignalled, Value, json};
///
/// fn forgetful(_: Value, _: Context, _: Callback) {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let runtime = Runtime::new(forgetful).unsignalled(Unsignalled::Null);
/// let outcome = runtime.invoke(json!({}), Context::default()).await;
/// assert_eq!(outcome.result.unwrap(), Value::Null);
/// # }
/// ```
pub struct Runtime<H, M> {
    handler: Arc<H>,
    settings: Settings,
    shape: PhantomData<fn() -> M>,
}

impl<M, H: Handler<M>> Runtime<H, M> {
    /// Takes a handler, with the settings at their defaults.
    pub fn new(handler: H) -> Self {
        Runtime {
            handler: Arc::new(handler),
            settings: Settings::default(),
            shape: PhantomData,
        }
    }

    /// What an invocation answers with when nobody called the callback.
    #[must_use]
    pub fn unsignalled(mut self, unsignalled: Unsignalled) -> Self {
        self.settings.unsignalled = unsignalled;
        self
    }

    /// Has an invocation that has no answer `margin` before its deadline fail by itself, with the
    /// error `Runtime.NoAnswerBeforeDeadline` that names what is still running. Otherwise it has
    /// until the deadline, where Lambda stops the process and answers for it.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Runtime, Value, json};
    /// use std::time::Duration;
    ///
    /// let slow = |_: Value, context: Context, callback: Callback| {
    ///     context.spawn(async move {
    ///         tokio::time::sleep(Duration::from_secs(60)).await;
    ///         callback.succeed(json!("too late"));
    ///     });
    /// };
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let runtime = Runtime::new(slow).answer_before_deadline(Duration::from_millis(980));
    /// let context = Context::builder().timeout(Duration::from_secs(1)).build();
    /// let error = runtime.invoke(json!({}), context).await.result.unwrap_err();
    /// assert_eq!(error.error_type(), "Runtime.NoAnswerBeforeDeadline");
    /// // no answer 980 ms before the deadline; cut off: the task spawned at src/main.rs:5:13
    /// println!("{}", error.message());
    /// # }
    /// ```
    #[must_use]
    pub fn answer_before_deadline(mut self, margin: Duration) -> Self {
        self.settings.answer_before_deadline = Some(margin);
        self
    }

    /// Runs one invocation in process: see [`invoke`](crate::invoke()).
    pub async fn invoke(&self, event: impl Serialize, context: Context) -> Outcome {
        invoke::in_process(&self.function(), event, context).await
    }

    /// Runs the handler: see [`run`].
    ///
    /// # Errors
    ///
    /// What keeps it from running.
    #[cfg(any(feature = "lambda", feature = "local"))]
    pub async fn run(self) -> crate::Result<()> {
        crate::log::init();
        let function = self.function();
        #[cfg(feature = "lambda")]
        if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() || !cfg!(feature = "local") {
            return crate::lambda::run(function).await;
        }
        #[cfg(feature = "local")]
        return crate::local::run(function).await;
        #[cfg(not(feature = "local"))]
        Ok(())
    }

    /// Serves Lambda's Invoke API on `listener` until `shutdown` ends, then answers what is in
    /// flight: what [`run`](Self::run) does at the desk, for a test or a program of one's own.
    ///
    /// ```no_run
    /// # async fn example() -> nodeback::Result<()> {
    /// # let handler = async |event: nodeback::Value| Ok::<_, nodeback::Error>(event);
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// println!("listening on {}", listener.local_addr()?);
    /// nodeback::Runtime::new(handler).serve(listener, std::future::pending()).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the timeout in `AWS_LAMBDA_FUNCTION_TIMEOUT` is no number of seconds.
    #[cfg(feature = "local")]
    pub async fn serve(
        self,
        listener: tokio::net::TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> crate::Result<()> {
        crate::local::serve(self.function(), listener, shutdown).await
    }

    fn function(&self) -> Function {
        Function::new(Arc::clone(&self.handler), self.settings)
    }
}

impl<H, M> fmt::Debug for Runtime<H, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
