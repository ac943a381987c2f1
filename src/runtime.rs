//! Where a handler runs, and with what settings.

#[cfg(feature = "graceful-shutdown")]
use crate::guard::{Panic, guarded};
#[cfg(feature = "lambda")]
use crate::invocation::layers::Layers;
use crate::{
    error::{Error, IntoError},
    guard::Guarded,
    invocation::{self, Context, Function, Functions, Handler, Outcome, Settings, Unsignalled},
};
use bytes::Bytes;
use serde::Serialize;
#[cfg(any(feature = "lambda", feature = "local"))]
use std::env;
use std::{borrow::Cow, fmt, time::Duration};

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

/// Several handlers in one program, each under a name, as of Node's `exports`.
///
/// On Lambda the last part of the function's handler setting chooses (`_HANDLER`: `index.orders`
/// means `orders`), at the desk the function's name in the URL, on the command line
/// `--handler orders`, and in [`Runtime::invoke`] the `function_name` of the context.
///
/// ```
/// use nodeback::{Callback, Context, Value, json};
///
/// fn orders(_: Value, _: Context, callback: Callback) {
///     callback.succeed(json!("an order"));
/// }
/// async fn stock(_: Value) -> nodeback::Result<u32> {
///     Ok(7)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let exports = nodeback::exports().handler("orders", orders).handler("stock", stock);
/// // In `main`: exports.run().await
/// let context = Context::builder().function_name("stock").build();
/// assert_eq!(exports.invoke(json!({}), context).await.result.unwrap(), 7);
/// # }
/// ```
pub fn exports() -> Runtime {
    Runtime {
        functions: Functions::default(),
        settings: Settings::default(),
        #[cfg(feature = "lambda")]
        layers: None,
        #[cfg(feature = "lambda")]
        snapstart: Vec::new(),
        #[cfg(feature = "local")]
        desk: crate::local::Desk::default(),
        #[cfg(feature = "graceful-shutdown")]
        on_shutdown: Vec::new(),
    }
}

/// Handlers with their settings: what [`run`] and [`invoke`](crate::invoke()) make of one, for who
/// wants others than theirs.
///
/// | setting | by default | environment, which goes first |
/// | --- | --- | --- |
/// | [`unsignalled`](Self::unsignalled) | [`Unsignalled::Fail`] | `NODEBACK_UNSIGNALLED`: `fail` or `null` |
/// | [`answer_before_deadline`](Self::answer_before_deadline) | off | `NODEBACK_ANSWER_BEFORE_DEADLINE`: milliseconds; 0 for off |
/// | [`listen`](Self::listen), at the desk | `127.0.0.1:9000` | `NODEBACK_LISTEN`; `--listen` before it |
/// | [`timeout`](Self::timeout), at the desk | 3 s | `AWS_LAMBDA_FUNCTION_TIMEOUT`: seconds; 0 for none |
/// | the memory that the context tells of | 128 MB | `AWS_LAMBDA_FUNCTION_MEMORY_SIZE` |
/// | invocations in flight, on Lambda | 1 | `AWS_LAMBDA_MAX_CONCURRENCY` |
/// | the shape of the log | text | `AWS_LAMBDA_LOG_FORMAT`: `Text` or `JSON` |
/// | what is logged | `INFO` | `AWS_LAMBDA_LOG_LEVEL`, or `RUST_LOG`: a level |
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
#[must_use = "a runtime does nothing unless it is run, served or invoked"]
pub struct Runtime {
    functions: Functions,
    settings: Settings,
    #[cfg(feature = "lambda")]
    layers: Option<Layers>,
    #[cfg(feature = "lambda")]
    snapstart: Vec<std::sync::Arc<dyn lambda_runtime::SnapStartResource>>,
    #[cfg(feature = "local")]
    desk: crate::local::Desk,
    #[cfg(feature = "graceful-shutdown")]
    on_shutdown: Vec<Shutdown>,
}

#[cfg(feature = "graceful-shutdown")]
type Shutdown = Box<dyn FnOnce() -> futures::future::BoxFuture<'static, ()> + Send + Sync>;

impl Runtime {
    /// Takes the one handler of a program, with the settings at their defaults.
    ///
    /// ```
    /// use nodeback::{Context, Runtime, Value};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let runtime = Runtime::new(async |event: Value| Ok::<_, nodeback::Error>(event));
    /// // In `main`: runtime.run().await
    /// assert_eq!(runtime.invoke(7, Context::default()).await.result.unwrap(), 7);
    /// # }
    /// ```
    pub fn new<M>(handler: impl Handler<M>) -> Self {
        let mut runtime = exports();
        runtime.functions.export(None, Function::new(handler));
        runtime
    }

    /// One more handler, under a name: see [`exports`]. The same name again replaces the first.
    ///
    /// ```
    /// use nodeback::{Context, Value};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let runtime = nodeback::exports()
    ///     .handler("one", async |_: Value| Ok::<_, nodeback::Error>(1))
    ///     .handler("two", async |_: Value| Ok::<_, nodeback::Error>(2));
    /// let context = Context::builder().function_name("two").build();
    /// assert_eq!(runtime.invoke((), context).await.result.unwrap(), 2);
    /// # }
    /// ```
    pub fn handler<M>(
        mut self,
        name: impl Into<Cow<'static, str>>,
        handler: impl Handler<M>,
    ) -> Self {
        let function = Function::new(handler);
        self.functions.export(Some(name.into()), function);
        self
    }

    /// Waits for what a handler needs before its first event, such as a pool of connections, and
    /// takes the handler that it makes. Lambda is told if that fails, through `/init/error`.
    ///
    /// A `tracing` subscriber that it installs is the program's own. What it logs without one is
    /// written as [`run`](Self::run) would.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Runtime, Value, json};
    /// use std::{collections::HashMap, sync::Arc};
    ///
    /// async fn load() -> Result<HashMap<String, u32>, std::io::Error> {
    ///     Ok(HashMap::from([("tea".into(), 7)]))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> nodeback::Result<()> {
    /// let runtime = Runtime::init(async {
    ///     let stock = Arc::new(load().await?);
    ///     Ok(move |event: Value, _: Context, callback: Callback| {
    ///         let count = event.as_str().and_then(|name| stock.get(name));
    ///         callback.succeed(json!(count));
    ///     })
    /// })
    /// .await?;
    /// // In `main`: runtime.run().await
    /// assert_eq!(runtime.invoke("tea", Context::default()).await.result?, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What it failed with, or `Runtime.Panic`, once Lambda has been told.
    pub async fn init<H: Handler<M>, M>(
        init: impl Future<Output = crate::Result<H>>,
    ) -> crate::Result<Self> {
        let init = Guarded::new(Box::pin(init));
        #[cfg(any(feature = "lambda", feature = "local"))]
        let init = crate::log::during(init);
        match init.await.unwrap_or_else(|panic| Err(Error::panic(panic))) {
            Ok(handler) => Ok(Runtime::new(handler)),
            Err(error) => {
                #[cfg(feature = "lambda")]
                tell_lambda(&error).await;
                Err(error)
            }
        }
    }

    /// What an invocation answers with when nobody called the callback: see [`Unsignalled`].
    ///
    /// ```
    /// use nodeback::{Callback, Context, Runtime, Unsignalled, Value};
    ///
    /// let forgetful = |_: Value, _: Context, _: Callback| {};
    /// let runtime = Runtime::new(forgetful).unsignalled(Unsignalled::Null);
    /// # drop(runtime);
    /// ```
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
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let slow = |_: Value, context: Context, callback: Callback| {
    ///     context.spawn(async move {
    ///         tokio::time::sleep(Duration::from_secs(60)).await;
    ///         callback.succeed(json!("too late"));
    ///     });
    /// };
    /// let runtime = Runtime::new(slow).answer_before_deadline(Duration::from_millis(980));
    /// let context = Context::builder().timeout(Duration::from_secs(1)).build();
    /// let error = runtime.invoke(json!({}), context).await.result.unwrap_err();
    /// assert_eq!(error.error_type(), "Runtime.NoAnswerBeforeDeadline");
    /// // no answer 980 ms before the deadline; cut off: the task spawned at src/main.rs:5:13
    /// println!("{}", error.message());
    /// # }
    /// ```
    pub fn answer_before_deadline(mut self, margin: Duration) -> Self {
        self.settings.answer_before_deadline = Some(margin);
        self
    }

    /// Lays a tower layer round the invocations of all handlers, outside of the layers that are there;
    /// on Lambda, at the desk and in [`invoke`](Self::invoke) alike.
    ///
    /// Layers for lambda_runtime's own `Runtime::layer` fit, and so does any that takes a service
    /// as it comes, such as tower's timeout. When the layers end without an answer of the handler,
    /// their error is the answer. The answer itself does not come past: it is posted within.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Runtime, Value, json};
    /// use std::time::Duration;
    /// use tower::timeout::TimeoutLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let slow = async |_: Value, _: Context, callback: Callback| {
    ///     tokio::time::sleep(Duration::from_secs(2)).await;
    ///     callback.succeed(json!("too late"));
    /// };
    /// let runtime = Runtime::new(slow).layer(TimeoutLayer::new(Duration::from_millis(10)));
    /// let error = runtime.invoke(json!({}), Context::default()).await.result.unwrap_err();
    /// assert_eq!(error.error_type(), "Elapsed");
    /// # }
    /// ```
    #[cfg(feature = "lambda")]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: tower::Layer<InvocationService>,
        L::Service: tower::Service<
                lambda_runtime::LambdaInvocation,
                Response = (),
                Error: Into<lambda_runtime_api_client::BoxError>,
                Future: Send,
            > + Clone
            + Send
            + Sync
            + 'static,
    {
        self.layers = Some(self.layers.unwrap_or_default().add(&layer));
        self
    }

    /// Registers a resource that lets go before a SnapStart snapshot is taken, and is set up again
    /// after it was restored; see lambda_runtime's documentation of the trait for the order. Where
    /// there is no SnapStart, and at the desk, it is never called.
    ///
    /// ```
    /// use nodeback::{Runtime, SnapStartResource, Value};
    /// use std::sync::Arc;
    ///
    /// struct Pool; // its hooks do nothing unless they are written
    /// impl SnapStartResource for Pool {}
    ///
    /// let handler = async |event: Value| Ok::<_, nodeback::Error>(event);
    /// let runtime = Runtime::new(handler).register_snapstart_resource(Arc::new(Pool));
    /// # drop(runtime);
    /// ```
    #[cfg(feature = "lambda")]
    pub fn register_snapstart_resource(
        mut self,
        resource: std::sync::Arc<dyn lambda_runtime::SnapStartResource>,
    ) -> Self {
        self.snapstart.push(resource);
        self
    }

    /// Runs a hook when the process is told to end, after those that were set before: on Lambda through lambda_runtime's graceful
    /// shutdown, which gives it half a second; at the desk after Ctrl-C or SIGTERM, when what was
    /// in flight has been answered.
    ///
    /// ```
    /// use nodeback::{Runtime, Value};
    ///
    /// let handler = async |event: Value| Ok::<_, nodeback::Error>(event);
    /// let runtime = Runtime::new(handler).on_shutdown(async || println!("flushed"));
    /// # drop(runtime);
    /// ```
    #[cfg(feature = "graceful-shutdown")]
    pub fn on_shutdown<F>(mut self, hook: impl FnOnce() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.on_shutdown.push(Box::new(|| Box::pin(hook())));
        self
    }

    /// Where the desk listens unless it is told otherwise: `host:port`.
    ///
    /// ```
    /// let handler = async |event: nodeback::Value| Ok::<_, nodeback::Error>(event);
    /// let runtime = nodeback::Runtime::new(handler).listen("127.0.0.1:3000");
    /// # drop(runtime);
    /// ```
    #[cfg(feature = "local")]
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.desk.listen = Some(address.into());
        self
    }

    /// How long an invocation may take at the desk, unless the environment says otherwise. Zero
    /// means as long as it likes.
    ///
    /// ```
    /// let handler = async |event: nodeback::Value| Ok::<_, nodeback::Error>(event);
    /// let minute = std::time::Duration::from_secs(60);
    /// let runtime = nodeback::Runtime::new(handler).timeout(minute);
    /// # drop(runtime);
    /// ```
    #[cfg(feature = "local")]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.desk.timeout = Some(timeout);
        self
    }

    /// Runs one invocation in process: see [`invoke`](crate::invoke()).
    ///
    /// ```
    /// use nodeback::{Context, Runtime, Value};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let runtime = Runtime::new(async |event: Value| Ok::<_, nodeback::Error>(event));
    /// for event in ["first", "second"] {
    ///     let outcome = runtime.invoke(event, Context::default()).await;
    ///     assert_eq!(outcome.result.unwrap(), event);
    /// }
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Where there is no tokio runtime with its time driver enabled.
    pub async fn invoke(&self, event: impl Serialize, context: Context) -> Outcome {
        match self.function_of(&context) {
            Ok(function) => invocation::in_process(&function, event, context).await,
            Err(error) => Outcome::failed(error),
        }
    }

    /// Runs one invocation from the event's bytes to the response's: for a transport of one's own.
    /// Returns when the work of [`wait_until`](Context::wait_until) has ended too.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Runtime, Value};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> nodeback::Result<()> {
    /// let echo = |event: Value, _: Context, callback: Callback| callback.succeed(event);
    /// let runtime = Runtime::new(echo);
    /// let response = runtime.invoke_raw(r#"{ "n": 1 }"#, Context::default()).await?;
    /// assert_eq!(response, r#"{"n":1}"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The failure of the invocation, which has been logged.
    pub async fn invoke_raw(
        &self,
        event: impl Into<Bytes>,
        context: Context,
    ) -> crate::Result<Bytes> {
        let function = self.function_of(&context)?;
        invocation::raw(&function, event.into(), context.to_builder()).await
    }

    /// Runs the handlers: see [`run`].
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> nodeback::Result<()> {
    /// # let handler = async |event: nodeback::Value| Ok::<_, nodeback::Error>(event);
    /// let margin = std::time::Duration::from_millis(200);
    /// nodeback::Runtime::new(handler).answer_before_deadline(margin).run().await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What keeps them from running.
    #[cfg(any(feature = "lambda", feature = "local"))]
    pub async fn run(mut self) -> crate::Result<()> {
        crate::log::init();
        let settled = self.settle(|name| env::var(name).ok());
        #[cfg(feature = "lambda")]
        if let Err(error) = &settled {
            tell_lambda(error).await;
        }
        settled?;
        #[cfg(feature = "graceful-shutdown")]
        let hooks = std::mem::take(&mut self.on_shutdown);
        #[cfg(feature = "lambda")]
        if on_lambda() || !cfg!(feature = "local") {
            #[cfg(feature = "graceful-shutdown")]
            if !hooks.is_empty() {
                crate::lambda::on_shutdown(|| run_hooks(hooks)).await?;
            }
            return crate::lambda::run(&self.functions, &self.snapstart).await;
        }
        #[cfg(feature = "local")]
        let ran = crate::local::run(self.functions, self.desk).await;
        #[cfg(all(feature = "local", feature = "graceful-shutdown"))]
        run_hooks(hooks).await;
        #[cfg(feature = "local")]
        return ran;
        #[cfg(not(feature = "local"))]
        Ok(())
    }

    /// Serves Lambda's Invoke API on `listener` until `shutdown` ends, then answers what is in
    /// flight: what [`run`](Self::run) does at the desk, for a test or a program of one's own.
    ///
    /// A client may be slow, large or gone only within limits: headers of 16 KB within 30 s, a body
    /// of 6 MB within 60 s and with no pause of 10 s, an answer of which some is taken every 30 s.
    /// At 16,384 connections, or when the system has no more, those that are idle are closed.
    ///
    /// A web page cannot call: a request is refused with 403 if its `Host` (or the host in its
    /// target) is neither `localhost`, a name below it, a loopback address nor the listener's own,
    /// which is any IP address where that listens on all of them; and if it has an `Origin` that
    /// is not `http://` and that host. A request of HTTP/1.0 may have no `Host`. A listener that is
    /// not on a loopback address is told in the log, at WARN.
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
    /// If a variable of the environment is not what it has to be, or the listener has no address.
    #[cfg(feature = "local")]
    pub async fn serve(
        mut self,
        listener: tokio::net::TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> crate::Result<()> {
        self.settle(|name| env::var(name).ok())?;
        crate::local::serve(self.functions, self.desk, listener, shutdown).await
    }

    /// The function that a context is of, with the settings of this program alone.
    fn function_of(&self, context: &Context) -> crate::Result<Function> {
        let function = self.functions.named(&context.function_name);
        let mut function = function.map_err(IntoError::into_error)?.clone();
        function.settings = self.settings;
        #[cfg(feature = "lambda")]
        function.layers.clone_from(&self.layers);
        Ok(function)
    }

    /// Gives each function its layers and its settings, of which those in the environment go first.
    #[cfg(any(feature = "lambda", feature = "local"))]
    fn settle(&mut self, variable: impl Fn(&str) -> Option<String>) -> crate::Result<()> {
        let settings = self.settings.overridden(variable)?;
        for function in self.functions.each() {
            function.settings = settings;
            #[cfg(feature = "lambda")]
            function.layers.clone_from(&self.layers);
        }
        Ok(())
    }
}

/// An invocation, as the service that a layer of [`Runtime::layer`] is laid on.
///
/// ```
/// use nodeback::InvocationService;
/// use tower::{Layer, ServiceExt, layer::layer_fn};
///
/// /// A layer that adds what an error of the layers within is to say.
/// fn explained() -> impl Layer<InvocationService, Service = InvocationService> {
///     layer_fn(|inner: InvocationService| {
///         InvocationService::new(inner.map_err(|error| format!("a layer: {error}").into()))
///     })
/// }
///
/// let handler = async |event: nodeback::Value| Ok::<_, nodeback::Error>(event);
/// let runtime = nodeback::Runtime::new(handler).layer(explained());
/// # drop(runtime);
/// ```
#[cfg(feature = "lambda")]
pub type InvocationService = tower::util::BoxCloneSyncService<
    lambda_runtime::LambdaInvocation,
    (),
    lambda_runtime_api_client::BoxError,
>;

/// Runs each hook to its end; one that panics keeps no other from running.
#[cfg(feature = "graceful-shutdown")]
async fn run_hooks(hooks: Vec<Shutdown>) {
    for hook in hooks {
        let ran = match guarded(hook) {
            Ok(future) => Guarded::new(future).await,
            Err(panic) => Err(panic),
        };
        if let Err(Panic(message)) = ran {
            tracing::error!("a shutdown hook panicked: {message}");
        }
    }
}

#[cfg(feature = "lambda")]
fn on_lambda() -> bool {
    env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// Tells Lambda why the program cannot start, where that started it.
#[cfg(feature = "lambda")]
async fn tell_lambda(error: &Error) {
    if on_lambda() {
        crate::lambda::failed_init(error).await;
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("handlers", &self.functions.names().collect::<Vec<_>>())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
